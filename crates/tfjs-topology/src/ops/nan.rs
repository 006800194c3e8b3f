//! Reductions and cumulative functions that ignore NaN.
//!
//! Reference: `keras.ops.nanmean` and its relatives.

use super::FromOpConfig;
use super::args::{Args, flat, to_type, without_axes};
use super::params::Params;
use super::sizes;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, value_type};
use crate::types::ValueType;
use tfjs_ir::prim::elementwise::UnaryOp;
use tfjs_ir::prim::reduce::{Extreme, ReduceOp, RunningOp};
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// A reduction that ignores NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct Nan {
    /// The reduction.
    pub kind: NanKind,
    /// `axis`, `keepdims`, `dtype`.
    pub params: Params,
}

/// The reductions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NanKind {
    /// The sum.
    Sum,
    /// The product.
    Prod,
    /// The largest; NaN if all are NaN.
    Max,
    /// The smallest; NaN if all are NaN.
    Min,
    /// The mean.
    Mean,
    /// The mean squared distance from the mean.
    Variance,
    /// The standard deviation.
    Deviation,
    /// The position of the largest; -1 if all are NaN.
    ArgMax,
    /// The position of the smallest; -1 if all are NaN.
    ArgMin,
    /// The cumulative sum.
    CumSum,
    /// The cumulative product.
    CumProd,
}

impl FromOpConfig for Nan {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use NanKind as K;
        let kind = match class {
            "Nansum" => K::Sum,
            "Nanprod" => K::Prod,
            "Nanmax" => K::Max,
            "Nanmin" => K::Min,
            "Nanmean" => K::Mean,
            "Nanvar" => K::Variance,
            "Nanstd" => K::Deviation,
            "Nanargmax" => K::ArgMax,
            "Nanargmin" => K::ArgMin,
            "Nancumsum" => K::CumSum,
            "Nancumprod" => K::CumProd,
            other => return Err(Error::bug(format!("`{other}` is listed as a reduction without NaN"))),
        };
        Ok(Nan { kind, params: Params::read(config) })
    }
}

/// Replaces NaN by a number. Also returns which values are not NaN.
fn filled(cx: &mut LowerCx<'_>, x: Value, number: f64) -> Result<(Value, Value)> {
    let dims = cx.dims_of(x);
    if !cx.ty(x).element.is_float() {
        let all = cx.full(ElementType::Bool, &dims, 1.0)?;
        return Ok((x, all));
    }
    let nan = cx.unary(UnaryOp::IsNan, x)?;
    let number = cx.scalar_like(x, number)?;
    let value = cx.select(nan, number, x)?;
    Ok((value, cx.unary(UnaryOp::Not, nan)?))
}

/// The mean along axes, which are kept, and the number of values in it.
fn mean(cx: &mut LowerCx<'_>, x: Value, axes: &[usize]) -> Result<(Value, Value)> {
    let (value, valid) = filled(cx, x, 0.0)?;
    let sum = cx.reduce(ReduceOp::Sum, value, axes, true)?;
    let valid = cx.cast_like(valid, x)?;
    let count = cx.reduce(ReduceOp::Sum, valid, axes, true)?;
    Ok((cx.div(sum, count)?, count))
}

impl Nan {
    /// An extreme along axes, which are kept; NaN or another value if all are NaN.
    fn extreme(&self, cx: &mut LowerCx<'_>, x: Value, axes: &[usize]) -> Result<Value> {
        let (op, nothing) = match self.kind {
            NanKind::Max => (ReduceOp::Max, f64::NEG_INFINITY),
            _ => (ReduceOp::Min, f64::INFINITY),
        };
        let (value, valid) = filled(cx, x, nothing)?;
        let found = cx.reduce(op, value, axes, true)?;
        if !cx.ty(x).element.is_float() {
            return Ok(found);
        }
        let any = cx.reduce(ReduceOp::Any, valid, axes, true)?;
        super::elementary::where_or(cx, any, found, f64::NAN)
    }

    /// The position of an extreme along an axis, which is kept.
    fn position(&self, cx: &mut LowerCx<'_>, x: Value, axis: usize) -> Result<Value> {
        let (op, nothing) = match self.kind {
            NanKind::ArgMax => (Extreme::Max, f64::NEG_INFINITY),
            _ => (Extreme::Min, f64::INFINITY),
        };
        let (value, valid) = filled(cx, x, nothing)?;
        let found = cx.arg_reduce(op, value, axis, ElementType::I32)?;
        let found = cx.insert_axis(found, axis)?;
        let any = cx.reduce(ReduceOp::Any, valid, &[axis], true)?;
        super::elementary::where_or(cx, any, found, -1.0)
    }

