//! What a binding says of weights that did not find each other: both sides, with a suggestion.

use super::{File, TensorId, path};
use crate::bind::names::Rule;
use crate::graph::{ModelGraph, SlotId};
use crate::layer::Fill;
use crate::suggest::similarity;
use tfjs_manifest::{Error, Findings, Warnings};

/// Suggestions compare a name with others: only this many are worth it.
const SUGGESTIONS: usize = 20;
/// With so many others at most.
const COMPARED: usize = 1000;

pub(super) struct Report<'a> {
    pub(super) graph: &'a ModelGraph,
    pub(super) file: &'a File<'a>,
    pub(super) missing: &'a [SlotId],
    pub(super) left: &'a [TensorId],
    pub(super) has_manifest: bool,
}

impl Report<'_> {
    pub(super) fn errors(&self, findings: &mut Findings) {
        // DIFFERENCE: TensorFlow.js predicts with random weights then.
        if !self.missing.is_empty() && !self.has_manifest {
            findings.push(Error::mismatch(format!(
                "the file has no `weightsManifest`, and the model has {} weights; without `strict` it loads untrained",
                self.missing.len()
            )));
            return;
        }
        for (i, id) in self.missing.iter().enumerate() {
            let slot = &self.graph.slots[id.0];
            let hint = if i < SUGGESTIONS { self.near_tensor(*id) } else { String::new() };
            findings.push(
                Error::mismatch(format!("the file has no weight for it (shape {}){hint}", slot.decl.shape))
                    .at_weight(path(self.graph, slot)),
            );
        }
        for (i, id) in self.left.iter().enumerate() {
            let spec = self.file.spec(*id);
            let hint = if i < SUGGESTIONS { self.near_slot(*id) } else { String::new() };
            findings.push(
                Error::mismatch(format!("the model has no place for it (shape {}){hint}", spec.shape))
                    .at_weight(&spec.name),
            );
        }
    }

    pub(super) fn warnings(&self, warnings: &mut Warnings) {
        // DIFFERENCE: TensorFlow.js leaves what is missing at random values and says nothing.
        for id in self.missing {
            let slot = &self.graph.slots[id.0];
            let fill = match slot.decl.fill {
                Fill::Zeros => "zeros",
                Fill::Ones => "ones",
            };
            warnings.push(format!("weight `{}` is not in the file: filled with {fill}", path(self.graph, slot)));
        }
        for id in self.left {
            warnings
                .push(format!("weight `{}` of the file has no place in the model: not used", self.file.spec(*id).name));
        }
    }

    /// The most similar name among the tensors without a place, those of the same shape first.
    fn near_tensor(&self, slot: SlotId) -> String {
        let slot = &self.graph.slots[slot.0];
        let (wanted, full) = (&slot.decl.shape, path(self.graph, slot));
        let scored = self.left.iter().take(COMPARED).map(|id| self.file.spec(*id)).map(|spec| {
            let same = if spec.shape == *wanted { 1.0 } else { 0.0 };
            (same + similarity(&full, &spec.name), spec)
        });
        match scored.max_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((score, spec)) if score > 0.6 => format!("; the nearest left over is `{}` {}", spec.name, spec.shape),
            _ => String::new(),
        }
    }

    /// The most similar name among the slots without a tensor.
    fn near_slot(&self, tensor: TensorId) -> String {
        let spec = self.file.spec(tensor);
        let scored = self.missing.iter().take(COMPARED).map(|id| &self.graph.slots[id.0]).map(|slot| {
            let same = if slot.decl.shape == spec.shape { 1.0 } else { 0.0 };
            (same + similarity(&path(self.graph, slot), &spec.name), slot)
        });
        match scored.max_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((score, slot)) if score > 0.6 => format!("; the nearest missing is `{}`", path(self.graph, slot)),
            _ => String::new(),
        }
    }
}

/// Weights found by anything less sure than a name are worth a line.
pub(super) fn note_rules(
    graph: &ModelGraph,
    file: &File<'_>,
    slots: &[Option<(TensorId, Rule)>],
    warnings: &mut Warnings,
) {
    for (slot, bound) in graph.slots.iter().zip(slots) {
        if let Some((id, Rule::Order)) = bound {
            warnings.push(format!(
                "weight `{}` was taken for `{}` by its order in the layer, not by its name",
                file.spec(*id).name,
                path(graph, slot)
            ));
        }
    }
}
