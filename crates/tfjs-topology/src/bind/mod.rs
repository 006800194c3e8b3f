//! Binding: finds the tensor of the file for each slot of the graph, by name; guesses are reported.
//!
//! Producers name the same weight differently (see `names`). Binding happens before any weight is fetched, and reports
//! everything missing, unused and mismatched at once.

mod cause;
mod names;
mod repeated;
mod report;
mod sides;

use crate::graph::{ModelGraph, SlotId, WeightSlot};
use crate::layer::ScopeKind;
use names::candidates;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use tfjs_manifest::{DType, Error, Findings, Result, Warnings, WeightSpec, WeightsManifest};

pub use names::Rule;

/// A tensor of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId {
    /// Index of the group.
    pub group: usize,
    /// Index in the group.
    pub index: usize,
}

/// The source of a slot's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A tensor of the file, found by a rule.
    Tensor(TensorId, Rule),
    /// The file does not have it, which is allowed without `strict`: the slot is filled with its default.
    Filled,
}

/// The assignment of tensors to slots.
#[derive(Clone, Debug, Default)]
pub struct Binding {
    /// The source of each slot of the graph.
    pub slots: Vec<Bound>,
    /// Tensors of the file that no slot uses: optimizer state, and without `strict` all that remain.
    pub unused: Vec<TensorId>,
    /// Findings that do not stop the model from loading.
    pub warnings: Warnings,
}

impl ModelGraph {
    /// Finds a tensor for every slot. `None` stands for a file without a manifest.
    ///
    /// With `strict`, every slot must have a tensor and every tensor a slot; otherwise both are warnings.
    ///
    /// # Errors
    /// [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch): every missing, unused, mismatched and ambiguous weight
    /// in one report.
    pub fn bind(&self, manifest: Option<&WeightsManifest>, strict: bool) -> Result<Binding> {
        let file = File::new(manifest);
        let mut slots: Vec<Option<(TensorId, Rule)>> = vec![None; self.slots.len()];
        let mut findings = Findings::new();
        let mut claims = by_name(self, &file, &mut slots, &mut findings);
        let unclear = repeated::bind(self, &file, &mut slots, &mut claims, &mut findings);
        let claims = by_order(self, &file, &mut slots, claims);
        check_types(self, &file, &slots, &mut findings);

        let is_missing = |i: &usize| slots[*i].is_none() && !unclear.contains(i) && !self.slots[*i].decl.optional;
        let missing: Vec<SlotId> = (0..slots.len()).filter(is_missing).map(SlotId).collect();
        let (left, mut unused): (Vec<TensorId>, Vec<TensorId>) =
            file.ids().filter(|id| !claims.contains_key(id)).partition(|id| !is_bookkeeping(file.spec(*id)));
        let repeated: HashSet<&str> = self.repeated.iter().map(String::as_str).collect();
        let (again, left): (Vec<TensorId>, Vec<TensorId>) =
            left.into_iter().partition(|id| repeated.contains(file.spec(*id).name.as_str()));
        unused.extend(again);
        let report = report::Report {
            graph: self,
            file: &file,
            missing: &missing,
            left: &left,
            has_manifest: manifest.is_some(),
        };
        let mut warnings = Warnings::new();
        if strict {
            report.errors(&mut findings);
        } else {
            report.warnings(&mut warnings);
        }
        findings.finish("the model and its weights do not fit each other")?;
        report::note_rules(self, &file, &slots, &mut warnings);
        unused.extend(left);
        unused.sort();
        let slots = slots.into_iter().map(|s| s.map_or(Bound::Filled, |(id, rule)| Bound::Tensor(id, rule))).collect();
        Ok(Binding { slots, unused, warnings })
    }
}

