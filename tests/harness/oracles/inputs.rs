//! Inputs for any model, with shapes and types that its inputs accept.

use super::pool::Pool;
use tfjs::{DType, Device, Input, Inputs, LayersModel, Port, SymShape, Tensor, ValueType};

/// Most elements of an input, to limit the time.
const MOST: usize = 1 << 12;

/// The shape with a batch of two and `unknown` for other unknown dimensions; `None` if it is too large.
pub(super) fn concrete(shape: &SymShape, unknown: usize) -> Option<Vec<usize>> {
    let batch = |i: usize| if i == 0 { 2 } else { unknown };
    let dims: Vec<usize> = shape.dims().iter().enumerate().map(|(i, dim)| dim.unwrap_or(batch(i))).collect();
    let elements = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    elements.is_some_and(|n| n <= MOST).then_some(dims)
}

/// A value for each input of the model, with unknown dimensions of this size; `None` if one would be too large.
pub(super) fn make(model: &LayersModel, unknown: usize, pool: Option<Pool<'_>>) -> Option<Inputs> {
    let inputs = model.inputs().map(|port| one(&port, unknown, pool));
    inputs.collect::<Option<Vec<Input>>>().map(Inputs::Positional)
}

/// Without a pool, zeros or empty strings.
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

/// Mostly a small number, which is an index of a small table; sometimes a negative or a large number.
fn id(byte: u8) -> f32 {
    match byte {
        0xff => -1.0,
        0xfe => 1000.0,
        byte => f32::from(byte % 3),
    }
}
