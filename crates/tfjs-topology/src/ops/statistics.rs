//! Statistics along axes other than sums and extremes: variances, norms, log-sum-exp.
//!
//! Reference: `keras.ops.var`, `keras.ops.norm` and their relatives; `tf.math.reduce_variance`, `tf.norm`, `tf.nn.moments`.

use super::FromOpConfig;
use super::args::{Args, flat, to_type, without_axes};
use super::params::{Numbers, Params};
use crate::call::{Arg, Call};
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, value_type};
use crate::types::ValueType;
use serde_json::Value as Json;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{ElementType, Value};
use tfjs_manifest::{Error, Result};

/// A statistic over some axes, or all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistic {
    /// The statistic.
    pub kind: StatisticKind,
    /// `axis`, `keepdims`, `ord`, `order`, `epsilon`.
    pub params: Params,
}

/// The statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatisticKind {
    /// The mean squared distance from the mean.
    Variance,
    /// The standard deviation.
    Deviation,
    /// Mean and variance: two results.
    Moments,
    /// `log(sum(exp(x)))`
    LogSumExp,
    /// The largest minus the smallest.
    PeakToPeak,
    /// The number of nonzero elements.
    CountNonzero,
    /// The fraction of zeros.
    ZeroFraction,
    /// The weighted mean.
    Average,
    /// A norm of vectors, or the Frobenius norm.
    Norm,
    /// The values divided by their norm.
    Normalize,
    /// The values divided by their norm, and the norm.
    WithNorm,
    /// The values divided by the root of the sum of squares, which is at least `epsilon`.
    L2Normalize,
    /// The values scaled down to a maximal norm.
    ClipByNorm,
    /// Half of the sum of squares.
    HalfSquares,
}

impl FromOpConfig for Statistic {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use StatisticKind as K;
        let kind = match class {
            "Var" => K::Variance,
            "Std" => K::Deviation,
            "Moments" => K::Moments,
            "Logsumexp" => K::LogSumExp,
            "Ptp" => K::PeakToPeak,
            "CountNonzero" => K::CountNonzero,
            "ZeroFraction" => K::ZeroFraction,
            "Average" => K::Average,
            "Norm" => K::Norm,
            "Normalize" => K::Normalize,
            "WithNorm" => K::WithNorm,
            "L2Normalize" => K::L2Normalize,
            "L2Loss" => K::HalfSquares,
            "ClipByNorm" => K::ClipByNorm,
            other => return Err(Error::bug(format!("`{other}` is listed as a statistic"))),
        };
        Ok(Statistic { kind, params: Params::read(config) })
    }
}

/// The order of a norm.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    /// The number of nonzero elements.
    Zero,
    /// The sum of absolute values.
    One,
    /// The root of the sum of squares.
    Two,
    /// A root of another order of a sum of powers.
    Power(f64),
    /// The largest absolute value.
    Largest,
    /// The smallest absolute value.
    Smallest,
    /// A matrix norm: an extreme of the sums of absolute values along one axis.
    OfSums {
        /// Which of the two axes, in the order of the file, is summed over: the first or the second.
        first: bool,
        /// Whether the extreme is the largest or the smallest.
        largest: bool,
    },
    /// A matrix norm: the largest, the smallest or the sum of the singular values.
    OfSingularValues(ReduceOp),
}

impl Order {
    fn of_number(order: f64) -> Result<Self> {
        Ok(match order {
            0.0 => Order::Zero,
            1.0 => Order::One,
            2.0 => Order::Two,
            f64::INFINITY => Order::Largest,
            f64::NEG_INFINITY => Order::Smallest,
            other if other.is_nan() => return Err(Error::malformed("a norm of order NaN")),
            other => Order::Power(other),
        })
    }