/// The tensors of a manifest, by name and by position.
struct File<'a> {
    specs: Vec<(TensorId, &'a WeightSpec)>,
    /// Tensors with a unique name.
    by_name: HashMap<&'a str, TensorId>,
    /// Names that several tensors share, in the order of their first ones. TensorFlow.js writes them for nested models
    /// whose layers have equal names.
    repeated: Vec<(&'a str, Vec<TensorId>)>,
    /// Tensors by their name without its second last part, as TensorFlow.js shortens unknown names.
    by_shortened: HashMap<String, Vec<TensorId>>,
    place: HashMap<TensorId, usize>,
}

impl<'a> File<'a> {
    fn new(manifest: Option<&'a WeightsManifest>) -> Self {
        let specs: Vec<_> = manifest
            .into_iter()
            .flat_map(|m| m.specs())
            .map(|(group, index, spec)| (TensorId { group, index }, spec))
            .collect();
        let mut by_name: HashMap<&str, TensorId> = HashMap::new();
        let mut several: HashMap<&str, Vec<TensorId>> = HashMap::new();
        for (id, spec) in specs.iter().filter(|(_, spec)| !spec.is_optimizer()) {
            match by_name.entry(spec.name.as_str()) {
                Entry::Vacant(free) => drop(free.insert(*id)),
                Entry::Occupied(first) => several.entry(&spec.name).or_insert_with(|| vec![*first.get()]).push(*id),
            }
        }
        by_name.retain(|name, _| !several.contains_key(name));
        let mut repeated: Vec<_> = several.into_iter().collect();
        repeated.sort_by(|a, b| a.1.cmp(&b.1));
        let mut by_shortened: HashMap<String, Vec<TensorId>> = HashMap::new();
        for (id, spec) in specs.iter().filter(|(_, spec)| !spec.is_optimizer()) {
            if let Some((holder, variable)) = spec.name.rsplit_once('/')
                && let Some((layer, _)) = holder.rsplit_once('/')
            {
                by_shortened.entry(format!("{layer}/{variable}")).or_default().push(*id);
            }
        }
        let place = specs.iter().enumerate().map(|(i, (id, _))| (*id, i)).collect();
        File { specs, by_name, repeated, by_shortened, place }
    }

    fn ids(&self) -> impl Iterator<Item = TensorId> {
        self.specs.iter().map(|(id, _)| *id)
    }

    fn spec(&self, id: TensorId) -> &'a WeightSpec {
        self.specs[self.place[&id]].1
    }
}

/// Tensors that belong to no layer: the state of the optimizer, of metrics and of random generators.
fn is_bookkeeping(spec: &WeightSpec) -> bool {
    spec.is_optimizer()
        || ["optimizer/", "metrics/"].iter().any(|start| spec.name.starts_with(start))
        || spec.name.split('/').any(|part| part.starts_with("seed_generator"))
}

/// The penalty in rank for a name with a part that is not the layer's.
const SHORTENED: u32 = 1000;

/// Binds by name, the most specific rule first. A name that two slots claim by the same rule is ambiguous.
fn by_name(
    graph: &ModelGraph,
    file: &File<'_>,
    slots: &mut [Option<(TensorId, Rule)>],
    findings: &mut Findings,
) -> HashMap<TensorId, SlotId> {
    let mut pairs = Vec::new();
    for (i, slot) in graph.slots.iter().enumerate() {
        let has_cell = slot.decl.scope.iter().any(|scope| scope.kind == ScopeKind::Cell);
        for candidate in candidates(slot) {
            if let Some(&id) = file.by_name.get(candidate.name.as_str()) {
                pairs.push((candidate.rank, i, id, candidate.rule));
            }
            // Keras 2 numbers the cells of a session, `lstm_1/lstm_cell_3/kernel`; TensorFlow.js looks up every weight
            // by its name without the second last part.
            if let Some(&[id]) = file.by_shortened.get(candidate.name.as_str()).map(Vec::as_slice)
                && (has_cell || file.spec(id).shape == slot.decl.shape)
            {
                pairs.push((candidate.rank + SHORTENED, i, id, Rule::InnerName));
            }
        }
    }
    pairs.sort_by_key(|(rank, slot, ..)| (*rank, *slot));
    let mut claims: HashMap<TensorId, (SlotId, u32)> = HashMap::new();
    for (rank, i, id, rule) in pairs {
        if slots[i].is_some() {
            continue;
        }
        match claims.get(&id) {
            None => {
                claims.insert(id, (SlotId(i), rank));
                slots[i] = Some((id, rule));
            }
            // A more specific rule has claimed it; this slot may have another candidate.
            Some((_, other)) if *other < rank => {}
            Some((owner, _)) => {
                let (a, b) = (&graph.slots[owner.0], &graph.slots[i]);
                findings.push(
                    Error::mismatch(format!(
                        "fits both `{}` and `{}`; the file's names do not tell them apart",
                        path(graph, a),
                        path(graph, b)
                    ))
                    .at_weight(&file.spec(id).name),
                );
                slots[i] = Some((id, rule));
            }
        }
    }
    claims.into_iter().map(|(id, (slot, _))| (id, slot)).collect()
}

