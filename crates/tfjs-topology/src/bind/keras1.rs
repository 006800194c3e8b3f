//! The weights of Keras 1: called `dense_1_W` for the kernel of `dense_1`, kept gate by gate by recurrent layers, and as
//! Theano had them by convolutions with the channels first. And kernels of any file of Theano, which it turns around.
//!
//! Reference: `preprocess_weights_for_loading` in Keras 2.2.4's `keras/engine/saving.py`, `build` of the layers in
//! Keras 1.2.2's `keras/layers`.

use super::{File, Rule, TensorId, path};
use crate::config::DataFormat;
use crate::def::{LayerBody, LayerEntry, Submodel};
use crate::graph::{Callee, ModelGraph, SlotId, WeightSlot};
use crate::layer::{Scope, ScopeKind};
use crate::layers::rnn::cell::CellKind;
use crate::layers::spatial::Spatial;
use crate::producer::Backend;
use crate::registry::Layer;
use std::collections::HashMap;
use tfjs_manifest::{Assembly, Error, Findings, Shape, Warnings};

/// How a file has what a slot holds.
struct Form {
    /// The names of the variables, one for each part.
    variables: Vec<&'static str>,
    /// How the weight is made of them; `None` if it is the only part as it is.
    assembly: Option<Assembly>,
}

/// The tensors that a slot is made of.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) ids: Vec<TensorId>,
    pub(super) assembly: Assembly,
}

/// Binds what the file has under the names of Keras 1.
pub(super) fn bind(
    graph: &ModelGraph,
    file: &File<'_>,
    slots: &mut [Option<(TensorId, Rule)>],
    parts: &mut [Option<Parts>],
    findings: &mut Findings,
) -> HashMap<TensorId, SlotId> {
    let mut claims: HashMap<TensorId, SlotId> = HashMap::new();
    let mut holders = Holders::default();
    for (i, slot) in graph.slots.iter().enumerate() {
        let Some((layer, name)) = holders.of(graph, slot) else { continue };
        let found: Vec<(Vec<TensorId>, Option<Assembly>)> = forms(layer, slot, graph.backend == Some(Backend::Theano))
            .into_iter()
            .filter_map(|form| {
                let ids =
                    form.variables.iter().map(|variable| find(file, slot, name, variable)).collect::<Option<_>>()?;
                Some((ids, form.assembly))
            })
            .collect();
        // Of several layouts under one name the shapes tell.
        let fits = |(ids, assembly): &(Vec<TensorId>, Option<Assembly>)| {
            let stored = assembly.as_ref().map_or(&slot.decl.shape, |assembly| &assembly.stored);
            ids.iter().all(|id| file.spec(*id).shape == *stored)
        };
        let at = found.iter().position(fits).unwrap_or(0);
        let Some((ids, assembly)) = found.into_iter().nth(at) else { continue };
        if let Some((id, owner)) = ids.iter().find_map(|id| Some((id, claims.get(id)?))) {
            let (a, b) = (&graph.slots[owner.0], slot);
            let message = format!(
                "fits both `{}` and `{}`; the file's names do not tell them apart",
                path(graph, a),
                path(graph, b)
            );
            findings.push(Error::mismatch(message).at_weight(&file.spec(*id).name));
        }
        claims.extend(ids.iter().map(|&id| (id, SlotId(i))));
        slots[i] = ids.first().map(|&id| (id, Rule::OldName));
        parts[i] = assembly.map(|assembly| Parts { ids, assembly });
    }
    claims
}

/// The kernels of convolutions that are bound as they are in a file of Theano, turned around.
pub(super) fn turn_kernels(graph: &ModelGraph, slots: &[Option<(TensorId, Rule)>], parts: &mut [Option<Parts>]) {
    if graph.backend != Some(Backend::Theano) {
        return;
    }
    let mut holders = Holders::default();
    for (slot, (bound, parts)) in graph.slots.iter().zip(slots.iter().zip(parts)) {
        let (Some((id, rule)), Some((layer, _))) = (bound, holders.of(graph, slot)) else { continue };
        let turned = kernel_axes(layer, slot);
        if *rule != Rule::OldName && turned > 0 {
            let shape = slot.decl.shape.clone();
            let order = (0..shape.rank()).collect();
            let assembly = Assembly { stored: shape.clone(), order, reversed: (0..turned).collect(), shape };
            *parts = Some(Parts { ids: vec![*id], assembly });
        }
    }
}

/// Keras 1 itself does not write what it ran on.
pub(super) fn note_backend(graph: &ModelGraph, slots: &[Option<(TensorId, Rule)>], warnings: &mut Warnings) {
    let mut holders = Holders::default();
    let old = graph.slots.iter().zip(slots).filter(|(_, bound)| matches!(bound, Some((_, Rule::OldName))));
    let has_window = |slot| holders.of(graph, slot).is_some_and(|(layer, _)| kernel_axes(layer, slot) > 0);
    if graph.backend.is_none() && old.map(|(slot, _)| slot).any(has_window) {
        warnings.push(
            "the file does not say what Keras 1 ran on: its kernels are taken as TensorFlow's; `\"backend\": \"theano\"` in \
             `modelTopology` says that they are Theano's, which turns them around",
        );
    }
}

