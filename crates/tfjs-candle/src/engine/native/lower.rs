//! One node, one kernel: what each layer is for the kernels, and the packing of its weights.

use super::activation::kernel;
use super::op::{Fused, Op};
use crate::weights::{Packed, PackedPlace, Weights};
use std::collections::HashMap;
use std::sync::Arc;
use tfjs_kernels::{Activation as KernelActivation, Binary, Isa, PackedConv2d, PackedDepthwise, PackedMatrix, Pooling};
use tfjs_manifest::{Error, Result};
use tfjs_topology::activation::Activation;
use tfjs_topology::config::DataFormat;
use tfjs_topology::graph::{Callee, ModelGraph, Node, SlotId};
use tfjs_topology::layer::MaskRule;
use tfjs_topology::layers::conv::conv::Conv;
use tfjs_topology::layers::conv::depthwise::DepthwiseConv;
use tfjs_topology::layers::core::dense::Dense;
use tfjs_topology::layers::merge::arithmetic::MergeKind;
use tfjs_topology::layers::norm::batch::BatchNormalization;
use tfjs_topology::layers::norm::layer::LayerNormalization;
use tfjs_topology::layers::pool::PoolKind;
use tfjs_topology::layers::spatial::Spatial;
use tfjs_topology::registry::Layer;
use tfjs_topology::types::{SymShape, ValueType};

/// For each node its kernel, `None` where it runs portable.
pub(super) fn lower(graph: &ModelGraph, weights: &mut Weights, isa: Isa) -> Result<Vec<Option<Op>>> {
    let masked = masked_values(graph);
    let mut packing = Packing { weights, isa };
    let lower_node = |node| match plain_layer(graph, node, &masked) {
        Some(callee) => {
            let layer = graph.layer(node);
            lower_layer(graph, node, callee, &layer.slots, &mut packing).map_err(|e| e.at_layer(&layer.path))
        }
        None => Ok(None),
    };
    graph.nodes.iter().map(lower_node).collect()
}

/// The layer of a node whose values kernels could take: floats, without a mask.
fn plain_layer<'g>(graph: &'g ModelGraph, node: &Node, masked: &[bool]) -> Option<&'g Layer> {
    let is_float = |value: &tfjs_topology::graph::ValueId| graph.ty(*value).dtype == ValueType::Float;
    let plain = node.call.kwargs.iter().all(|(_, arg)| arg.tensor().is_none())
        && node.call.inputs().iter().all(|value| is_float(value) && !masked[value.0])
        && node.outputs.iter().all(is_float);
    match &graph.layer(node).callee {
        Callee::Layer(layer) if plain => Some(layer),
        _ => None,
    }
}

/// Memory for the weights that kernels want packed, so that they can be packed while they arrive. What is left out
/// here is packed when the graph is lowered.
pub(crate) fn places(graph: &ModelGraph, isa: Isa) -> HashMap<SlotId, PackedPlace> {
    let masked = masked_values(graph);
    let mut places = HashMap::new();
    for node in &graph.nodes {
        let Some(layer) = plain_layer(graph, node, &masked) else { continue };
        let Some(&id) = graph.layer(node).slots.first() else { continue };
        let Some(slot) = graph.slots.get(id.0).filter(|_| !places.contains_key(&id)) else { continue };
        let packed = match (layer, slot.decl.shape.dims()) {
            (Layer::Dense(dense), &[k, n]) if has_kernel(dense.activation) => {
                PackedMatrix::zeroed(isa, k, n).map(|m| Packed::Matrix(Arc::new(m)))
            }
            (Layer::Conv(conv), &[h, w, i, o])
                if conv.groups == 1 && images(&conv.windows.spatial) && has_kernel(conv.activation) =>
            {
                PackedConv2d::zeroed(isa, [h, w, i, o]).map(|c| Packed::Conv(Arc::new(c)))
            }
            (Layer::DepthwiseConv(conv), &[h, w, i, m])
                if images(&conv.windows.spatial) && has_kernel(conv.activation) =>
            {
                PackedDepthwise::zeroed(isa, [h, w, i, m]).map(|d| Packed::Depthwise(Arc::new(d)))
            }
            _ => continue,
        };
        // Without the memory for it the plain destination says so.
        if let Ok(packed) = packed {
            places.insert(id, PackedPlace(packed));
        }
    }
    places
}

