//! Sequences and series: reversal up to a length, cumulative log-sum-exp, areas, correlations, Kronecker products,
//! common divisors.
//!
//! Reference: `tf.reverse_sequence`, `tf.math.cumulative_logsumexp`; `keras.ops.trapezoid`, `keras.ops.kron`,
//! `keras.ops.vander`, `keras.ops.corrcoef`, `keras.ops.correlate`, `keras.ops.gcd`.

use super::FromOpConfig;
use super::args::{Args, missing, to_type};
use super::gather::{counter, integers, joined};
use super::params::Params;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, value_type};
use crate::types::ValueType;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::layout::{Padding, Range};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::window::{Padding as Borders, Window};
use tfjs_ir::{Builder, Dim, ElementType, Loop, Value};
use tfjs_manifest::{Error, Result};

/// An operation on sequences.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The operation.
    pub kind: SeriesKind,
    /// `axis`, `exclusive`, `reverse`, `seq_axis`, `batch_axis`, `dx`, `N`, `increasing`, `mode`.
    pub params: Params,
}

/// The operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesKind {
    /// Reverses the first elements of each entry, up to its length.
    Reverse,
    /// The cumulative log-sum-exp.
    LogSumExp,
    /// The area by the trapezoidal rule.
    Trapezoid,
    /// The Kronecker product.
    Kronecker,
    /// The powers of each element (a Vandermonde matrix).
    Powers,
    /// The correlation coefficients of rows.
    Correlation,
    /// The cross-correlation of two vectors.
    Correlate,
    /// The greatest common divisor.
    Gcd,
    /// The least common multiple.
    Lcm,
    /// The value of a polynomial at each element, highest power first.
    Polynomial,
}

impl FromOpConfig for Series {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use SeriesKind as K;
        let kind = match class {
            "ReverseSequence" => K::Reverse,
            "CumulativeLogsumexp" => K::LogSumExp,
            "Trapezoid" => K::Trapezoid,
            "Kron" => K::Kronecker,
            "Vander" => K::Powers,
            "Corrcoef" => K::Correlation,
            "Correlate" => K::Correlate,
            "Gcd" => K::Gcd,
            "Lcm" => K::Lcm,
            "Polyval" => K::Polynomial,
            other => return Err(Error::bug(format!("`{other}` is listed as an operation on sequences"))),
        };
        Ok(Series { kind, params: Params::read(config) })
    }
}

fn reversed(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let x = args.need_value(cx, &["input"], Some(0))?;
    let lengths = args.need_value(cx, &["seq_lengths"], Some(1))?;
    let time = args.axis(cx, &["seq_axis", "seq_dim"], Some(2), x)?.ok_or_else(|| missing(&["seq_axis"]))?;
    let batch = args.axis(cx, &["batch_axis", "batch_dim"], Some(3), x)?.unwrap_or(0);
    let (dims, of) = (cx.dims_of(x), cx.dims_of(lengths));
    if time == batch || of.len() != 1 || cx.same(of[0], dims[batch]).is_none() {
        let (x, lengths) = (cx.shape(x), cx.shape(lengths));
        let message = format!("lengths of shape {lengths} are not those of axis {batch} of shape {x}");
        return Err(Error::malformed(message));
    }
    let lengths = integers(cx, lengths)?;
    let lengths = cx.cast(lengths, ElementType::I64)?;
    let lengths = cx.insert_axis(lengths, 1)?;
    // Move the batch first, then the time.
    let mut order = vec![batch, time];
    order.extend((0..dims.len()).filter(|&axis| axis != batch && axis != time));
    let turned = cx.transpose(x, &order)?;
    if batch != 0 {
        cx.mixes_batch();
    }
    let rows = [dims[batch], dims[time]];
    let step = cx.iota(1, &[Dim::ONE, rows[1]], ElementType::I64)?;
    let back = cx.sub(lengths, step)?;
    let back = cx.binary_scalar(BinaryOp::Sub, back, 1.0)?;
    let within = cx.compare_scalar(CompareOp::Ge, back, 0.0)?;
    let place = cx.select(within, back, step)?;
    let entry = counter(cx, 0, 2, rows[0])?;
    let place = joined(cx, &[entry, place], &rows)?;
    let flat = super::gather::merged(cx, turned, 2)?;
    let found = cx.gather(flat, place, 0, Bounds::Error)?;
    let mut back = vec![0; order.len()];
    for (to, &from) in order.iter().enumerate() {
        back[from] = to;
    }
    cx.transpose(found, &back)
}