/// The name under which a variable is in the file, if it is.
fn find(file: &File<'_>, slot: &WeightSlot, layer: &str, variable: &str) -> Option<TensorId> {
    // By itself, or behind the group that holds it in HDF5.
    let name = format!("{layer}_{variable}");
    let grouped = [slot.layer_name.as_str(), layer].map(|group| format!("{group}/{name}"));
    std::iter::once(name).chain(grouped).find_map(|name| file.by_name.get(name.as_str()).copied())
}

/// The layers that have weights, inside of wrappers too.
#[derive(Default)]
struct Holders<'a> {
    /// The layers of each wrapped model by name, those of the models inside of it too; the first of a name counts.
    named: HashMap<*const Submodel, HashMap<&'a str, &'a LayerEntry>>,
}

impl<'a> Holders<'a> {
    /// The layer that has a weight, and its name.
    fn of(&mut self, graph: &'a ModelGraph, slot: &'a WeightSlot) -> Option<(&'a Layer, &'a str)> {
        let layer = &graph.layers[slot.layer.0];
        match &layer.callee {
            Callee::Layer(held) => self.inside(held, &layer.name, &slot.decl.scope),
            Callee::Op(_) => None,
        }
    }

    fn inside(&mut self, layer: &'a Layer, name: &'a str, scope: &'a [Scope]) -> Option<(&'a Layer, &'a str)> {
        let entry = match layer {
            Layer::TimeDistributed(layer) => &layer.inner,
            Layer::Bidirectional(layer) => [&layer.forward, &layer.backward]
                .into_iter()
                .find(|entry| scope.first().is_some_and(|s| s.name == entry.name))?,
            _ => return Some((layer, name)),
        };
        match &entry.body {
            LayerBody::Layer(inner) => self.inside(inner, &entry.name, scope.get(1..)?),
            LayerBody::Model(model) => {
                let at = scope.iter().rposition(|scope| scope.kind == ScopeKind::Restart)?;
                let entry = self.named(model, &scope[at].name)?;
                let LayerBody::Layer(inner) = &entry.body else { return None };
                self.inside(inner, &entry.name, &scope[at + 1..])
            }
            LayerBody::Input(_) | LayerBody::Op(_) => None,
        }
    }

    fn named(&mut self, model: &'a Submodel, name: &str) -> Option<&'a LayerEntry> {
        let layers = self.named.entry(std::ptr::from_ref(model)).or_insert_with(|| {
            let mut layers = HashMap::new();
            by_name(model, &mut layers);
            layers
        });
        layers.get(name).copied()
    }
}

fn by_name<'a>(model: &'a Submodel, layers: &mut HashMap<&'a str, &'a LayerEntry>) {
    for entry in &model.layers {
        match &entry.body {
            LayerBody::Model(inner) => by_name(inner, layers),
            _ => drop(layers.entry(&entry.name).or_insert(entry)),
        }
    }
}

/// How many axes of a weight are those of a window that Theano turns around: the first ones. Depthwise kernels Keras turns
/// back before it gives them to Theano.
fn kernel_axes(layer: &Layer, slot: &WeightSlot) -> usize {
    let spatial = match (layer, slot.decl.name.as_str()) {
        (Layer::Conv(layer), "kernel") => &layer.windows.spatial,
        (Layer::ConvTranspose(layer), "kernel") => &layer.windows.spatial,
        (Layer::ConvLstm(layer), "kernel" | "recurrent_kernel") => &layer.windows.spatial,
        _ => return 0,
    };
    spatial.count
}