    /// Reads an order; `matrices` for a norm over two explicit axes.
    fn read(json: Option<&Json>, matrices: bool) -> Result<Self> {
        let of_matrices = |order: &dyn std::fmt::Display| {
            Error::unsupported(format!("the norm of order `{order}` of matrices is not supported"))
        };
        let sums = |first, largest| Ok(Order::OfSums { first, largest });
        match json {
            None => Ok(Order::Two),
            Some(Json::String(name)) => match name.to_lowercase().as_str() {
                "euclidean" | "fro" => Ok(Order::Two),
                "inf" | "infinity" if !matrices => Ok(Order::Largest),
                "-inf" | "-infinity" if !matrices => Ok(Order::Smallest),
                "inf" | "infinity" => sums(false, true),
                "-inf" | "-infinity" => sums(false, false),
                "nuc" if matrices => Ok(Order::OfSingularValues(ReduceOp::Sum)),
                _ => Err(of_matrices(name)),
            },
            Some(Json::Number(number)) if matrices && number.as_f64().is_some_and(|order| order.abs() == 1.0) => {
                sums(true, number.as_f64() == Some(1.0))
            }
            Some(Json::Number(number)) if matrices && number.as_f64().is_some_and(|order| order.abs() == 2.0) => {
                let largest = number.as_f64() == Some(2.0);
                Ok(Order::OfSingularValues(if largest { ReduceOp::Max } else { ReduceOp::Min }))
            }
            Some(Json::Number(number)) if !matrices => Order::of_number(number.as_f64().unwrap_or(f64::NAN)),
            Some(other) => Err(of_matrices(other)),
        }
    }

    /// The norm of values along axes, which keep length 1.
    fn norm(self, cx: &mut LowerCx<'_>, x: Value, axes: &[usize]) -> Result<Value> {
        match self {
            Order::Zero => {
                let counted = cx.compare_scalar(CompareOp::Ne, x, 0.0)?;
                let counted = cx.cast_like(counted, x)?;
                cx.reduce(ReduceOp::Sum, counted, axes, true)
            }
            Order::Two => {
                let squares = cx.mul(x, x)?;
                let sum = cx.reduce(ReduceOp::Sum, squares, axes, true)?;
                cx.unary(UnaryOp::Sqrt, sum)
            }
            Order::OfSingularValues(op) => {
                let &[low, high] = axes else { return Err(Error::bug("a norm of matrices over other axes")) };
                let values = super::decompose::singular_values(cx, x, [low, high])?;
                let last = cx.axis(-1, values)?;
                let norm = cx.reduce(op, values, &[last], false)?;
                let mut dims = cx.dims_of(x);
                for &axis in axes {
                    dims[axis] = tfjs_ir::Dim::ONE;
                }
                cx.reshape(norm, &dims)
            }
            _ => {
                let sizes = cx.unary(UnaryOp::Abs, x)?;
                match self {
                    Order::OfSums { first, largest } => {
                        let [low, high] = axes[..] else {
                            return Err(Error::bug("a norm of matrices over other axes"));
                        };
                        let (along, across) = if first { (low, high) } else { (high, low) };
                        let sums = cx.reduce(ReduceOp::Sum, sizes, &[along], true)?;
                        cx.reduce(if largest { ReduceOp::Max } else { ReduceOp::Min }, sums, &[across], true)
                    }
                    Order::Largest => cx.reduce(ReduceOp::Max, sizes, axes, true),
                    Order::Smallest => cx.reduce(ReduceOp::Min, sizes, axes, true),
                    Order::Power(order) => {
                        let powers = cx.binary_scalar(BinaryOp::Pow, sizes, order)?;
                        let sum = cx.reduce(ReduceOp::Sum, powers, axes, true)?;
                        cx.binary_scalar(BinaryOp::Pow, sum, 1.0 / order)
                    }
                    _ => cx.reduce(ReduceOp::Sum, sizes, axes, true),
                }
            }
        }
    }
}

