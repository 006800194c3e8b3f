//! Operations along an axis by order or size: positions of extremes, sorting, top-k, cumulative functions, differences.
//!
//! Reference: `keras.ops.argmax`, `keras.ops.top_k`, `keras.ops.cumsum` and their relatives; `tf.sort`, `tf.math.cumsum`.

use super::FromOpConfig;
use super::args::{Args, flat, to_type};
use super::params::{Params, summed};
use super::sizes;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, element, value_type};
use crate::types::ValueType;
use tfjs_ir::prim::elementwise::{CompareOp, UnaryOp};
use tfjs_ir::prim::layout::Range;
use tfjs_ir::prim::reduce::{Extreme, RunningOp};
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Limits, Result};

/// An operation along one axis that depends on the order or size of the elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The operation.
    pub kind: OrderKind,
    /// `axis`, `keepdims`, `k`, `direction`, `exclusive`, `reverse`, `n`.
    pub params: Params,
}

/// The operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKind {
    /// The position of the largest.
    ArgMax,
    /// The position of the smallest.
    ArgMin,
    /// Sorts the elements.
    Sort,
    /// The original positions of the sorted elements.
    ArgSort,
    /// The largest elements, and their positions.
    TopK,
    /// The cumulative sum.
    CumSum,
    /// The cumulative product.
    CumProd,
    /// The differences of neighbours.
    Diff,
    /// The original positions of the smallest elements, then those of the others.
    ArgPartition,
}

impl FromOpConfig for Order {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use OrderKind as K;
        let kind = match class {
            "Argmax" => K::ArgMax,
            "Argmin" => K::ArgMin,
            "Sort" => K::Sort,
            "Argsort" => K::ArgSort,
            "TopK" => K::TopK,
            "Cumsum" => K::CumSum,
            "Cumprod" => K::CumProd,
            "Diff" => K::Diff,
            "Argpartition" => K::ArgPartition,
            other => return Err(Error::bug(format!("`{other}` is listed as an operation of order"))),
        };
        Ok(Order { kind, params: Params::read(config) })
    }
}

/// The first elements of the last axis.
fn first_columns(cx: &mut LowerCx<'_>, x: Value, count: Dim) -> Result<Value> {
    let last = cx.ty(x).rank().saturating_sub(1);
    cx.slice_axis(x, last, Range { start: Dim::ZERO, len: count, step: 1 })
}

impl Order {
    fn position(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value, axis: usize, rank: usize) -> Result<Value> {
        let dtype = sizes::dtype(args, &["output_type"], None)?.unwrap_or(ValueType::Int32);
        if !super::args::is_integer(dtype) {
            return Err(Error::unsupported(format!("positions as `{}` are not supported", dtype.name())));
        }
        let op = if self.kind == OrderKind::ArgMax { Extreme::Max } else { Extreme::Min };
        let found = cx.arg_reduce(op, x, axis, element(dtype))?;
        if !args.or(&["keepdims", "keep_dims"], None, false)? {
            return Ok(found);
        }
        if rank == cx.ty(x).rank() { cx.insert_axis(found, axis) } else { cx.reshape(found, &vec![Dim::ONE; rank]) }
    }

    fn sorted(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value, axis: usize) -> Result<Value> {
        let direction: String = args.or(&["direction"], Some(2), "ASCENDING".to_string())?;
        let descending = match direction.as_str() {
            "ASCENDING" => false,
            "DESCENDING" => true,
            other => return Err(Error::malformed(format!("expected a direction, found `{other}`"))),
        };
        args.inert(&["stable"]);
        let (values, places) = cx.sort(x, axis, descending)?;
        if self.kind == OrderKind::Sort { Ok(values) } else { cx.cast(places, ElementType::I32) }
    }