/// Binds the remaining weights of a layer by the order of its variables, if number and shapes agree.
fn by_order(
    graph: &ModelGraph,
    file: &File<'_>,
    slots: &mut [Option<(TensorId, Rule)>],
    mut claims: HashMap<TensorId, SlotId>,
) -> HashMap<TensorId, SlotId> {
    let mut free: HashMap<&str, Vec<TensorId>> = HashMap::new();
    for (id, spec) in &file.specs {
        if let (false, Some((holder, _))) =
            (claims.contains_key(id) || is_bookkeeping(spec), spec.name.rsplit_once('/'))
        {
            free.entry(holder).or_default().push(*id);
        }
    }
    for layer in &graph.layers {
        let open = layer.slots.iter().all(|slot| slots[slot.0].is_none());
        let Some(tensors) = free.get(layer.name.as_str()).filter(|t| open && t.len() == layer.slots.len()) else {
            continue;
        };
        let same = |(slot, id): (&SlotId, &TensorId)| graph.slots[slot.0].decl.shape == file.spec(*id).shape;
        let shapes: Vec<_> = layer.slots.iter().map(|s| &graph.slots[s.0].decl.shape).collect();
        let distinct = shapes.iter().enumerate().all(|(i, s)| !shapes[..i].contains(s));
        if distinct && layer.slots.iter().zip(tensors).all(same) {
            for (slot, id) in layer.slots.iter().zip(tensors) {
                slots[slot.0] = Some((*id, Rule::Order));
                claims.insert(*id, *slot);
            }
        }
    }
    claims
}

fn check_types(graph: &ModelGraph, file: &File<'_>, slots: &[Option<(TensorId, Rule)>], findings: &mut Findings) {
    for (slot, bound) in graph.slots.iter().zip(slots) {
        let Some((id, _)) = bound else { continue };
        let spec = file.spec(*id);
        let decoded = if spec.dtype == DType::Float16 { DType::Float32 } else { spec.dtype };
        if slot.decl.shape != spec.shape {
            findings.push(
                Error::mismatch(format!("the model needs shape {}, the file has {}", slot.decl.shape, spec.shape))
                    .at_layer(&graph.layers[slot.layer.0].path)
                    .at_weight(&spec.name),
            );
        } else if slot.decl.dtype != decoded {
            findings.push(
                Error::mismatch(format!("the model needs dtype `{}`, the file has `{}`", slot.decl.dtype, spec.dtype))
                    .at_layer(&graph.layers[slot.layer.0].path)
                    .at_weight(&spec.name),
            );
        }
    }
}

/// A slot's full name, for messages: the layer's path, then the slot's own part.
fn path(graph: &ModelGraph, slot: &WeightSlot) -> String {
    let layer = &graph.layers[slot.layer.0];
    let scopes: String = slot.decl.scope.iter().map(|s| format!("{}/", s.name)).collect();
    format!("{}/{scopes}{}", layer.path, slot.decl.name)
}

#[cfg(test)]
mod tests;