/// Whether the activation can end a kernel: see [`epilogue`].
fn has_kernel(activation: Activation) -> bool {
    activation == Activation::Softmax || kernel(activation).is_some()
}

/// Which values may carry a mask: kernels know none.
fn masked_values(graph: &ModelGraph) -> Vec<bool> {
    let mut masked = vec![false; graph.values.len()];
    for node in &graph.nodes {
        let any = node.call.kwarg("mask").is_some_and(|arg| arg.constant().is_none())
            || node.call.inputs().iter().any(|value| masked[value.0]);
        let gives = match node.mask {
            MaskRule::Stop => false,
            MaskRule::Compute => true,
            _ => any,
        };
        node.outputs.iter().for_each(|value| masked[value.0] = gives);
    }
    masked
}

fn lower_layer(
    graph: &ModelGraph,
    node: &Node,
    layer: &Layer,
    slots: &[SlotId],
    packing: &mut Packing<'_>,
) -> Result<Option<Op>> {
    let inputs = node.call.inputs();
    let Some(input) = inputs.first().map(|value| &graph.ty(**value).shape) else { return Ok(None) };
    Ok(match layer {
        Layer::Dense(dense) => lower_dense(dense, slots, packing)?,
        Layer::Conv(conv) => lower_conv(conv, slots, packing)?,
        Layer::DepthwiseConv(conv) => lower_depthwise(conv, slots, packing)?,
        Layer::BatchNormalization(norm) => lower_batch_norm(norm, input, slots, packing)?,
        Layer::LayerNormalization(norm) => lower_layer_norm(norm, input, slots, packing)?,
        Layer::ActivationLayer(layer) => lower_activation(layer.activation),
        Layer::Relu(layer) => lower_activation(layer.activation),
        Layer::Elu(layer) => lower_activation(layer.activation),
        Layer::Softmax(softmax) => match softmax.axes.0[..] {
            [axis] if input.axis(axis)? + 1 == input.rank() => Some(Op::Softmax),
            _ => None,
        },
        Layer::Pool(pool) if images(&pool.windows.spatial) => {
            Some(Op::Pool { pooling: pooling(pool.kind), windows: pool.windows.clone() })
        }
        Layer::GlobalPool(pool) if pool.spatial.format == DataFormat::ChannelsLast => {
            Some(Op::GlobalPool { pooling: pooling(pool.kind) })
        }
        Layer::Merge(merge) => lower_merge(graph, node, merge.kind),
        Layer::Concatenate(concatenate) => Some(Op::Concat { axis: input.axis(concatenate.axis)? }),
        Layer::ZeroPadding(pad) if images(&pad.spatial) => Some(Op::Pad { pads: pad.pads.clone() }),
        Layer::Flatten(flatten) if flatten.format == DataFormat::ChannelsLast || input.rank() < 3 => Some(Op::Alias),
        Layer::Reshape(_)
        | Layer::Identity(_)
        | Layer::Dropout(_)
        | Layer::Noise(_)
        | Layer::AlphaDropout(_)
        | Layer::ActivityRegularization(_) => Some(Op::Alias),
        _ => None,
    })
}

/// Two spatial axes, channels last: what the image kernels take.
fn images(spatial: &Spatial) -> bool {
    spatial.count == 2 && spatial.format == DataFormat::ChannelsLast
}

fn pooling(kind: PoolKind) -> Pooling {
    match kind {
        PoolKind::Max => Pooling::Max,
        PoolKind::Average => Pooling::Average,
    }
}

