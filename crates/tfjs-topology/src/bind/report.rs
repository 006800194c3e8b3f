//! The report of a binding about unmatched weights: their number, their layers, and the probable cause.

use super::cause::{self, Suggested};
use super::sides::{Lacking, Surplus, lacking, surplus};
use super::{File, TensorId, path};
use crate::bind::names::Rule;
use crate::graph::{ModelGraph, SlotId};
use crate::layer::Fill;
use std::collections::HashMap;
use tfjs_manifest::text::shorten;
use tfjs_manifest::{Error, Findings, Setting, Warnings};

/// The most weights of one layer that are named.
const NAMED: usize = 6;

pub(super) struct Report<'a> {
    pub(super) graph: &'a ModelGraph,
    pub(super) file: &'a File<'a>,
    pub(super) missing: &'a [SlotId],
    pub(super) left: &'a [TensorId],
    pub(super) has_manifest: bool,
}

impl Report<'_> {
    pub(super) fn errors(&self, findings: &mut Findings) {
        let Report { graph, file, missing, left, has_manifest } = self;
        if missing.is_empty() && left.is_empty() {
            return;
        }
        // DIFFERENCE: TensorFlow.js would predict with random weights.
        if !has_manifest {
            findings.push(Error::mismatch(format!(
                "the file has no `weightsManifest`, and the model has {} weights: this is the architecture alone, as \
                 `to_json()` writes it; save the whole model with `model.save` and convert that, or load it untrained with {}",
                missing.len(),
                Setting::NotStrict
            )));
            return;
        }
        let (lacking, surplus) = (lacking(graph, missing), surplus(file, left));
        let suggested = cause::suggest(graph, &lacking, &surplus);
        let found = graph.slots.len() - missing.len();
        let mut cause = cause::of(graph, &lacking, &surplus, found, &suggested).map(|cause| format!(": {cause}"));
        if missing.len() > 1 {
            let cause = cause.take().unwrap_or_default();
            findings.push(Error::mismatch(format!(
                "{} of {} weights are missing: the file does not have them{cause}",
                missing.len(),
                graph.slots.len(),
            )));
        }
        let by_name: HashMap<&str, &Surplus<'_>> = surplus.iter().map(|holder| (holder.name, holder)).collect();
        for (i, layer) in lacking.iter().enumerate() {
            let hint = suggested.of_layer.get(&i).map(|&holder| &surplus[holder]);
            findings.push(self.missing_of(layer, hint, &by_name));
        }
        if left.len() > 1 {
            let cause = cause.unwrap_or_default();
            findings.push(Error::mismatch(format!(
                "{} of the {} weights in the file have no place in the model{cause}",
                left.len(),
                file.specs.len(),
            )));
        }
        for (i, holder) in surplus.iter().enumerate() {
            findings.push(self.left_of(holder, &lacking, &suggested, i));
        }
    }

    /// Describes the missing weights of a layer in one line.
    fn missing_of(
        &self,
        layer: &Lacking<'_>,
        hint: Option<&Surplus<'_>>,
        by_name: &HashMap<&str, &Surplus<'_>>,
    ) -> Error {
        let near = |names: &str| format!("; the nearest left over is {names}");
        if let [id] = layer.slots[..] {
            let slot = &self.graph.slots[id.0];
            let hint = match hint.and_then(|holder| holder.tensors.first()) {
                Some(id) => near(&format!("`{}` {}", shorten(&self.file.spec(*id).name), self.file.spec(*id).shape)),
                None => self.renamed(slot.decl.name.as_str(), layer, by_name),
            };
            return Error::mismatch(format!("the file has no weight for it (shape {}){hint}", slot.decl.shape))
                .at_weight(path(self.graph, slot));
        }
        let all = self.graph.layers[layer.layer.0].slots.len();
        let count = match layer.wholly {
            true => "the file has none of its weights".to_owned(),
            false => format!("the file has no weight for {} of its {all} weights", layer.slots.len()),
        };
        let names = list(layer.slots.iter().map(|id| {
            let decl = &self.graph.slots[id.0].decl;
            let scopes: String = decl.scope.iter().map(|s| format!("{}/", s.name)).collect();
            (format!("{scopes}{}", decl.name), decl.shape.to_string())
        }));
        let hint = hint.map(|holder| near(&format!("`{}`", shorten(holder.name)))).unwrap_or_default();
        Error::mismatch(format!("{count}: {names}{hint}")).at_layer(layer.path)
    }

    /// Names the only surplus weight of the same layer, if it has the same shape: `d/kernal` for `d/kernel`.
    fn renamed(&self, variable: &str, layer: &Lacking<'_>, surplus: &HashMap<&str, &Surplus<'_>>) -> String {
        let [id] = layer.slots[..] else { return String::new() };
        let shape = &self.graph.slots[id.0].decl.shape;
        let of_layer = surplus.get(layer.name).or_else(|| surplus.get(layer.path));
        let tensors = of_layer.map(|holder| holder.tensors.as_slice()).unwrap_or_default();
        let mut near = tensors.iter().map(|id| self.file.spec(*id)).filter(|spec| spec.shape == *shape);
        match (near.next(), near.next()) {
            (Some(spec), None) => {
                let name = shorten(&spec.name);
                format!("; the nearest left over is `{name}` {}, whose variable is not called `{variable}`", spec.shape)
            }
            _ => String::new(),
        }
    }

    /// Describes the surplus weights of a layer in one line.
    fn left_of(&self, holder: &Surplus<'_>, lacking: &[Lacking<'_>], suggested: &Suggested, index: usize) -> Error {
        let layer = suggested.of_layer.iter().find(|(_, holder)| **holder == index).map(|(layer, _)| &lacking[*layer]);
        let hint = layer.map(|layer| format!("; the nearest missing is `{}`", shorten(layer.path))).unwrap_or_default();
        if let [id] = holder.tensors[..] {
            let spec = self.file.spec(id);
            return Error::mismatch(format!("the model has no place for it (shape {}){hint}", spec.shape))
                .at_weight(&spec.name);
        }
        let names = list(holder.tensors.iter().map(|id| {
            let spec = self.file.spec(*id);
            let variable = spec.name.strip_prefix(holder.name).and_then(|rest| rest.strip_prefix('/'));
            (variable.unwrap_or(&spec.name).to_owned(), spec.shape.to_string())
        }));
        Error::mismatch(format!("the model has no place for its {} weights: {names}{hint}", holder.tensors.len()))
            .at_weight(holder.name)
    }

    pub(super) fn warnings(&self, warnings: &mut Warnings) {
        // DIFFERENCE: TensorFlow.js keeps random values for missing weights, without a message.
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
}

/// Names with their shapes; a long list is shortened.
fn list(weights: impl ExactSizeIterator<Item = (String, String)>) -> String {
    let more = weights.len().saturating_sub(NAMED);
    let named: Vec<String> = weights.take(NAMED).map(|(name, shape)| format!("`{}` {shape}", shorten(&name))).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}

/// Adds a warning for each weight that was not found by name.
pub(super) fn note_rules(
    graph: &ModelGraph,
    file: &File<'_>,
    slots: &[Option<(TensorId, Rule)>],
    warnings: &mut Warnings,
) {
    for (slot, bound) in graph.slots.iter().zip(slots) {
        let how = match bound {
            Some((_, Rule::Order)) => "by its order in the layer, not by its name",
            Some((_, Rule::LayerOrder)) => "by the order of the layers: several weights have this name",
            _ => continue,
        };
        let Some((id, _)) = bound else { continue };
        warnings.push(format!("weight `{}` was taken for `{}` {how}", file.spec(*id).name, path(graph, slot)));
    }
}
