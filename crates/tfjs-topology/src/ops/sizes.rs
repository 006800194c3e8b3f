//! Sizes: integers that a graph computes from the shapes of its tensors, which stand where numbers may.
//!
//! Reference: `tf.shape`, `keras.ops.shape`. A size may be negative: `x[:, -tf.shape(y)[1]:]`.

use super::FromOpConfig;
use super::args::Args;
use super::binary::BinaryKind;
use super::params::{Constant, Numbers, Params};
use crate::call::{Arg, Call};
use crate::config::{Config, FromJson};
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, element};
use crate::types::{TensorType, ValueType};
use serde_json::Value as Json;
use tfjs_ir::Dim;
use tfjs_manifest::{Error, Result};

/// `Shape`: the dimensions of a tensor as a vector of integers.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// `out_type`.
    pub params: Params,
}

impl FromOpConfig for Shape {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Shape { params: Params::read(config) })
    }
}

impl LayerDef for Shape {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let input = args.subject(&[])?;
        let dtype = dtype(&args, &["out_type", "dtype"], None)?.unwrap_or(ValueType::Int32);
        if !matches!(dtype, ValueType::Int32 | ValueType::Int64) {
            return Err(Error::unsupported(format!("a shape as `{}` is not supported", dtype.name())));
        }
        let dims = cx.dims_of(input.value);
        let value = cx.sizes(&dims, element(dtype))?;
        // The size of the batch says what else is in it.
        cx.mixes_batch();
        args.finish(cx);
        Ok(vec![KerasTensor { sizes: Some(dims), ..KerasTensor::from(value) }])
    }

    fn infer(&self, _call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        Err(not_inferred())
    }
}

/// The answer of operations on sizes where nothing is lowered.
pub(super) fn not_inferred() -> Error {
    Error::unsupported("sizes that a graph computes from its shapes are not supported")
}

/// A parameter that names a type.
///
/// # Errors
/// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a type nobody knows.
pub fn dtype(args: &Args<'_>, names: &[&'static str], position: Option<usize>) -> Result<Option<ValueType>> {
    let Some(name) = args.opt::<String>(names, position)? else { return Ok(None) };
    let known = ValueType::from_keras(&name).filter(|&t| t != ValueType::String);
    known.map(Some).ok_or_else(|| Error::unsupported(format!("unknown `dtype` `{name}`")))
}

/// A number, which may be negative.
///
/// # Errors
/// [`Kind::Limit`](tfjs_manifest::Kind::Limit) for one that is too large.
pub fn number(cx: &mut LowerCx<'_>, n: i64) -> Result<Dim> {
    let magnitude = cx.dims().number(n.unsigned_abs());
    if n < 0 { cx.dims().sub(Dim::ZERO, magnitude) } else { Ok(magnitude) }
}

/// One number or a list of them.
///
/// # Errors
/// What is no whole number.
pub fn of_json(cx: &mut LowerCx<'_>, value: &Json) -> Result<Vec<Dim>> {
    let Numbers(numbers) = Numbers::from_json(value)?;
    numbers.into_iter().map(|n| number(cx, n)).collect()
}

/// The sizes an argument consists of; `None` if a tensor's numbers follow from data.
///
/// # Errors
/// What is no whole number.
pub fn of_arg(cx: &mut LowerCx<'_>, arg: &Arg<KerasTensor>) -> Result<Option<Vec<Dim>>> {
    match arg {
        Arg::Tensor(tensor) => Ok(tensor.sizes.clone()),
        Arg::Const(value) => of_json(cx, value).map(Some),
        Arg::List(items) => of_args(cx, items),
        Arg::Dict(_) => Ok(None),
    }
}

/// The sizes that several arguments consist of, one after the other.
///
/// # Errors
/// As [`of_arg`].
pub fn of_args(cx: &mut LowerCx<'_>, args: &[Arg<KerasTensor>]) -> Result<Option<Vec<Dim>>> {
    let mut sizes = Vec::with_capacity(args.len());
    for arg in args {
        let Some(more) = of_arg(cx, arg)? else { return Ok(None) };
        sizes.extend(more);
    }
    Ok(Some(sizes))
}

/// The sizes a constant is, if it is a whole number or a list of them.
pub fn of_constant(cx: &mut LowerCx<'_>, constant: &Constant) -> Option<Vec<Dim>> {
    if constant.shape.dims().len() > 1 {
        return None;
    }
    constant.values.iter().map(|&x| number(cx, x as i64).ok()).collect()
}

/// Arithmetic of sizes, which broadcast as vectors do. `None` where the result is no expression of dimensions.
pub fn binary(cx: &mut LowerCx<'_>, kind: BinaryKind, a: &[Dim], b: &[Dim]) -> Option<Vec<Dim>> {
    let length = match (a.len(), b.len()) {
        (a, b) if a == b => a,
        (1, n) | (n, 1) => n,
        _ => return None,
    };
    let at = |sizes: &[Dim], i: usize| sizes[if sizes.len() == 1 { 0 } else { i }];
    (0..length).map(|i| of_pair(cx, kind, at(a, i), at(b, i))).collect()
}

fn of_pair(cx: &mut LowerCx<'_>, kind: BinaryKind, a: Dim, b: Dim) -> Option<Dim> {
    let divisor = cx.program().dims.known(b);
    let dims = cx.dims();
    match (kind, divisor) {
        (BinaryKind::Add, _) => dims.add(a, b).ok(),
        (BinaryKind::Subtract, _) => dims.sub(a, b).ok(),
        (BinaryKind::Multiply, _) => dims.mul(a, b).ok(),
        (BinaryKind::Maximum, _) => dims.max(a, b).ok(),
        (BinaryKind::Minimum, _) => dims.min(a, b).ok(),
        (BinaryKind::FloorDivide, Some(divisor)) => dims.div_floor(a, divisor).ok(),
        (BinaryKind::FloorDivide, None) => dims.div_exact(a, b),
        (BinaryKind::Mod, Some(divisor)) => {
            let quotient = dims.div_floor(a, divisor).ok()?;
            let whole = dims.mul(quotient, b).ok()?;
            dims.sub(a, whole).ok()
        }
        _ => None,
    }
}

/// Sizes as messages show them: numbers, `?` for everything else.
pub fn text(cx: &LowerCx<'_>, sizes: &[Dim]) -> String {
    let sizes: Vec<String> = sizes.iter().map(|&size| cx.program().dims.display(size)).collect();
    format!("[{}]", sizes.join(", "))
}