/// What a layer's own bias and activation make of its epilogue; `None` for an activation without a kernel.
fn epilogue(activation: Activation, bias: Option<Vec<f32>>) -> Option<Fused> {
    let softmax = activation == Activation::Softmax;
    let activation = if softmax { KernelActivation::Linear } else { kernel(activation)? };
    Some(Fused { shift: bias, activation, softmax, ..Fused::default() })
}

fn lower_dense(dense: &Dense, slots: &[SlotId], packing: &mut Packing<'_>) -> Result<Option<Op>> {
    let bias = packing.optional(slots, dense.use_bias.then_some(1))?;
    let Some(fused) = epilogue(dense.activation, bias) else { return Ok(None) };
    Ok(Some(Op::Dense { kernel: packing.matrix(slots[0])?, fused }))
}

fn lower_conv(conv: &Conv, slots: &[SlotId], packing: &mut Packing<'_>) -> Result<Option<Op>> {
    if !images(&conv.windows.spatial) {
        return Ok(None);
    }
    let bias = packing.optional(slots, conv.use_bias.then_some(1))?;
    let Some(fused) = epilogue(conv.activation, bias) else { return Ok(None) };
    let kernel = packing.conv(slots[0], conv.groups)?;
    Ok(Some(Op::Conv { kernel, windows: conv.windows.clone(), groups: conv.groups, fused }))
}

fn lower_depthwise(conv: &DepthwiseConv, slots: &[SlotId], packing: &mut Packing<'_>) -> Result<Option<Op>> {
    if !images(&conv.windows.spatial) {
        return Ok(None);
    }
    let bias = packing.optional(slots, conv.use_bias.then_some(1))?;
    let Some(fused) = epilogue(conv.activation, bias) else { return Ok(None) };
    Ok(Some(Op::Depthwise { kernel: packing.depthwise(slots[0])?, windows: conv.windows.clone(), fused }))
}

/// `(x - mean) * gamma / sqrt(variance + epsilon) + beta` as one scale and one shift for each channel.
fn lower_batch_norm(
    norm: &BatchNormalization,
    input: &SymShape,
    slots: &[SlotId],
    packing: &mut Packing<'_>,
) -> Result<Option<Op>> {
    let last = match norm.axes.0[..] {
        [axis] => input.axis(axis)? + 1 == input.rank(),
        _ => false,
    };
    if !last {
        return Ok(None);
    }
    let first = usize::from(norm.scale) + usize::from(norm.center);
    let gamma = packing.optional(slots, norm.scale.then_some(0))?;
    let beta = packing.optional(slots, norm.center.then_some(usize::from(norm.scale)))?;
    let mean = packing.values(slot(slots, first)?)?;
    let variance = packing.values(slot(slots, first + 1)?)?;
    let mut scale: Vec<f32> = variance.iter().map(|v| 1.0 / (v + norm.epsilon).sqrt()).collect();
    if let Some(gamma) = gamma {
        scale.iter_mut().zip(gamma).for_each(|(s, g)| *s *= g);
    }
    let beta = beta.unwrap_or_else(|| vec![0.0; mean.len()]);
    let shift = beta.iter().zip(&mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
    Ok(Some(Op::ScaleShift { scale, shift }))
}

fn lower_layer_norm(
    norm: &LayerNormalization,
    input: &SymShape,
    slots: &[SlotId],
    packing: &mut Packing<'_>,
) -> Result<Option<Op>> {
    let last = match norm.axes.0[..] {
        [axis] => input.axis(axis)? + 1 == input.rank(),
        _ => false,
    };
    if !last || norm.rms_scaling {
        return Ok(None);
    }
    let gamma = packing.optional(slots, norm.scale.then_some(0))?;
    let beta = packing.optional(slots, norm.center.then_some(usize::from(norm.scale)))?;
    Ok(Some(Op::LayerNorm { epsilon: norm.epsilon, gamma, beta }))
}

fn lower_activation(activation: Activation) -> Option<Op> {
    match activation {
        Activation::Softmax => Some(Op::Softmax),
        Activation::Linear => Some(Op::Alias),
        other => kernel(other).map(Op::Activate),
    }
}

/// Arithmetic of two values that certainly have the same shape; broadcasting runs portable.
fn lower_merge(graph: &ModelGraph, node: &Node, kind: MergeKind) -> Option<Op> {
    let inputs = node.call.inputs();
    let [a, b] = inputs[..] else { return None };
    let (a, b) = (&graph.ty(*a).shape, &graph.ty(*b).shape);
    // The batch is the same for all of a model's values; another unknown axis might broadcast.
    let known = a.dims().iter().skip(1).all(Option::is_some);
    if a != b || !known || a.rank() < 2 {
        return None;
    }
    let op = match kind {
        MergeKind::Add => Binary::Add,
        MergeKind::Subtract => Binary::Sub,
        MergeKind::Multiply => Binary::Mul,
        MergeKind::Average => Binary::Average,
        MergeKind::Maximum => Binary::Max,
        MergeKind::Minimum => Binary::Min,
    };
    Some(Op::Binary { op, activation: KernelActivation::Linear })
}

fn slot(slots: &[SlotId], index: usize) -> Result<SlotId> {
    slots.get(index).copied().ok_or_else(|| Error::bug(format!("weight {index} of {} was not bound", slots.len())))
}

/// Packs weights that did not arrive so, a shared one once, and leaves the packed form as the one that is kept.
struct Packing<'a> {
    weights: &'a mut Weights,
    isa: Isa,
}

