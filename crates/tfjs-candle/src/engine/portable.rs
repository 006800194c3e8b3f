//! Runs a graph node by node in candle operations, carrying masks as the descriptions say.

use crate::run::{OrBug, RunCx, run};
use crate::value::Value;
use candle_core::Tensor;
use tfjs_manifest::{Error, Result};
use tfjs_topology::call::{Arg, Call};
use tfjs_topology::graph::{ModelGraph, Node, SlotId};
use tfjs_topology::layer::MaskRule;

/// Runs a graph whose weights are `cx.weights`, in the order of its slots: what a wrapper does.
///
/// # Errors
/// What a layer says, at the layer.
pub fn run_graph(graph: &ModelGraph, cx: &RunCx<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    run_with(graph, cx, inputs, &|slot| cx.weight(slot.0).cloned())
}

/// Runs a graph with weights from wherever they are.
///
/// # Errors
/// What a layer says, at the layer.
pub fn run_with(
    graph: &ModelGraph,
    cx: &RunCx<'_>,
    inputs: &[Value],
    weight: &dyn Fn(SlotId) -> Result<Tensor>,
) -> Result<Vec<Value>> {
    let mut values: Vec<Option<Value>> = vec![None; graph.values.len()];
    if graph.inputs.len() != inputs.len() {
        return Err(Error::bug(format!("a graph of {} inputs is run with {}", graph.inputs.len(), inputs.len())));
    }
    for (port, value) in graph.inputs.iter().zip(inputs) {
        values[port.value.0] = Some(value.clone());
    }
    let mut uses = uses(graph);
    for node in &graph.nodes {
        let layer = graph.layer(node);
        let outputs = run_node(graph, node, cx, &values, weight).map_err(|e| e.at_layer(&layer.path))?;
        for (id, value) in node.outputs.iter().zip(outputs) {
            values[id.0] = Some(value);
        }
        // A value nobody needs any more gives its memory back.
        for id in node.call.tensors() {
            uses[id.0] -= 1;
            if uses[id.0] == 0 {
                values[id.0] = None;
            }
        }
    }
    let output = |id: usize| values[id].clone().ok_or_else(|| Error::bug("an output was not computed"));
    graph.outputs.iter().map(|port| output(port.value.0)).collect()
}

/// How often each value is needed; a model's outputs once more.
fn uses(graph: &ModelGraph) -> Vec<usize> {
    let mut uses = vec![0; graph.values.len()];
    let needed = graph.nodes.iter().flat_map(|node| node.call.tensors()).map(|id| id.0);
    needed.chain(graph.outputs.iter().map(|port| port.value.0)).for_each(|id| uses[id] += 1);
    uses
}

/// Runs one node, with the masks its description says.
pub(crate) fn run_node(
    graph: &ModelGraph,
    node: &Node,
    cx: &RunCx<'_>,
    values: &[Option<Value>],
    weight: &dyn Fn(SlotId) -> Result<Tensor>,
) -> Result<Vec<Value>> {
    let layer = graph.layer(node);
    let value = |id: &tfjs_topology::graph::ValueId| {
        values[id.0].clone().ok_or_else(|| Error::bug("a value is needed before it is computed"))
    };
    let call = with_explicit_mask(node.call.try_map(value)?)?;
    let weights = layer.slots.iter().map(|slot| weight(*slot)).collect::<Result<Vec<Tensor>>>()?;
    let outputs = run(&layer.callee, &cx.with_weights(&weights), &call)?;
    if outputs.len() != node.outputs.len() {
        return Err(Error::bug(format!("gave {} outputs, promised {}", outputs.len(), node.outputs.len())));
    }
    match output_mask(node.mask, &call)? {
        Some(mask) => Ok(outputs.into_iter().map(|v| v.with_mask(mask.clone())).collect()),
        None => Ok(outputs),
    }
}

/// Keras 3 writes masks as keyword arguments: `mask` is the mask of the inputs, whatever they carry.
fn with_explicit_mask(mut call: Call<Value>) -> Result<Call<Value>> {
    let masks: Vec<Option<Tensor>> = match call.kwarg("mask") {
        Some(Arg::Tensor(mask)) => vec![Some(mask.tensor()?.clone())],
        Some(Arg::List(masks)) => {
            masks.iter().map(|m| m.tensor().map(|v| v.tensor().cloned()).transpose()).collect::<Result<_>>()?
        }
        _ => return Ok(call),
    };
    let mut masks = masks.into_iter();
    for arg in &mut call.args {
        set_masks(arg, &mut masks);
    }
    Ok(call)
}

fn set_masks(arg: &mut Arg<Value>, masks: &mut impl Iterator<Item = Option<Tensor>>) {
    match arg {
        Arg::Tensor(value) => {
            if let Some(mask) = masks.next() {
                value.mask = mask;
            }
        }
        Arg::List(items) => items.iter_mut().for_each(|a| set_masks(a, masks)),
        Arg::Dict(items) => items.iter_mut().for_each(|(_, a)| set_masks(a, masks)),
        Arg::Const(_) => {}
    }
}

/// The mask the engine puts on the outputs; `None` where the layer has put its own. DIFFERENCE: in TensorFlow.js a
/// mask that was there once reaches every later layer.
fn output_mask(rule: MaskRule, call: &Call<Value>) -> Result<Option<Option<Tensor>>> {
    let inputs = call.inputs();
    let combine = |a: &Tensor, b: &Tensor| match rule {
        MaskRule::And => a.broadcast_minimum(b).or_bug(),
        _ => a.broadcast_maximum(b).or_bug(),
    };
    Ok(match rule {
        MaskRule::Compute => None,
        MaskRule::Pass => Some(inputs.first().and_then(|v| v.mask.clone())),
        MaskRule::Or if inputs.iter().any(|v| v.mask.is_none()) => Some(None),
        MaskRule::And | MaskRule::Or => {
            let mut masks = inputs.iter().filter_map(|v| v.mask.as_ref());
            let Some(first) = masks.next() else { return Ok(Some(None)) };
            Some(Some(masks.try_fold(first.clone(), |all, mask| combine(&all, mask))?))
        }
        _ => Some(None),
    })
}
