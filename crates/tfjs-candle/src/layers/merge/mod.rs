//! Layers that make one value of several.

pub mod arithmetic;
pub mod concatenate;

use crate::value::Value;
use candle_core::{DType, Tensor};
use tfjs_manifest::Result;
use tfjs_topology::call::Call;

use crate::run::OrBug;

/// The inputs of a call, as floating point unless all are of one integer type.
fn tensors(call: &Call<Value>, keep_whole: bool) -> Result<Vec<Tensor>> {
    let inputs: Vec<&Tensor> = call.inputs().into_iter().map(Value::tensor).collect::<Result<_>>()?;
    let first = inputs.first().map(|x| x.dtype());
    let same = inputs.iter().all(|x| Some(x.dtype()) == first);
    if same && (keep_whole || first.is_some_and(|d| d.is_float())) {
        return Ok(inputs.into_iter().cloned().collect());
    }
    let float = inputs.iter().map(|x| x.dtype()).find(DType::is_float).unwrap_or(DType::F32);
    inputs.into_iter().map(|x| x.to_dtype(float).or_bug()).collect()
}
