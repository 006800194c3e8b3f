//! The interpreter's evaluation of a node, for what candle has no exact operation: on the host, on any device's values.

use super::Results;
use super::error::Result;
use super::execute::Site;
use super::typed::Typed;
use tfjs_ir::{Array, evaluate_node};

/// Evaluates a node with the interpreter.
///
/// Text, the arithmetic of integers, and functions that are rare in models: what they cost is a copy to the host and
/// back.
pub(super) fn evaluate(site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
    let arrays = operands.iter().map(Typed::to_array).collect::<Result<Vec<Array>>>()?;
    let arrays: Vec<&Array> = arrays.iter().collect();
    let results = evaluate_node(site.env.program, site.node, &arrays, site.env.call.bound)?;
    results.iter().map(|array| Typed::from_array(array, site.device()).map(Some)).collect()
}