/// `log(sum(exp(x)))` along axes, which keep length 1.
pub(crate) fn log_sum_exp(cx: &mut LowerCx<'_>, x: Value, axes: &[usize]) -> Result<Value> {
    let largest = cx.reduce(ReduceOp::Max, x, axes, true)?;
    // Subtracting an infinity would give NaN.
    let finite = cx.unary(UnaryOp::IsFinite, largest)?;
    let largest = super::elementary::where_or(cx, finite, largest, 0.0)?;
    let below = cx.sub(x, largest)?;
    let powers = cx.unary(UnaryOp::Exp, below)?;
    let sum = cx.reduce(ReduceOp::Sum, powers, axes, true)?;
    let log = cx.unary(UnaryOp::Log, sum)?;
    cx.add(log, largest)
}

/// The number of nonzero elements along axes, which are kept.
fn count_nonzero(cx: &mut LowerCx<'_>, x: Value, axes: &[usize], element: ElementType) -> Result<Value> {
    let counted = to_type(cx, x, ValueType::Bool)?;
    let counted = cx.cast(counted, element)?;
    cx.reduce(ReduceOp::Sum, counted, axes, true)
}

/// Mean and variance of integers along axes, which are kept. They are integers in TensorFlow, each mean truncated.
fn whole_moments(cx: &mut LowerCx<'_>, x: Value, axes: &[usize]) -> Result<(Value, Value)> {
    let mean = |cx: &mut LowerCx<'_>, x: Value| {
        let float = cx.to_float(x)?;
        let mean = cx.reduce(ReduceOp::Mean, float, axes, true)?;
        cx.cast_like(mean, x)
    };
    let center = mean(cx, x)?;
    let distances = cx.sub(x, center)?;
    let squares = cx.mul(distances, distances)?;
    Ok((center, mean(cx, squares)?))
}

