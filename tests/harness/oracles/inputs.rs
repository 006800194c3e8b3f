//! Inputs for a model of any kind: shapes its declaration admits, values of its types.

use super::pool::Pool;
use tfjs::{DType, Device, Input, Inputs, LayersModel, Port, SymShape, Tensor, ValueType};

/// The most elements of an input that is worth the time.
const MOST: usize = 1 << 12;

/// What an unknown dimension may be.
pub(super) fn concrete(shape: &SymShape, unknown: usize) -> Option<Vec<usize>> {
    let batch = |i: usize| if i == 0 { 2 } else { unknown };
    let dims: Vec<usize> = shape.dims().iter().enumerate().map(|(i, dim)| dim.unwrap_or(batch(i))).collect();
    let elements = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    elements.is_some_and(|n| n <= MOST).then_some(dims)
}

/// An input for each of the model's, unknown dimensions of this size; `None` if one were too large.
pub(super) fn make(model: &LayersModel, unknown: usize, pool: Option<Pool<'_>>) -> Option<Inputs> {
    let inputs = model.inputs().map(|port| one(&port, unknown, pool));
    inputs.collect::<Option<Vec<Input>>>().map(Inputs::Positional)
}

/// Zeros, and empty words, without a pool.
fn one(port: &Port<'_>, unknown: usize, pool: Option<Pool<'_>>) -> Option<Input> {
    let dims = concrete(port.shape, unknown)?;
    let count = dims.iter().product();
    let byte = |i: usize| pool.map_or(0, |pool| pool.byte(i));
    if port.dtype == ValueType::String {
        let words = (0..count).map(|i| ["", "a", "b", "[UNK]", "the", "1"][usize::from(byte(i)) % 6]);
        return Input::strings(words, dims).ok();
    }
    let values: Vec<f32> = match (port.dtype, pool) {
        (_, None) => vec![0.0; count],
        (ValueType::Float, Some(pool)) => pool.floats(0, count).collect(),
        (ValueType::Bool, Some(_)) => (0..count).map(|i| f32::from(byte(i) % 2)).collect(),
        (_, Some(_)) => (0..count).map(|i| id(byte(i))).collect(),
    };
    let dtype = match port.dtype {
        ValueType::Float => DType::F32,
        _ => DType::I64,
    };
    Tensor::from_vec(values, dims, &Device::Cpu).and_then(|t| t.to_dtype(dtype)).ok().map(Input::Tensor)
}

/// A small number, for small tables; seldom a negative one or a large one.
fn id(byte: u8) -> f32 {
    match byte {
        0xff => -1.0,
        0xfe => 1000.0,
        byte => f32::from(byte % 3),
    }
}