    fn largest(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Vec<Value>> {
        // The largest elements come first in either case.
        args.inert(&["sorted"]);
        let count = match args.sizes(cx, &["k"], Some(1))?.as_deref() {
            None => Dim::ONE,
            Some(&[count]) => count,
            Some(_) => return Err(Error::malformed("expected a number as `k`")),
        };
        let dtype = sizes::dtype(args, &["index_type"], None)?.unwrap_or(ValueType::Int32);
        let last = cx.axis(-1, x)?;
        let length = cx.dims_of(x)[last];
        if !cx.at_least(count, Dim::ZERO) || !cx.at_least(length, count) {
            let (count, shape) = (sizes::text(cx, &[count]), cx.shape(x));
            return Err(Error::malformed(format!("expected at least `k` = {count} elements, found shape {shape}")));
        }
        if last == 0 {
            cx.mixes_batch();
        }
        let (values, places) = cx.sort(x, last, true)?;
        let (values, places) = (first_columns(cx, values, count)?, first_columns(cx, places, count)?);
        Ok(vec![values, to_type(cx, places, dtype)?])
    }

    fn running(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value, axis: usize) -> Result<Value> {
        let own = summed(value_type(cx.ty(x).element));
        let dtype = sizes::dtype(args, &["dtype"], None)?.unwrap_or(own);
        let x = to_type(cx, x, dtype)?;
        let op = if self.kind == OrderKind::CumSum { RunningOp::Sum } else { RunningOp::Prod };
        let reverse = args.or(&["reverse"], Some(3), false)?;
        let exclusive = args.or(&["exclusive"], Some(2), false)?;
        cx.cumulative(op, x, axis, reverse, exclusive)
    }

    fn differences(cx: &mut LowerCx<'_>, args: &Args<'_>, mut x: Value, axis: usize) -> Result<Value> {
        let times: usize = args.or(&["n"], Some(1), 1)?;
        Limits::check("differences of differences", times as u64, 1 << 10)?;
        for _ in 0..times {
            let length = cx.dims_of(x)[axis];
            // An empty axis has no differences.
            let less = cx.dims().sub(length, Dim::ONE)?;
            let len = cx.dims().max(less, Dim::ZERO)?;
            let start = cx.dims().min(Dim::ONE, length)?;
            let after = cx.slice_axis(x, axis, Range { start, len, step: 1 })?;
            let before = cx.slice_axis(x, axis, Range { start: Dim::ZERO, len, step: 1 })?;
            x = if cx.ty(x).element == ElementType::Bool {
                cx.compare(CompareOp::Ne, after, before)?
            } else {
                cx.sub(after, before)?
            };
        }
        Ok(x)
    }

    /// The positions of the `kth + 1` smallest elements of a vector of whole numbers, and of the others, as Keras finds
    /// them: with the smallest ones replaced by 0, the others are those with the largest numbers.
    fn partitioned(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
        if cx.ty(x).rank() != 1 {
            // Keras fails for other ranks on TensorFlow.
            return Err(Error::unsupported(format!("expected a vector or no `axis`, found shape {}", cx.shape(x))));
        }
        let x = cx.cast(x, ElementType::I32)?;
        let length = cx.dims_of(x)[0];
        let kth = args.need::<i64>(&["kth"], Some(1))?.max(0);
        let kth = usize::try_from(kth).unwrap_or(usize::MAX).saturating_add(1);
        let smallest = cx.number(kth);
        let smallest = cx.dims().min(smallest, length)?;
        let others = cx.dims().sub(length, smallest)?;
        let negative = cx.unary(UnaryOp::Neg, x)?;
        let (_, places) = cx.sort(negative, 0, true)?;
        let first = first_columns(cx, places, smallest)?;
        let zeros = cx.full(ElementType::I32, &[length], 0.0)?;
        let ones = cx.full(ElementType::I32, &[smallest], 1.0)?;
        let taken = cx.scatter_add(zeros, first, ones, 0)?;
        let taken = cx.cast(taken, ElementType::Bool)?;
        let rest = cx.select(taken, zeros, x)?;
        let (_, places) = cx.sort(rest, 0, true)?;
        let second = first_columns(cx, places, others)?;
        let places = cx.concat(&[first, second], 0)?;
        cx.cast(places, ElementType::I32)
    }

    /// The default axis; `None` for all elements, flattened.
    fn default_axis(&self) -> Option<i64> {
        match self.kind {
            OrderKind::Sort | OrderKind::ArgSort | OrderKind::Diff | OrderKind::ArgPartition => Some(-1),
            _ => None,
        }
    }
}

impl LayerDef for Order {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let x = args.numbers(cx, &["values", "a"])?.value;
        // Truth values are ordered as 0 and 1; whether neighbours differ is a truth value.
        let is_bool = cx.ty(x).element == ElementType::Bool && self.kind != OrderKind::Diff;
        let mut x = if is_bool { cx.cast(x, ElementType::I32)? } else { x };
        let rank = cx.ty(x).rank();
        let results = if self.kind == OrderKind::TopK {
            Self::largest(cx, &args, x)?
        } else {
            let position =
                if matches!(self.kind, OrderKind::Diff | OrderKind::ArgPartition) { Some(2) } else { Some(1) };
            let axis = match args.axis(cx, &["axis", "dimension"], position, x)? {
                Some(axis) => axis,
                None => match self.default_axis().filter(|_| !self.params.is_null("axis")) {
                    Some(axis) => cx.axis(axis, x)?,
                    None => {
                        x = flat(cx, x)?;
                        0
                    }
                },
            };
            if axis == 0 {
                cx.mixes_batch();
            }
            vec![match self.kind {
                OrderKind::ArgMax | OrderKind::ArgMin => self.position(cx, &args, x, axis, rank)?,
                OrderKind::CumSum | OrderKind::CumProd => self.running(cx, &args, x, axis)?,
                OrderKind::Diff => Self::differences(cx, &args, x, axis)?,
                OrderKind::ArgPartition => Self::partitioned(cx, &args, x)?,
                _ => self.sorted(cx, &args, x, axis)?,
            }]
        };
        args.finish(cx);
        Ok(results.into_iter().map(KerasTensor::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused_with};
    use serde_json::json;

    #[test]
    fn along_an_axis() {
        check("Argmax", json!({"axis": -1, "keepdims": true}), json!(["f:?,3"]), json!({}), "int32[?,1]");
        check("Argmin", json!({}), json!(["f:?,3"]), json!({"axis": 1, "output_type": "int64"}), "int64[?]");
        check("Argmax", json!({"axis": null}), json!(["f:2,3"]), json!({}), "int32[]");
        check("Argsort", json!({}), json!(["f:?,3"]), json!({"direction": "DESCENDING"}), "int32[?,3]");
        check("Sort", json!({"axis": null}), json!(["i:2,3"]), json!({}), "int32[6]");
        check("Cumsum", json!({"axis": 1, "dtype": null}), json!(["b:?,3"]), json!({}), "int32[?,3]");
        check("Argpartition", json!({"kth": 2, "axis": null}), json!(["f:2,3"]), json!({}), "int32[6]");
        check("Argpartition", json!({"kth": 9, "axis": -1}), json!(["f:5"]), json!({}), "int32[5]");
        check("Diff", json!({"n": 2, "axis": -1}), json!(["f:?,3"]), json!({}), "float32[?,1]");
        check("Diff", json!({}), json!(["b:?,3"]), json!({}), "bool[?,2]");
    }

    #[test]
    fn refuses() {
        let message = "expected a vector or no `axis`, found shape [?,3]";
        refused_with("Argpartition", json!({"kth": 1, "axis": -1}), json!(["f:?,3"]), message);
        let message = "expected at least `k` = [4] elements, found shape [?,3]";
        refused_with("TopK", json!({"k": 4}), json!(["f:?,3"]), message);
        refused_with("Argmax", json!({"axis": 2}), json!(["f:?,3"]), "`axis` 2 does not exist in shape [?,3]");
    }
}