impl Statistic {
    fn order(args: &Args<'_>, names: &[&'static str], matrices: bool) -> Result<Order> {
        Order::read(args.json(names, None)?, matrices)
    }

    /// The order of a norm over these axes, two of which may be written in reverse order.
    fn order_over(cx: &LowerCx<'_>, args: &Args<'_>, x: Value, matrices: bool) -> Result<Order> {
        let order = Self::order(args, &["ord"], matrices)?;
        let Order::OfSums { first, largest } = order else { return Ok(order) };
        let written = args.opt::<Numbers>(&["axis"], Some(2))?;
        let turned = match written.as_ref().map(|Numbers(axes)| &axes[..]) {
            Some(&[a, b]) => cx.axis(a, x)? > cx.axis(b, x)?,
            _ => false,
        };
        Ok(Order::OfSums { first: first != turned, largest })
    }

    /// The weighted mean along axes, which are kept.
    fn average(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value, axes: &[usize], all: bool) -> Result<Value> {
        let Some(mut weights) = args.value(cx, &["weights"], Some(1))? else {
            return cx.reduce(ReduceOp::Mean, x, axes, true);
        };
        weights = cx.cast_like(weights, x)?;
        if all {
            weights = flat(cx, weights)?;
        }
        let (rank, of) = (cx.ty(x).rank(), cx.dims_of(weights));
        if let ([axis], [length]) = (axes, &of[..]) {
            let mut dims = vec![tfjs_ir::Dim::ONE; rank];
            dims[*axis] = *length;
            weights = cx.reshape(weights, &dims)?;
        }
        let dims = cx.dims_of(x);
        let weights = cx.broadcast_to(weights, &dims)?;
        let weighted = cx.mul(x, weights)?;
        let sum = cx.reduce(ReduceOp::Sum, weighted, axes, true)?;
        let total = cx.reduce(ReduceOp::Sum, weights, axes, true)?;
        cx.div(sum, total)
    }

    /// Values divided by their norm.
    fn normalized(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value, axes: &[usize]) -> Result<Vec<Value>> {
        match self.kind {
            StatisticKind::WithNorm => {
                let norm = Self::order_over(cx, args, x, axes.len() == 2)?.norm(cx, x, axes)?;
                Ok(vec![cx.div(x, norm)?, norm])
            }
            StatisticKind::ClipByNorm => {
                let longest = args.need_value(cx, &["clip_norm"], Some(1))?;
                let longest = cx.cast_like(longest, x)?;
                let norm = Order::Two.norm(cx, x, axes)?;
                let scaled = cx.mul(x, longest)?;
                let divisor = cx.binary(BinaryOp::Max, norm, longest)?;
                Ok(vec![cx.div(scaled, divisor)?])
            }
            StatisticKind::L2Normalize => {
                let epsilon = args.or(&["epsilon"], Some(2), 1e-12)?;
                let squares = cx.mul(x, x)?;
                let sum = cx.reduce(ReduceOp::Sum, squares, axes, true)?;
                let sum = cx.binary_scalar(BinaryOp::Max, sum, epsilon)?;
                let factor = cx.unary(UnaryOp::Rsqrt, sum)?;
                Ok(vec![cx.mul(x, factor)?])
            }
            _ => {
                let order = Self::order(args, &["order", "ord"], false)?;
                let epsilon = args.or(&["epsilon"], None, 1e-7)?;
                let norm = order.norm(cx, x, axes)?;
                let divisor = cx.binary_scalar(BinaryOp::Max, norm, epsilon)?;
                Ok(vec![cx.div(x, divisor)?])
            }
        }
    }

    /// The results; axes that a statistic reduces keep length 1.
    fn compute(
        &self,
        cx: &mut LowerCx<'_>,
        args: &Args<'_>,
        x: Value,
        axes: &[usize],
        all: bool,
    ) -> Result<Vec<Value>> {
        use StatisticKind as K;
        let float = cx.to_float(x)?;
        Ok(match self.kind {
            K::Variance => vec![cx.moments(float, axes)?.1],
            K::Deviation => {
                let (_, variance) = cx.moments(float, axes)?;
                vec![cx.unary(UnaryOp::Sqrt, variance)?]
            }
            K::Moments => {
                let (mean, variance) = match value_type(cx.ty(x).element) {
                    ValueType::Int32 | ValueType::Int64 => whole_moments(cx, x, axes)?,
                    _ => cx.moments(float, axes)?,
                };
                vec![mean, variance]
            }
            K::HalfSquares => {
                let squares = cx.mul(float, float)?;
                let sum = cx.reduce(ReduceOp::Sum, squares, axes, true)?;
                vec![cx.binary_scalar(BinaryOp::Mul, sum, 0.5)?]
            }
            K::LogSumExp => vec![log_sum_exp(cx, float, axes)?],
            K::PeakToPeak => {
                let x = if cx.ty(x).element == ElementType::Bool { float } else { x };
                let (high, low) = (cx.reduce(ReduceOp::Max, x, axes, true)?, cx.reduce(ReduceOp::Min, x, axes, true)?);
                vec![cx.sub(high, low)?]
            }
            K::CountNonzero => {
                let dtype = super::sizes::dtype(args, &["dtype"], None)?.unwrap_or(ValueType::Int32);
                vec![count_nonzero(cx, x, axes, crate::lower::element(dtype))?]
            }
            K::ZeroFraction => {
                let zero = cx.compare_scalar(CompareOp::Eq, float, 0.0)?;
                let zero = cx.cast_like(zero, float)?;
                vec![cx.reduce(ReduceOp::Mean, zero, axes, true)?]
            }
            K::Average => vec![Self::average(cx, args, float, axes, all)?],
            K::Norm => vec![Self::order_over(cx, args, float, axes.len() == 2 && !all)?.norm(cx, float, axes)?],
            K::Normalize | K::WithNorm | K::L2Normalize | K::ClipByNorm => self.normalized(cx, args, float, axes)?,
        })
    }

    /// The axes. Their position among the arguments depends on the operation; `Normalize` has default axes.
    fn axes(&self, cx: &LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Option<Vec<usize>>> {
        use StatisticKind as K;
        let position = match self.kind {
            K::Norm | K::WithNorm | K::ClipByNorm => Some(2),
            _ => Some(1),
        };
        let names: &[&'static str] = &["axis", "axes", "dim", "reduction_indices"];
        let axes = args.axes(cx, names, position, x)?;
        match (axes, self.kind) {
            // An axis of null is written for all of them.
            (None, K::Normalize) if !self.params.is_null("axis") => cx.axis(-1, x).map(|axis| Some(vec![axis])),
            (axes, _) => Ok(axes),
        }
    }
}

impl LayerDef for Statistic {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use StatisticKind as K;
        let args = Args::new(&self.params, call);
        args.inert(&["synchronized", "shift"]);
        let mut x = args.numbers(cx, &["input_tensor", "tensor", "t", "value", "values"])?.value;
        if args.keyword(&["weights"]).and_then(Arg::tensor).is_some() {
            cx.mixes_batch();
        }
        let found = self.axes(cx, &args, x)?;
        let changes_elements = matches!(self.kind, K::Normalize | K::WithNorm | K::L2Normalize | K::ClipByNorm);
        if found.is_none() && self.kind == K::Average && args.value(cx, &["weights"], Some(1))?.is_some() {
            x = flat(cx, x)?;
        }
        let all = found.is_none();
        let axes = found.unwrap_or_else(|| (0..cx.ty(x).rank()).collect());
        let keep = args.or(&["keepdims", "keep_dims"], None, false)?;
        if axes.contains(&0) {
            cx.mixes_batch();
        }
        let mut results = self.compute(cx, &args, x, &axes, all)?;
        if !changes_elements {
            for result in &mut results {
                *result = without_axes(cx, *result, &axes, keep)?;
            }
        }
        // The range of integers is an integer.
        if self.kind == K::PeakToPeak {
            let dtype = value_type(cx.ty(x).element);
            for result in &mut results {
                *result = to_type(cx, *result, dtype)?;
            }
        }
        args.finish(cx);
        Ok(results.into_iter().map(KerasTensor::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused_with};
    use serde_json::json;

    #[test]
    fn axes_go_or_stay() {
        check("Var", json!({"axis": [1], "keepdims": true}), json!(["i:?,3,4"]), json!({}), "float32[?,1,4]");
        check("Std", json!({"axis": null}), json!(["f:?,3"]), json!({}), "float32[]");
        check("Logsumexp", json!({}), json!(["f:?,3,4"]), json!({"axis": -1}), "float32[?,3]");
        check("Norm", json!({"ord": 1, "axis": 1, "keepdims": false}), json!(["f:?,3,4"]), json!({}), "float32[?,4]");
        check("Norm", json!({"ord": "nuc", "axis": [3, 1]}), json!(["f:?,3,2,4"]), json!({}), "float32[?,2]");
        check(
            "Norm",
            json!({"ord": -2, "axis": [1, 2], "keepdims": true}),
            json!(["f:?,3,4"]),
            json!({}),
            "float32[?,1,1]",
        );
        check("Normalize", json!({"axis": 1, "order": 2}), json!(["f:?,3,4"]), json!({}), "float32[?,3,4]");
        check("Average", json!({"axis": null}), json!(["f:?,3"]), json!({"weights": "f:?,3"}), "float32[]");
        check("CountNonzero", json!({"axis": 1}), json!(["b:?,3"]), json!({}), "int32[?]");
    }

    #[test]
    fn refuses() {
        let message = "the norm of order `3` of matrices is not supported";
        refused_with("Norm", json!({"ord": 3, "axis": [1, 2]}), json!(["f:?,3,4"]), message);
        refused_with("Var", json!({"axis": 4}), json!(["f:?,3"]), "`axis` 4 does not exist in shape [?,3]");
    }
}
