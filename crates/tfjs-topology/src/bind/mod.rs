//! Binding: finds the tensor of the file for each slot of the graph, by name; guesses are reported.
//!
//! Producers name the same weight differently (see `names`). Binding happens before any weight is fetched, and reports
//! everything missing, unused and mismatched at once.

mod cause;
mod keras1;
mod names;
mod repeated;
mod report;
mod sides;

use crate::graph::{LayerId, ModelGraph, SlotId, WeightSlot};
use crate::layer::ScopeKind;
use names::candidates;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use tfjs_manifest::{Assembly, DType, Error, Findings, Result, Warnings, WeightSpec, WeightsManifest};

pub use names::Rule;

/// A tensor of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId {
    /// Index of the group.
    pub group: usize,
    /// Index in the group.
    pub index: usize,
}

/// What a slot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A tensor of the file, found by a rule.
    Tensor(TensorId, Rule),
    /// What is made of tensors of the file, found by a rule.
    Assembled(Vec<TensorId>, Assembly, Rule),
    /// The file does not have it and the caller does not insist: the slot's own fill.
    Filled,
}

impl Bound {
    /// The tensors of the file that the slot is made of, in order.
    pub fn tensors(&self) -> &[TensorId] {
        match self {
            Bound::Tensor(id, _) => std::slice::from_ref(id),
            Bound::Assembled(ids, ..) => ids,
            Bound::Filled => &[],
        }
    }

    /// By which rule they were found.
    pub fn rule(&self) -> Option<Rule> {
        match self {
            Bound::Tensor(_, rule) | Bound::Assembled(.., rule) => Some(*rule),
            Bound::Filled => None,
        }
    }
}

/// Which tensor goes into which slot.
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
        let mut parts: Vec<Option<keras1::Parts>> = vec![None; self.slots.len()];
        let mut findings = Findings::new();
        let old = match self.keras1 {
            true => keras1::bind(self, &file, &mut slots, &mut parts, &mut findings),
            false => HashMap::new(),
        };
        let mut claims = by_name(self, &file, &mut slots, &mut findings);
        claims.extend(old);
        let unclear = repeated::bind(self, &file, &mut slots, &mut claims, &mut findings);
        let claims = by_order(self, &file, &mut slots, claims);
        keras1::turn_kernels(self, &slots, &mut parts);
        check_types(self, &file, &slots, &parts, &mut findings);

        // A layer's optional weights belong together: the file has all of them or none.
        let optional = self.slots.iter().zip(&slots).filter(|(slot, bound)| slot.decl.optional && bound.is_some());
        let partly: HashSet<LayerId> = optional.map(|(slot, _)| slot.layer).collect();
        let may_lack = |slot: &WeightSlot| slot.decl.optional && !partly.contains(&slot.layer);
        let is_missing = |i: &usize| slots[*i].is_none() && !unclear.contains(i) && !may_lack(&self.slots[*i]);
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
        keras1::note_backend(self, &slots, &mut warnings);
        unused.extend(left);
        unused.sort();
        let bound = |(slot, parts): (Option<(TensorId, Rule)>, Option<keras1::Parts>)| match (slot, parts) {
            (Some((_, rule)), Some(keras1::Parts { ids, assembly })) => Bound::Assembled(ids, assembly, rule),
            (Some((id, rule)), None) => Bound::Tensor(id, rule),
            (None, _) => Bound::Filled,
        };
        let slots = slots.into_iter().zip(parts).map(bound).collect();
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
            let name = without_output(&spec.name);
            match by_name.entry(name) {
                Entry::Vacant(free) => drop(free.insert(*id)),
                Entry::Occupied(first) => several.entry(name).or_insert_with(|| vec![*first.get()]).push(*id),
            }
        }
        by_name.retain(|name, _| !several.contains_key(name));
        let mut repeated: Vec<_> = several.into_iter().collect();
        repeated.sort_by(|a, b| a.1.cmp(&b.1));
        let mut by_shortened: HashMap<String, Vec<TensorId>> = HashMap::new();
        for (id, spec) in specs.iter().filter(|(_, spec)| !spec.is_optimizer()) {
            if let Some((holder, variable)) = without_output(&spec.name).rsplit_once('/')
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

/// A name without the `:0` that TensorFlow gives every variable and the converter takes away.
fn without_output(name: &str) -> &str {
    name.strip_suffix(":0").unwrap_or(name)
}

/// Tensors that are no layer's: the state of the optimizer, of metrics and of random generators. The weights of terms in
/// a lookup are in its configuration, too.
fn is_bookkeeping(spec: &WeightSpec) -> bool {
    spec.is_optimizer()
        || spec.name.ends_with("/vars/idf_weights")
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

fn check_types(
    graph: &ModelGraph,
    file: &File<'_>,
    slots: &[Option<(TensorId, Rule)>],
    parts: &[Option<keras1::Parts>],
    findings: &mut Findings,
) {
    for (slot, (bound, parts)) in graph.slots.iter().zip(slots.iter().zip(parts)) {
        let (ids, shape) = match (bound, parts) {
            (_, Some(parts)) => (&parts.ids[..], &parts.assembly.stored),
            (Some((id, _)), None) => (std::slice::from_ref(id), &slot.decl.shape),
            (None, None) => continue,
        };
        for spec in ids.iter().map(|id| file.spec(*id)) {
            let decoded = if spec.dtype == DType::Float16 { DType::Float32 } else { spec.dtype };
            let message = if *shape != spec.shape {
                format!("the model needs shape {shape}, the file has {}", spec.shape)
            } else if slot.decl.dtype != decoded {
                format!("the model needs dtype `{}`, the file has `{}`", slot.decl.dtype, spec.dtype)
            } else {
                continue;
            };
            let layer = &graph.layers[slot.layer.0].path;
            findings.push(Error::mismatch(message).at_layer(layer).at_weight(&spec.name));
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