/// `log(exp(a) + exp(b))`
fn log_of_sum(b: &mut Builder, x: Value, y: Value) -> Result<Value> {
    let largest = b.binary(BinaryOp::Max, x, y)?;
    let (x, y) = (b.sub(x, largest)?, b.sub(y, largest)?);
    let (x, y) = (b.unary(UnaryOp::Exp, x)?, b.unary(UnaryOp::Exp, y)?);
    let sum = b.add(x, y)?;
    let log = b.unary(UnaryOp::Log, sum)?;
    b.add(log, largest)
}

fn running_log_sum(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let input = args.numbers(cx, &[])?.value;
    let x = cx.to_float(input)?;
    let axis = match args.axis(cx, &["axis"], Some(1), x)? {
        Some(axis) => axis,
        None => cx.axis(0, x)?,
    };
    let exclusive = args.or(&["exclusive"], Some(2), false)?;
    let reverse = args.or(&["reverse"], Some(3), false)?;
    if axis == 0 {
        cx.mixes_batch();
    }
    let mut dims = cx.dims_of(x);
    let length = dims.remove(axis);
    // The lowest float32 instead of -inf, because the difference of two infinities is NaN.
    let kind = cx.ty(x).element;
    let nothing = cx.full(kind, &dims, f64::from(f32::MIN))?;
    let over = Loop { carries: &[nothing], sequences: &[x], invariants: &[], length, axis, reverse };
    let (_, collected) = cx.scan(over, |b, carries, elements, _| {
        let next = log_of_sum(b, carries[0], elements[0])?;
        Ok((vec![next], vec![if exclusive { carries[0] } else { next }]))
    })?;
    if !exclusive {
        return Ok(collected[0]);
    }
    // The result for an empty sum is -inf.
    let empty = cx.compare_scalar(CompareOp::Le, collected[0], f64::from(f32::MIN))?;
    let nothing = cx.scalar_like(collected[0], f64::NEG_INFINITY)?;
    cx.select(empty, nothing, collected[0])
}

/// All elements except the first, and all except the last.
fn neighbours(cx: &mut LowerCx<'_>, x: Value, axis: usize) -> Result<(Value, Value)> {
    let length = cx.dims_of(x)[axis];
    let less = cx.dims().sub(length, Dim::ONE)?;
    let len = cx.dims().max(less, Dim::ZERO)?;
    let start = cx.dims().min(Dim::ONE, length)?;
    let after = cx.slice_axis(x, axis, Range { start, len, step: 1 })?;
    Ok((after, cx.slice_axis(x, axis, Range { start: Dim::ZERO, len, step: 1 })?))
}

fn area(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let y = args.need_value(cx, &["y"], Some(0))?;
    let y = cx.to_float(y)?;
    let axis = cx.axis(args.or(&["axis"], None, -1)?, y)?;
    if axis == 0 {
        cx.mixes_batch();
    }
    let (after, before) = neighbours(cx, y, axis)?;
    let sum = cx.add(after, before)?;
    let height = cx.binary_scalar(BinaryOp::Mul, sum, 0.5)?;
    let width = match args.value(cx, &["x"], None)? {
        Some(x) => {
            let x = cx.cast_like(x, y)?;
            let (rank, of) = (cx.ty(y).rank(), cx.ty(x).rank());
            let along = match of {
                1 => 0,
                of if of == rank => axis,
                _ => return Err(Error::unsupported("`x` of another rank than `y` is not supported")),
            };
            let (after, before) = neighbours(cx, x, along)?;
            let width = cx.sub(after, before)?;
            if of == 1 {
                let mut dims = vec![Dim::ONE; rank];
                dims[axis] = cx.dims_of(width)[0];
                cx.reshape(width, &dims)?
            } else {
                width
            }
        }
        None => {
            let width = args.or(&["dx"], None, 1.0)?;
            cx.scalar_like(y, width)?
        }
    };
    let parts = cx.mul(height, width)?;
    cx.reduce(ReduceOp::Sum, parts, &[axis], false)
}