/// Every form in which a file of Keras 1 may have a weight.
fn forms(layer: &Layer, slot: &WeightSlot, theano: bool) -> Vec<Form> {
    let (name, shape) = (slot.decl.name.as_str(), &slot.decl.shape);
    let turned: Vec<usize> = if theano { (0..kernel_axes(layer, slot)).collect() } else { Vec::new() };
    let one = |layout: Option<Layout>| {
        let layout = layout.or_else(|| (!turned.is_empty()).then(|| Layout::plain(shape)));
        let assembly = layout.and_then(|layout| layout.assembly(shape, &turned, 1));
        variable(name).map(|variable| Form { variables: vec![variable], assembly })
    };
    match layer {
        Layer::Conv(conv) if name == "kernel" && conv.windows.spatial.count == 1 => {
            let &[length, inner, filters] = shape.dims() else { return Vec::new() };
            // Since Keras 1.1, and before.
            let layouts = [
                Layout { stored: vec![length, 1, inner, filters], order: vec![0, 1, 2, 3] },
                Layout { stored: vec![filters, inner, length, 1], order: vec![2, 3, 1, 0] },
            ];
            layouts.into_iter().filter_map(|layout| one(Some(layout))).collect()
        }
        Layer::Conv(conv) if name == "kernel" => one(filters_first(&conv.windows.spatial, shape)).into_iter().collect(),
        Layer::SeparableConv(conv) if name.ends_with("kernel") => {
            one(filters_first(&conv.windows.spatial, shape)).into_iter().collect()
        }
        Layer::ConvTranspose(conv) if name == "kernel" => {
            let &[rows, columns, filters, inner] = shape.dims() else { return Vec::new() };
            let layout = match conv.windows.spatial.format {
                DataFormat::ChannelsLast => {
                    Layout { stored: vec![rows, columns, inner, filters], order: vec![0, 1, 3, 2] }
                }
                DataFormat::ChannelsFirst => {
                    Layout { stored: vec![filters, inner, rows, columns], order: vec![2, 3, 0, 1] }
                }
            };
            one(Some(layout)).into_iter().collect()
        }
        Layer::ConvLstm(layer) => {
            let first = layer.windows.spatial.format == DataFormat::ChannelsFirst && shape.rank() > 1;
            gates(CellKind::Lstm, name, shape, first, &turned).into_iter().collect()
        }
        Layer::Recurrent(layer) => {
            let kind = layer.cells.first().map(|held| held.cell.kind);
            let apart = kind.and_then(|kind| gates(kind, name, shape, false, &turned));
            one(None).into_iter().chain(apart).collect()
        }
        _ => one(None).into_iter().collect(),
    }
}

/// What Keras 1 calls a variable.
fn variable(name: &str) -> Option<&'static str> {
    Some(match name {
        "kernel" | "embeddings" | "W" => "W",
        "recurrent_kernel" => "U",
        "bias" | "b" => "b",
        "W_carry" => "W_carry",
        "b_carry" => "b_carry",
        "depthwise_kernel" => "depthwise_kernel",
        "pointwise_kernel" => "pointwise_kernel",
        "alpha" | "alphas" => "alphas",
        "betas" => "betas",
        "gamma" => "gamma",
        "beta" => "beta",
        "moving_mean" => "running_mean",
        "moving_variance" => "running_std",
        "t_left" => "t_left",
        "a_left" => "a_left",
        "t_right" => "t_right",
        "a_right" => "a_right",
        _ => return None,
    })
}

/// A weight of a recurrent layer that is kept gate by gate.
fn gates(kind: CellKind, name: &str, shape: &Shape, filters_first: bool, turned: &[usize]) -> Option<Form> {
    let variables: &[&'static str] = match (kind, name) {
        (CellKind::Lstm, "kernel") => &["W_i", "W_f", "W_c", "W_o"],
        (CellKind::Lstm, "recurrent_kernel") => &["U_i", "U_f", "U_c", "U_o"],
        (CellKind::Lstm, "bias") => &["b_i", "b_f", "b_c", "b_o"],
        (CellKind::Gru { .. }, "kernel") => &["W_z", "W_r", "W_h"],
        (CellKind::Gru { .. }, "recurrent_kernel") => &["U_z", "U_r", "U_h"],
        (CellKind::Gru { .. }, "bias") => &["b_z", "b_r", "b_h"],
        _ => return None,
    };
    let mut one = shape.dims().to_vec();
    let columns = one.last_mut()?;
    *columns /= variables.len();
    let layout = match filters_first {
        true => Layout::filters_first(&one)?,
        false => Layout { order: (0..one.len()).collect(), stored: one },
    };
    Some(Form { variables: variables.to_vec(), assembly: layout.assembly(shape, turned, variables.len()) })
}

/// The axes of a tensor of the file, and for each axis of the weight which of them it is.
struct Layout {
    stored: Vec<usize>,
    order: Vec<usize>,
}

/// The layout of a kernel `[k.., in, out]`, where it is not that.
fn filters_first(spatial: &Spatial, shape: &Shape) -> Option<Layout> {
    match spatial.format {
        DataFormat::ChannelsLast => None,
        DataFormat::ChannelsFirst => Layout::filters_first(shape.dims()),
    }
}

impl Layout {
    fn plain(shape: &Shape) -> Self {
        Layout { stored: shape.dims().to_vec(), order: (0..shape.rank()).collect() }
    }

    /// `[out, in, k..]` for `[k.., in, out]`.
    fn filters_first(shape: &[usize]) -> Option<Self> {
        let [sizes @ .., inner, filters] = shape else { return None };
        let order = (2..shape.len()).chain([1, 0]).collect();
        Some(Layout { stored: [&[*filters, *inner], sizes].concat(), order })
    }

    fn assembly(self, shape: &Shape, turned: &[usize], parts: usize) -> Option<Assembly> {
        let assembly = Assembly {
            stored: Shape::new(self.stored).ok()?,
            order: self.order,
            reversed: turned.to_vec(),
            shape: shape.clone(),
        };
        let is_plain = parts == 1 && turned.is_empty() && assembly.stored == assembly.shape;
        let reordered = assembly.order.iter().enumerate().any(|(at, &axis)| at != axis);
        (!is_plain || reordered).then_some(assembly)
    }
}
