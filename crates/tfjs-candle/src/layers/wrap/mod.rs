//! Layers around a layer or a model: the inner graph runs in the portable engine.

pub mod bidirectional;
pub mod time_distributed;

use crate::value::{Data, Value};
use candle_core::DType;
use tfjs_topology::types::{SymShape, TensorType, ValueType};

/// The type of a value that is there.
fn type_of(value: &Value) -> TensorType {
    let dtype = match &value.data {
        Data::Strings(_) => ValueType::String,
        Data::Tensor(tensor) => match tensor.dtype() {
            DType::U8 => ValueType::Bool,
            DType::I64 => ValueType::Int64,
            DType::U32 | DType::I16 | DType::I32 => ValueType::Int32,
            _ => ValueType::Float,
        },
    };
    TensorType { shape: SymShape(value.dims().iter().copied().map(Some).collect()), dtype }
}