impl Packing<'_> {
    fn values(&self, slot: SlotId) -> Result<Vec<f32>> {
        self.weights.with_values(slot, <[f32]>::to_vec)
    }

    fn optional(&self, slots: &[SlotId], index: Option<usize>) -> Result<Option<Vec<f32>>> {
        index.map(|index| self.values(slot(slots, index)?)).transpose()
    }

    fn matrix(&mut self, id: SlotId) -> Result<Arc<PackedMatrix>> {
        if let Some(Packed::Matrix(packed)) = self.weights.packed(id) {
            return Ok(packed.clone());
        }
        let [k, n] = self.weights.dims(id)?;
        let packed = self.weights.with_values(id, |values| PackedMatrix::pack(self.isa, k, n, values))?;
        let packed = packed.map(Arc::new).map_err(refused)?;
        self.weights.keep_packed(id, Packed::Matrix(packed.clone()));
        Ok(packed)
    }

    fn conv(&mut self, id: SlotId, groups: usize) -> Result<Arc<PackedConv2d>> {
        if let Some(Packed::Conv(packed)) = self.weights.packed(id) {
            return Ok(packed.clone());
        }
        let dims: [usize; 4] = self.weights.dims(id)?;
        let packed = self.weights.with_values(id, |values| PackedConv2d::pack(self.isa, dims, groups, values))?;
        let packed = packed.map(Arc::new).map_err(refused)?;
        self.weights.keep_packed(id, Packed::Conv(packed.clone()));
        Ok(packed)
    }

    fn depthwise(&mut self, id: SlotId) -> Result<Arc<PackedDepthwise>> {
        if let Some(Packed::Depthwise(packed)) = self.weights.packed(id) {
            return Ok(packed.clone());
        }
        let dims: [usize; 4] = self.weights.dims(id)?;
        let packed = self.weights.with_values(id, |values| PackedDepthwise::pack(self.isa, dims, values))?;
        let packed = packed.map(Arc::new).map_err(refused)?;
        self.weights.keep_packed(id, Packed::Depthwise(packed.clone()));
        Ok(packed)
    }
}

fn refused(error: tfjs_kernels::KernelError) -> Error {
    Error::bug(format!("a weight cannot be packed: {error}"))
}
