//! Sums, means, extremes over axes.
//!
//! Reference: `keras.ops.mean`, `tf.reduce_mean`, and their relatives.

use super::FromOpConfig;
use super::args::{Args, is_integer, to_type};
use super::params::Params;
use super::sizes;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, element, value_type};
use crate::types::ValueType;
use tfjs_ir::Dim;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_manifest::{Error, Result};

/// A reduction over some axes, or all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduce {
    /// The reduction.
    pub kind: ReduceKind,
    /// `axis`, `keepdims`.
    pub params: Params,
}

/// The reductions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReduceKind {
    /// The sum.
    Sum,
    /// The mean.
    Mean,
    /// The mean; for integers, truncated to an integer.
    IntegerMean,
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// The product.
    Prod,
    /// Whether any is nonzero.
    Any,
    /// Whether all are nonzero.
    All,
}

impl FromOpConfig for Reduce {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let kind = match class {
            "Sum" => ReduceKind::Sum,
            "Mean" => ReduceKind::Mean,
            "IntegerMean" => ReduceKind::IntegerMean,
            "Max" | "Amax" => ReduceKind::Max,
            "Min" | "Amin" => ReduceKind::Min,
            "Prod" => ReduceKind::Prod,
            "Any" => ReduceKind::Any,
            "All" => ReduceKind::All,
            other => return Err(Error::bug(format!("`{other}` is listed as a reduction"))),
        };
        Ok(Reduce { kind, params: Params::read(config) })
    }
}

impl ReduceKind {
    /// The reduction for values of a type, and the type in which it is computed.
    fn op(self, dtype: ValueType) -> (ReduceOp, ValueType) {
        match (self, dtype) {
            (ReduceKind::Any, _) | (ReduceKind::Max, ValueType::Bool) => (ReduceOp::Any, ValueType::Bool),
            (ReduceKind::All, _) | (ReduceKind::Min, ValueType::Bool) => (ReduceOp::All, ValueType::Bool),
            (ReduceKind::Mean | ReduceKind::IntegerMean, _) => (ReduceOp::Mean, ValueType::Float),
            (ReduceKind::Sum, ValueType::Bool) => (ReduceOp::Sum, ValueType::Int32),
            (ReduceKind::Prod, ValueType::Bool) => (ReduceOp::Prod, ValueType::Int32),
            (ReduceKind::Sum, _) => (ReduceOp::Sum, dtype),
            (ReduceKind::Prod, _) => (ReduceOp::Prod, dtype),
            (ReduceKind::Max, _) => (ReduceOp::Max, dtype),
            (ReduceKind::Min, _) => (ReduceOp::Min, dtype),
        }
    }
}

impl ReduceKind {
    /// The reduction of a vector of sizes; `None` if it is no expression of dimensions.
    fn of_sizes(self, cx: &mut LowerCx<'_>, sizes: &[Dim]) -> Option<Vec<Dim>> {
        let dims = cx.dims();
        let mut rest = sizes.iter().copied();
        let reduced = match self {
            ReduceKind::Prod => dims.product(sizes).ok()?,
            ReduceKind::Sum => rest.try_fold(Dim::ZERO, |sum, size| dims.add(sum, size).ok())?,
            ReduceKind::Max => {
                let first = rest.next()?;
                rest.try_fold(first, |largest, size| dims.max(largest, size).ok())?
            }
            ReduceKind::Min => {
                let first = rest.next()?;
                rest.try_fold(first, |least, size| dims.min(least, size).ok())?
            }
            _ => return None,
        };
        Some(vec![reduced])
    }
}

impl LayerDef for Reduce {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let input = args.numbers(cx, &["input_tensor", "input"])?;
        let (input, input_sizes) = (input.value, input.sizes.clone());
        let axes = args.axes(cx, &["axis", "reduction_indices"], Some(1), input)?;
        let axes = axes.unwrap_or_else(|| (0..cx.ty(input).rank()).collect());
        let keep = args.or(&["keepdims", "keep_dims"], Some(2), false)?;
        let (op, dtype) = self.kind.op(value_type(cx.ty(input).element));
        let x = to_type(cx, input, dtype)?;
        if axes.contains(&0) {
            cx.mixes_batch();
        }
        let mut value = cx.reduce(op, x, &axes, keep)?;
        if let Some(initial) = args.opt::<f64>(&["initial"], None)? {
            let op = match op {
                ReduceOp::Max => BinaryOp::Max,
                ReduceOp::Min => BinaryOp::Min,
                _ => return Err(Error::unsupported("`initial` of this reduction is not supported")),
            };
            value = cx.binary_scalar(op, value, initial)?;
        }
        let own = value_type(cx.ty(input).element);
        if self.kind == ReduceKind::IntegerMean && is_integer(own) {
            value = cx.cast(value, element(own))?;
        }
        match sizes::dtype(&args, &["dtype"], None)? {
            // QUIRK(keras): on TensorFlow, the result of `prod` has the type of its argument, whatever `dtype` says.
            Some(_) if self.kind == ReduceKind::Prod => {}
            Some(dtype) => value = to_type(cx, value, dtype)?,
            None => {}
        }
        let sizes = input_sizes.filter(|_| !keep && axes.len() == 1).and_then(|sizes| self.kind.of_sizes(cx, &sizes));
        let sizes = sizes.filter(|_| cx.ty(value).element.is_integer());
        args.finish(cx);
        Ok(vec![KerasTensor { sizes, ..KerasTensor::from(value) }])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused_with};
    use serde_json::json;

    #[test]
    fn axes_go_or_stay() {
        check("Mean", json!({"axis": 1, "keepdims": false}), json!(["f:?,3,4"]), json!({}), "float32[?,4]");
        check("Mean", json!({"axis": [1, -1], "keepdims": true}), json!(["i:?,3,4"]), json!({}), "float32[?,1,1]");
        check("Sum", json!({}), json!(["f:?,3"]), json!({"axis": -1}), "float32[?]");
        check("Max", json!({"axis": null}), json!(["f:?,3"]), json!({}), "float32[]");
        check("Any", json!({"axis": -1}), json!(["b:?,3"]), json!({}), "bool[?]");
        let message = "`axis` 5 does not exist in shape [?,3]";
        refused_with("Max", json!({"axis": 5}), json!(["f:?,3"]), message);
        refused_with("Max", json!({"axis": [1, -1]}), json!(["f:?,3"]), "an axis is given twice");
    }
}
