//! Evaluates nodes on the host with the interpreter, where candle has no exact operation.

use super::Results;
use super::error::Result;
use super::execute::Site;
use super::typed::Typed;
use tfjs_ir::{Array, evaluate_node};

/// Evaluates a node with the interpreter.
///
/// Used for text, integer arithmetic, and functions that are rare in models. The cost is a copy to the host and
/// back.
pub(super) fn evaluate(site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
    let arrays = operands.iter().map(Typed::to_array).collect::<Result<Vec<Array>>>()?;
    let arrays: Vec<&Array> = arrays.iter().collect();
    let results = evaluate_node(site.env.program, site.node, &arrays, site.env.call.bound, site.deadline())?;
    results.iter().map(|array| Typed::from_array(array, site.device()).map(Some)).collect()
}