/// Two tensors in their common type.
fn both(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<(Value, Value)> {
    let operands = args.operands(cx, 0..usize::MAX)?;
    Ok((operands.a.value, operands.b.value))
}

fn kronecker(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let (a, b) = both(cx, args)?;
    cx.mixes_batch();
    let (mut of_a, mut of_b) = (cx.dims_of(a), cx.dims_of(b));
    let rank = of_a.len().max(of_b.len());
    for dims in [&mut of_a, &mut of_b] {
        let more = rank - dims.len();
        // SIZE: the rank.
        dims.splice(..0, vec![Dim::ONE; more]);
    }
    let apart_a: Vec<Dim> = of_a.iter().flat_map(|&dim| [dim, Dim::ONE]).collect();
    let apart_b: Vec<Dim> = of_b.iter().flat_map(|&dim| [Dim::ONE, dim]).collect();
    let (a, b) = (cx.reshape(a, &apart_a)?, cx.reshape(b, &apart_b)?);
    let products = cx.mul(a, b)?;
    let mut dims = Vec::with_capacity(rank);
    for (&a, &b) in of_a.iter().zip(&of_b) {
        dims.push(cx.dims().mul(a, b)?);
    }
    cx.reshape(products, &dims)
}

fn powers(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let input = args.numbers(cx, &[])?.value;
    let dtype = value_type(cx.ty(input).element);
    let x = cx.to_float(input)?;
    let [length] = cx.dims_of(x)[..] else {
        return Err(Error::malformed(format!("expected a vector, found shape {}", cx.shape(x))));
    };
    let count = match args.sizes(cx, &["N"], Some(1))?.as_deref() {
        None => length,
        Some(&[count]) if cx.at_least(count, Dim::ZERO) => count,
        Some(_) => return Err(Error::malformed("expected a number of at least 0").at_json("N")),
    };
    cx.mixes_batch();
    let mut power = cx.iota(0, &[count], ElementType::F32)?;
    if !args.or(&["increasing"], None, false)? {
        power = cx.reverse(power, &[0])?;
    }
    let x = cx.insert_axis(x, 1)?;
    let power = cx.cast_like(power, x)?;
    let value = cx.binary(BinaryOp::Pow, x, power)?;
    to_type(cx, value, dtype)
}

fn correlation(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let input = args.numbers(cx, &[])?.value;
    let x = cx.to_float(input)?;
    let &[rows, columns] = &cx.dims_of(x)[..] else {
        return Err(Error::malformed(format!("expected rows of numbers, found shape {}", cx.shape(x))));
    };
    cx.mixes_batch();
    let mean = cx.reduce(ReduceOp::Mean, x, &[1], true)?;
    let x = cx.sub(x, mean)?;
    let products = cx.dot(x, x, &[], &[(1, 1)])?;
    let less = cx.dims().sub(columns, Dim::ONE)?;
    let less = cx.size(less, ElementType::I64)?;
    let less = cx.cast_like(less, x)?;
    let covariance = cx.div(products, less)?;
    let squares = cx.mul(x, x)?;
    let sums = cx.reduce(ReduceOp::Sum, squares, &[1], false)?;
    let variance = cx.div(sums, less)?;
    let deviation = cx.unary(UnaryOp::Sqrt, variance)?;
    let (down, across) = (cx.reshape(deviation, &[rows, Dim::ONE])?, cx.reshape(deviation, &[Dim::ONE, rows])?);
    let scale = cx.mul(down, across)?;
    let value = cx.div(covariance, scale)?;
    let value = cx.binary_scalar(BinaryOp::Max, value, -1.0)?;
    cx.binary_scalar(BinaryOp::Min, value, 1.0)
}

fn correlate(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let (a, b) = both(cx, args)?;
    let (a, b) = (cx.to_float(a)?, cx.to_float(b)?);
    let ([n], [m]) = (&cx.dims_of(a)[..], &cx.dims_of(b)[..]) else {
        let (a, b) = (cx.shape(a), cx.shape(b));
        return Err(Error::malformed(format!("expected two vectors, found shapes {a} and {b}")));
    };
    let (n, m) = (*n, *m);
    let size = cx.known(m, "the length of the second vector", b)?;
    if size == 0 || !cx.at_least(n, Dim::ONE) {
        return Err(Error::malformed("a correlation with a vector of no elements"));
    }
    cx.mixes_batch();
    let mode: String = args.or(&["mode"], None, "valid".to_string())?;
    let border = cx.number(size - 1);
    let mut x = a;
    match mode.as_str() {
        "valid" => {}
        "full" | "same" => x = cx.pad(x, &[Padding { low: border, high: border, interior: 0 }], 0.0)?,
        other => return Err(Error::malformed(format!("unknown `mode` `{other}`"))),
    }
    let length = cx.dims_of(x)[0];
    let image = cx.reshape(x, &[Dim::ONE, length, Dim::ONE])?;
    let kernel = cx.reshape(b, &[m, Dim::ONE, Dim::ONE])?;
    let kernel = cx.cast_like(kernel, image)?;
    let out = cx.conv(image, kernel, &[Window::new(size, 1, 1, Borders::Valid)?], 1)?;
    let count = cx.dims_of(out)[1];
    let out = cx.reshape(out, &[count])?;
    if mode != "same" {
        return Ok(out);
    }
    let len = cx.dims().max(n, m)?;
    let more = cx.dims().sub(count, len)?;
    let start = cx.dims().div_floor(more, 2)?;
    cx.slice_axis(out, 0, Range { start, len, step: 1 })
}

/// The greatest common divisor, by Euclid's algorithm.
fn gcd(cx: &mut LowerCx<'_>, a: Value, b: Value) -> Result<Value> {
    // The most steps occur for neighbouring Fibonacci numbers, here the largest that fit the type.
    let most = if cx.ty(a).element == ElementType::I64 { 92 } else { 46 };
    let (of_a, of_b) = (cx.dims_of(a), cx.dims_of(b));
    let dims = cx.broadcast_shapes(&of_a, &of_b)?;
    let (a, b) = (cx.unary(UnaryOp::Abs, a)?, cx.unary(UnaryOp::Abs, b)?);
    let (a, b) = (cx.broadcast_to(a, &dims)?, cx.broadcast_to(b, &dims)?);
    let length = cx.number(most);
    let over = Loop { carries: &[a, b], sequences: &[], invariants: &[], length, axis: 0, reverse: false };
    let (finals, _) = cx.scan(over, |b, carries, _, _| {
        let done = b.compare_scalar(CompareOp::Eq, carries[1], 0.0)?;
        let rest = b.binary(BinaryOp::Mod, carries[0], carries[1])?;
        Ok((vec![b.select(done, carries[0], carries[1])?, b.select(done, carries[1], rest)?], Vec::new()))
    })?;
    Ok(finals[0])
}

fn polynomial(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let coefficients = match args.positional() {
        // Keras 2 writes a list in the first argument as one argument for each item.
        items @ [_, _, ..] if args.keyword(&["x"]).is_some() => args.all(cx, items)?,
        _ => args.values(cx, &["coeffs"], 0)?,
    };
    let x = args.need_value(cx, &["x"], Some(1))?;
    let x = cx.to_float(x)?;
    let mut value = cx.scalar_like(x, 0.0)?;
    for coefficient in coefficients {
        let coefficient = cx.cast_like(coefficient, x)?;
        value = cx.mul(value, x)?;
        value = cx.add(value, coefficient)?;
    }
    Ok(value)
}

fn common(cx: &mut LowerCx<'_>, args: &Args<'_>, multiple: bool) -> Result<Value> {
    let (a, b) = both(cx, args)?;
    if !matches!(value_type(cx.ty(a).element), ValueType::Int32 | ValueType::Int64) {
        return Err(Error::malformed("expected integers, found other numbers"));
    }
    let divisor = gcd(cx, a, b)?;
    if !multiple {
        return Ok(divisor);
    }
    // A division by 0 gives 0.
    let (a, b) = (cx.unary(UnaryOp::Abs, a)?, cx.unary(UnaryOp::Abs, b)?);
    let part = cx.binary(BinaryOp::FloorDiv, b, divisor)?;
    cx.mul(a, part)
}

impl LayerDef for Series {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use SeriesKind as K;
        let args = Args::new(&self.params, call);
        let value = match self.kind {
            K::Reverse => reversed(cx, &args)?,
            K::LogSumExp => running_log_sum(cx, &args)?,
            K::Trapezoid => area(cx, &args)?,
            K::Kronecker => kronecker(cx, &args)?,
            K::Powers => powers(cx, &args)?,
            K::Correlation => correlation(cx, &args)?,
            K::Correlate => correlate(cx, &args)?,
            K::Polynomial => polynomial(cx, &args)?,
            K::Gcd => common(cx, &args, false)?,
            K::Lcm => common(cx, &args, true)?,
        };
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused};
    use serde_json::json;

    #[test]
    fn shapes() {
        let kwargs = json!({"seq_axis": 1, "batch_axis": 0});
        check("ReverseSequence", json!({}), json!(["f:?,5,3", "i:?"]), kwargs, "float32[?,5,3]");
        check("CumulativeLogsumexp", json!({}), json!(["f:?,?,3"]), json!({"axis": 1}), "float32[?,?,3]");
        check("Trapezoid", json!({"dx": 0.5, "axis": 1}), json!(["i:?,5,3"]), json!({}), "float32[?,3]");
        check("Kron", json!({}), json!(["f:2,3", "f:4"]), json!({}), "float32[2,12]");
        check("Vander", json!({"N": null}), json!(["i:4"]), json!({}), "int32[4,4]");
        check("Corrcoef", json!({}), json!(["f:3,?"]), json!({}), "float32[3,3]");
        check("Correlate", json!({"mode": "same"}), json!(["f:5", "f:3"]), json!({}), "float32[5]");
        check("Gcd", json!({}), json!(["i:?,3", 6]), json!({}), "int32[?,3]");
    }

    #[test]
    fn refuses() {
        refused("Lcm", json!(["f:?,3", 6]), "expected integers, found other numbers");
        refused("Correlate", json!(["f:5,2", "f:3"]), "expected two vectors, found shapes [5,2] and [3]");
        refused("ReverseSequence", json!(["f:?,5,3", "i:?"]), "missing `seq_axis`");
    }
}
