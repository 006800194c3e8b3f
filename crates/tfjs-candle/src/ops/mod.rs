//! The running half of every operation, at the same path as its description in `tfjs-topology`.

pub mod binary;
pub mod compare;
pub mod join;
pub mod matmul;
pub mod reduce;
pub mod select;
pub mod shape;
pub mod slice;
pub mod unary;

use crate::run::OrBug;
use crate::value::Value;
use candle_core::{DType, Device, Tensor};
use tfjs_manifest::{Error, Result};
use tfjs_topology::call::{Arg, Call};
use tfjs_topology::ops::binary::{operand_types, operands};
use tfjs_topology::ops::params::Constant;
use tfjs_topology::types::{SymShape, TensorType, ValueType};

/// The type of a tensor that is there.
fn type_of(tensor: &Tensor) -> TensorType {
    let dtype = match tensor.dtype() {
        DType::U8 => ValueType::Bool,
        DType::I64 => ValueType::Int64,
        DType::U32 | DType::I16 | DType::I32 => ValueType::Int32,
        _ => ValueType::Float,
    };
    TensorType { shape: SymShape(tensor.dims().iter().copied().map(Some).collect()), dtype }
}

/// A tensor as values of a type. Floating point keeps the precision it has; truth values are zeros and ones.
fn to_type(tensor: &Tensor, dtype: ValueType) -> Result<Tensor> {
    let wanted = match dtype {
        ValueType::Float if tensor.dtype().is_float() => return Ok(tensor.clone()),
        ValueType::Bool if tensor.dtype() == DType::U8 => return Ok(tensor.clone()),
        ValueType::Bool => return tensor.ne(0.0).or_bug(),
        ValueType::Int64 => DType::I64,
        ValueType::Int32 => DType::I32,
        _ => DType::F32,
    };
    tensor.to_dtype(wanted).or_bug()
}

/// A type in which arithmetic is done: 64 bits for whole numbers, truth values among them.
fn to_arithmetic(tensor: &Tensor, dtype: ValueType) -> Result<Tensor> {
    match dtype {
        ValueType::Float => to_type(tensor, ValueType::Float),
        _ => tensor.to_dtype(DType::I64).or_bug(),
    }
}

/// Both operands in the type they meet in, ready for arithmetic, and that type.
fn meet(call: &Call<Value>) -> Result<([Tensor; 2], ValueType)> {
    let types = call.try_map(|value| value.tensor().map(type_of))?;
    let (_, dtype) = operand_types(&types)?;
    let args = operands(call)?;
    let like = args.into_iter().find_map(Arg::tensor).ok_or_else(|| Error::bug("an operation without a tensor"))?;
    let like = like.tensor()?;
    let operand = |arg: &Arg<Value>| -> Result<Tensor> {
        match arg {
            Arg::Tensor(value) => to_arithmetic(value.tensor()?, dtype),
            Arg::Const(value) => constant(&Constant::read(value)?, dtype, like),
            _ => Err(Error::bug("an operand is a list")),
        }
    };
    let [a, b] = args;
    let (a, b) = (operand(a)?, operand(b)?);
    // Two precisions of floating point meet in the wider one.
    if a.dtype() == b.dtype() {
        return Ok(([a, b], dtype));
    }
    let wide = if a.dtype().size_in_bytes() >= b.dtype().size_in_bytes() { a.dtype() } else { b.dtype() };
    Ok(([a.to_dtype(wide).or_bug()?, b.to_dtype(wide).or_bug()?], dtype))
}

fn constant(constant: &Constant, dtype: ValueType, like: &Tensor) -> Result<Tensor> {
    let device: &Device = like.device();
    let values = Tensor::from_slice(&constant.values, constant.shape.dims(), &Device::Cpu).or_bug()?;
    let precision = if like.dtype().is_float() { like.dtype() } else { DType::F32 };
    let wanted = if dtype == ValueType::Float { precision } else { DType::I64 };
    values.to_dtype(wanted).or_bug()?.to_device(device).or_bug()
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::custom::CustomLayers;
    use crate::run::{RunCx, run};
    use serde_json::{Value as Json, json};
    use tfjs_topology::graph::Callee;
    use tfjs_topology::ops::Op;
    use tfjs_topology::producer::{Family, Producer};
    use tfjs_topology::read::ReadCx;

    /// Runs an operation and compares its values; the type found must be the one inferred.
    #[track_caller]
    pub(crate) fn check(op: &str, config: Json, args: Vec<Arg<Tensor>>, dims: &[usize], expect: &[f64]) {
        let out = run_op(op, config, args).unwrap();
        assert_eq!(out.dims(), dims);
        let found: Vec<f64> = out.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let near = |(a, b): (&f64, &f64)| a == b || (a - b).abs() < 1e-6 || (a.is_nan() && b.is_nan());
        assert!(found.len() == expect.len() && found.iter().zip(expect).all(near), "{found:?}, expected {expect:?}");
    }

    #[track_caller]
    pub(crate) fn run_op(op: &str, config: Json, args: Vec<Arg<Tensor>>) -> Result<Tensor> {
        let producer = Producer::of(Family::Keras3);
        let op = Op::read(op, config.as_object().unwrap(), &ReadCx::new(&producer)).unwrap();
        let call = Call { args, kwargs: Vec::new() };
        let types = op.def().infer(&call.try_map(|t| Ok::<_, Error>(type_of(t)))?)?;
        let call = call.try_map(|t| Ok::<_, Error>(Value::new(t.clone())))?;
        let custom = CustomLayers::new();
        let cx = RunCx { weights: &[], training: false, custom: &custom };
        let out = run(&Callee::Op(op), &cx, &call)?.remove(0);
        let out = out.tensor()?.clone();
        assert_eq!(type_of(&out), types[0]);
        Ok(out)
    }

    /// Floats.
    pub(crate) fn f(values: &[f32], dims: &[usize]) -> Arg<Tensor> {
        Arg::Tensor(Tensor::from_slice(values, dims, &Device::Cpu).unwrap())
    }

    /// Whole numbers.
    pub(crate) fn i(values: &[i32], dims: &[usize]) -> Arg<Tensor> {
        Arg::Tensor(Tensor::from_slice(values, dims, &Device::Cpu).unwrap())
    }

    /// Truth values.
    pub(crate) fn b(values: &[u8], dims: &[usize]) -> Arg<Tensor> {
        Arg::Tensor(Tensor::from_slice(values, dims, &Device::Cpu).unwrap())
    }

    /// A constant.
    pub(crate) fn c(value: impl Into<Json>) -> Arg<Tensor> {
        Arg::Const(value.into())
    }

    /// No configuration.
    pub(crate) fn none() -> Json {
        json!({})
    }
}