    fn reduced(&self, cx: &mut LowerCx<'_>, x: Value, axes: &[usize]) -> Result<Value> {
        use NanKind as K;
        match self.kind {
            K::Sum | K::Prod => {
                let (op, neutral) = if self.kind == K::Sum { (ReduceOp::Sum, 0.0) } else { (ReduceOp::Prod, 1.0) };
                let (value, _) = filled(cx, x, neutral)?;
                cx.reduce(op, value, axes, true)
            }
            K::Max | K::Min => self.extreme(cx, x, axes),
            K::Mean => {
                let x = cx.to_float(x)?;
                Ok(mean(cx, x, axes)?.0)
            }
            _ => {
                let x = cx.to_float(x)?;
                let (mean, count) = mean(cx, x, axes)?;
                let distance = cx.sub(x, mean)?;
                let (distance, _) = filled(cx, distance, 0.0)?;
                let squares = cx.mul(distance, distance)?;
                let sum = cx.reduce(ReduceOp::Sum, squares, axes, true)?;
                let variance = cx.div(sum, count)?;
                if self.kind == K::Variance { Ok(variance) } else { cx.unary(UnaryOp::Sqrt, variance) }
            }
        }
    }

    fn running(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value, axis: usize) -> Result<Value> {
        let own = value_type(cx.ty(x).element);
        let dtype = sizes::dtype(args, &["dtype"], None)?.unwrap_or(own);
        let (op, neutral) = if self.kind == NanKind::CumSum { (RunningOp::Sum, 0.0) } else { (RunningOp::Prod, 1.0) };
        let (value, _) = filled(cx, x, neutral)?;
        let value = to_type(cx, value, dtype)?;
        cx.cumulative(op, value, axis, false, false)
    }
}

impl LayerDef for Nan {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use NanKind as K;
        let args = Args::new(&self.params, call);
        let input = args.numbers(cx, &[])?.value;
        let is_bool = cx.ty(input).element == ElementType::Bool;
        let x = if is_bool { cx.cast(input, ElementType::I32)? } else { input };
        let rank = cx.ty(x).rank();
        let keep = args.or(&["keepdims"], None, false)?;
        let value = match self.kind {
            K::ArgMax | K::ArgMin | K::CumSum | K::CumProd => {
                let (x, axis) = match args.axis(cx, &["axis"], Some(1), x)? {
                    Some(axis) => (x, axis),
                    None => (flat(cx, x)?, 0),
                };
                if axis == 0 {
                    cx.mixes_batch();
                }
                match self.kind {
                    K::CumSum | K::CumProd => self.running(cx, &args, x, axis)?,
                    _ => {
                        let found = self.position(cx, x, axis)?;
                        match (keep, cx.ty(x).rank() == rank) {
                            (true, true) => found,
                            (true, false) => cx.reshape(found, &vec![Dim::ONE; rank])?,
                            (false, _) => cx.remove_axis(found, axis)?,
                        }
                    }
                }
            }
            _ => {
                let axes = args.axes(cx, &["axis"], Some(1), x)?.unwrap_or_else(|| (0..rank).collect());
                if axes.contains(&0) {
                    cx.mixes_batch();
                }
                let value = self.reduced(cx, x, &axes)?;
                let value = without_axes(cx, value, &axes, keep)?;
                match self.kind {
                    K::Max | K::Min if is_bool => to_type(cx, value, ValueType::Bool)?,
                    _ => value,
                }
            }
        };
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused_with};
    use serde_json::json;

    #[test]
    fn types() {
        check("Nanmean", json!({"axis": 1, "keepdims": true}), json!(["i:?,3,4"]), json!({}), "float32[?,1,4]");
        check("Nansum", json!({"axis": [1, -1]}), json!(["i:?,3,4"]), json!({}), "int32[?]");
        check("Nanmax", json!({"axis": null}), json!(["b:?,3"]), json!({}), "bool[]");
        check("Nanargmax", json!({"axis": -1}), json!(["f:?,3"]), json!({}), "int32[?]");
        check("Nanargmin", json!({"axis": null, "keepdims": true}), json!(["f:?,3"]), json!({}), "int32[1,1]");
        check("Nancumsum", json!({"axis": null}), json!(["f:2,3"]), json!({}), "float32[6]");
        refused_with("Nanvar", json!({"axis": 2}), json!(["f:?,3"]), "`axis` 2 does not exist in shape [?,3]");
    }
}
