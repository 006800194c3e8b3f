//! Matrices with elements on three diagonals: products, and equations by elimination that needs only those elements.
//!
//! Reference: `tf.linalg.tridiagonal_solve`, `tf.linalg.tridiagonal_matmul`; LAPACK's `gtsv`.

use super::FromOpConfig;
use super::args::Args;
use super::params::Params;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::layout::{Padding, Range};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Dim, ElementType, Loop, Value};
use tfjs_manifest::{Error, Result};

/// An operation on matrices with three diagonals.
#[derive(Clone, Debug, PartialEq)]
pub struct Tridiagonal {
    /// Whether an equation is solved; otherwise, a product is computed.
    pub solves: bool,
    /// `diagonals_format`, `transpose_rhs`, `partial_pivoting`.
    pub params: Params,
}

impl FromOpConfig for Tridiagonal {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let solves = match class {
            "TridiagonalSolve" => true,
            "TridiagonalMatmul" => false,
            other => return Err(Error::bug(format!("`{other}` is listed for matrices with three diagonals"))),
        };
        Ok(Tridiagonal { solves, params: Params::read(config) })
    }
}

/// The diagonals above, on and below the main one, `[n, batch, 1]` each, so that a loop can run over the rows. The last
/// element above and the first one below are 0.
struct Diagonals {
    above: Value,
    on: Value,
    below: Value,
    n: Dim,
    lead: Vec<Dim>,
}

/// Rows of `[.., n]` as `[n, batch, 1]`, without those that `kept` excludes.
fn as_rows(cx: &mut LowerCx<'_>, x: Value, kept: Option<Value>) -> Result<Value> {
    let dims = cx.dims_of(x);
    let Some((&n, lead)) = dims.split_last() else { return Err(Error::bug("a diagonal without an axis")) };
    let all = cx.dims().product(lead)?;
    let x = cx.reshape(x, &[all, n])?;
    let x = cx.transpose(x, &[1, 0])?;
    let x = cx.reshape(x, &[n, all, Dim::ONE])?;
    let Some(kept) = kept else { return Ok(x) };
    let zero = cx.scalar_like(x, 0.0)?;
    cx.select(kept, x, zero)
}

/// The diagonal of `x [.., n, n]` that is `up` columns to the right of the main one, `[.., n]`: 0 where there is none.
fn diagonal(cx: &mut LowerCx<'_>, x: Value, up: f64) -> Result<Value> {
    let last = cx.axis(-1, x)?;
    let n = cx.dims_of(x)[last];
    let (row, column) = (cx.iota(0, &[n, Dim::ONE], ElementType::I64)?, cx.iota(1, &[Dim::ONE, n], ElementType::I64)?);
    let place = cx.binary_scalar(BinaryOp::Add, row, up)?;
    let here = cx.compare(CompareOp::Eq, place, column)?;
    let zero = cx.scalar_like(x, 0.0)?;
    let kept = cx.select(here, x, zero)?;
    cx.reduce(ReduceOp::Sum, kept, &[last], false)
}

impl Diagonals {
    fn read(cx: &mut LowerCx<'_>, args: &Args<'_>, default: &str) -> Result<Self> {
        let format = args.or(&["diagonals_format"], Some(2), String::from(default))?;
        let [above, on, below] = match format.as_str() {
            "sequence" => {
                // Keras 2 writes a list there as an argument for each of its items.
                let each = match args.positional() {
                    items @ [_, _, _] if args.keyword(&["rhs"]).is_some() => args.all(cx, items)?,
                    _ => args.values(cx, &["diagonals"], 0)?,
                };
                let Ok(each) = <[Value; 3]>::try_from(each) else {
                    return Err(Error::malformed("expected three diagonals").at_json("diagonals"));
                };
                Self::of_sequence(cx, each)?
            }
            "compact" => {
                let x = args.need_value(cx, &["diagonals"], Some(0))?;
                let x = cx.to_float(x)?;
                let (axis, three) = (cx.axis(-2, x)?, cx.number(3));
                let found = cx.dims_of(x)[axis];
                if cx.same(found, three).is_none() {
                    let shape = cx.shape(x);
                    return Err(Error::malformed(format!("expected three diagonals, found shape {shape}")));
                }
                let mut row = |place: usize| {
                    let start = cx.number(place);
                    let row = cx.slice_axis(x, axis, Range { start, len: Dim::ONE, step: 1 })?;
                    cx.remove_axis(row, axis)
                };
                [row(0)?, row(1)?, row(2)?]
            }
            "matrix" => {
                let x = args.need_value(cx, &["diagonals"], Some(0))?;
                let x = cx.to_float(x)?;
                let (rows, columns) = (cx.axis(-2, x)?, cx.axis(-1, x)?);
                let dims = cx.dims_of(x);
                if cx.same(dims[rows], dims[columns]).is_none() {
                    return Err(Error::malformed(format!("expected square matrices, found shape {}", cx.shape(x))));
                }
                [diagonal(cx, x, 1.0)?, diagonal(cx, x, 0.0)?, diagonal(cx, x, -1.0)?]
            }
            other => return Err(Error::malformed(format!("unknown `diagonals_format` `{other}`"))),
        };
        let dims = cx.dims_of(on);
        let Some((&n, lead)) = dims.split_last() else { return Err(Error::malformed("a diagonal is a number")) };
        if lead.is_empty() {
            cx.mixes_batch();
        }
        let place = cx.iota(0, &[n, Dim::ONE, Dim::ONE], ElementType::I64)?;
        let all = cx.size(n, ElementType::I64)?;
        let next = cx.binary_scalar(BinaryOp::Add, place, 1.0)?;
        let (first, last) = (cx.compare_scalar(CompareOp::Eq, place, 0.0)?, cx.compare(CompareOp::Eq, next, all)?);
        let (not_first, not_last) = (cx.unary(UnaryOp::Not, first)?, cx.unary(UnaryOp::Not, last)?);
        Ok(Diagonals {
            above: as_rows(cx, above, Some(not_last))?,
            on: as_rows(cx, on, None)?,
            below: as_rows(cx, below, Some(not_first))?,
            n,
            lead: lead.to_vec(),
        })
    }

    /// Diagonals of one length, from those of which the outer ones may be an element shorter.
    fn of_sequence(cx: &mut LowerCx<'_>, [above, on, below]: [Value; 3]) -> Result<[Value; 3]> {
        let on = cx.to_float(on)?;
        let last = cx.axis(-1, on)?;
        let dims = cx.dims_of(on);
        let shorter = cx.dims().sub(dims[last], Dim::ONE)?;
        let mut whole = |x: Value, below: bool| {
            let x = cx.to_float(x)?;
            let x = cx.cast_like(x, on)?;
            let found = cx.dims_of(x);
            let fits =
                found.len() == dims.len() && found[..last].iter().zip(&dims).all(|(&a, &b)| cx.same(a, b).is_some());
            if fits && found[last] == shorter {
                let mut padding = vec![Padding::NONE; found.len()];
                let edge = &mut padding[last];
                *(if below { &mut edge.low } else { &mut edge.high }) = Dim::ONE;
                return cx.pad(x, &padding, 0.0);
            }
            if !fits || cx.same(found[last], dims[last]).is_none() {
                let (x, on) = (cx.shape(x), cx.shape(on));
                return Err(Error::malformed(format!("shapes {x} and {on} are not diagonals of one matrix")));
            }
            Ok(x)
        };
        Ok([whole(above, false)?, on, whole(below, true)?])
    }

    /// `x [.., n, m]` as `[n, batch, m]`.
    fn right(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        let x = cx.cast_like(x, self.on)?;
        let dims = cx.dims_of(x);
        let [lead @ .., n, m] = &dims[..] else {
            return Err(Error::malformed(format!("expected matrices on the right side, found shape {}", cx.shape(x))));
        };
        let fits = lead.len() == self.lead.len() && lead.iter().zip(&self.lead).all(|(&a, &b)| cx.same(a, b).is_some());
        if !fits || cx.same(*n, self.n).is_none() {
            let (x, n) = (cx.shape(x), cx.program().dims.display(self.n));
            return Err(Error::malformed(format!("shape {x} does not fit diagonals of {n} elements")));
        }
        let all = cx.dims().product(lead)?;
        let x = cx.reshape(x, &[all, *n, *m])?;
        cx.transpose(x, &[1, 0, 2])
    }

    /// The inverse of [`right`](Diagonals::right).
    fn restore(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        let m = cx.dims_of(x)[2];
        let x = cx.transpose(x, &[1, 0, 2])?;
        let dims: Vec<Dim> = self.lead.iter().copied().chain([self.n, m]).collect();
        cx.reshape(x, &dims)
    }

    /// The product with `x [n, batch, m]`.
    fn times(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        let len = cx.dims().sub(self.n, Dim::ONE)?;
        let mut beside = |start: Dim, padding: Padding| {
            let kept = cx.slice_axis(x, 0, Range { start, len, step: 1 })?;
            cx.pad(kept, &[padding, Padding::NONE, Padding::NONE], 0.0)
        };
        let next = beside(Dim::ONE, Padding { high: Dim::ONE, ..Padding::NONE })?;
        let before = beside(Dim::ZERO, Padding { low: Dim::ONE, ..Padding::NONE })?;
        let (above, on) = (cx.mul(self.above, next)?, cx.mul(self.on, x)?);
        let below = cx.mul(self.below, before)?;
        let sum = cx.add(above, on)?;
        cx.add(sum, below)
    }

    /// Solves for the right side `[n, batch, m]`. A loop eliminates the elements below the diagonal, exchanging a row
    /// with the next one if that has the larger element; another, from the last row to the first, computes the result.
    fn solved(&self, cx: &mut LowerCx<'_>, right: Value) -> Result<Value> {
        let rest = cx.dims().sub(self.n, Dim::ONE)?;
        let mut first = |x| {
            let row = cx.slice_axis(x, 0, Range { start: Dim::ZERO, len: Dim::ONE, step: 1 })?;
            cx.remove_axis(row, 0)
        };
        let open = [first(self.on)?, first(self.above)?, first(right)?];
        let mut others = |x| cx.slice_axis(x, 0, Range { start: Dim::ONE, len: rest, step: 1 });
        let rows = [others(self.below)?, others(self.on)?, others(self.above)?, others(right)?];
        let over = Loop { carries: &open, sequences: &rows, invariants: &[], length: rest, axis: 0, reverse: false };
        let (finals, done) = cx.scan(over, |b, open, row, _| {
            let zero = b.scalar(b.ty(open[0]).element, 0.0)?;
            let sizes = (b.unary(UnaryOp::Abs, open[0])?, b.unary(UnaryOp::Abs, row[0])?);
            let exchanged = b.compare(CompareOp::Lt, sizes.0, sizes.1)?;
            let zeros = b.mul(open[1], zero)?;
            let mut sorted = |one, other| -> Result<(Value, Value)> {
                Ok((b.select(exchanged, other, one)?, b.select(exchanged, one, other)?))
            };
            let (pivot, left) = sorted(open[0], row[0])?;
            let (second, left_second) = sorted(open[1], row[1])?;
            let (third, left_third) = sorted(zeros, row[2])?;
            let (right, left_right) = sorted(open[2], row[3])?;
            let factor = b.div(left, pivot)?;
            let mut reduced = |x, by| {
                let less = b.mul(factor, by)?;
                b.sub(x, less)
            };
            let next = vec![reduced(left_second, second)?, reduced(left_third, third)?, reduced(left_right, right)?];
            Ok((next, vec![pivot, second, third, right]))
        })?;
        let end = cx.div(finals[2], finals[0])?;
        let zeros = cx.scalar_like(end, 0.0)?;
        let zeros = cx.mul(end, zeros)?;
        let over =
            Loop { carries: &[end, zeros], sequences: &done, invariants: &[], length: rest, axis: 0, reverse: true };
        let (_, found) = cx.scan(over, |b, known, row, _| {
            let (near, far) = (b.mul(row[1], known[0])?, b.mul(row[2], known[1])?);
            let less = b.sub(row[3], near)?;
            let less = b.sub(less, far)?;
            let x = b.div(less, row[0])?;
            Ok((vec![x, known[0]], vec![x]))
        })?;
        let end = cx.insert_axis(end, 0)?;
        cx.concat(&[found[0], end], 0)
    }
}

impl LayerDef for Tridiagonal {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let diagonals = Diagonals::read(cx, &args, "compact")?;
        let right = args.need_value(cx, &["rhs"], Some(1))?;
        let right = cx.to_float(right)?;
        let vector = self.solves && cx.ty(right).rank() == diagonals.lead.len() + 1;
        let mut x = right;
        if vector {
            let end = cx.ty(x).rank();
            x = cx.insert_axis(x, end)?;
        }
        if self.solves {
            // The exchange of rows only makes the result more exact, and real numbers are their own conjugates.
            args.inert(&["partial_pivoting", "conjugate_rhs"]);
            if args.or(&["perturb_singular"], None, false)? {
                return Err(Error::unsupported("`perturb_singular` is not supported: add to the diagonal instead"));
            }
            if args.or(&["transpose_rhs"], Some(3), false)? && !vector {
                x = turned(cx, x)?;
            }
        }
        let x = diagonals.right(cx, x)?;
        let value = if self.solves { diagonals.solved(cx, x)? } else { diagonals.times(cx, x)? };
        let mut value = diagonals.restore(cx, value)?;
        if vector {
            let last = cx.axis(-1, value)?;
            value = cx.remove_axis(value, last)?;
        }
        args.finish(cx);
        Ok(vec![value.into()])
    }
}

/// The last two axes exchanged.
fn turned(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let (rows, columns) = (cx.axis(-2, x)?, cx.axis(-1, x)?);
    let mut order: Vec<usize> = (0..=columns).collect();
    order.swap(rows, columns);
    cx.transpose(x, &order)
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused_with};
    use serde_json::json;

    #[test]
    fn shapes() {
        check("TridiagonalSolve", json!({}), json!(["f:?,3,5", "f:?,5"]), json!({}), "float32[?,5]");
        let matrix = json!({"diagonals_format": "matrix", "transpose_rhs": true});
        check("TridiagonalSolve", json!({}), json!(["f:?,5,5", "f:?,2,5"]), matrix, "float32[?,5,2]");
        let sequence = json!({"diagonals_format": "sequence"});
        let args = json!([["f:?,4", "f:?,5", "f:?,5"], "f:?,5,2"]);
        check("TridiagonalMatmul", sequence, args, json!({}), "float32[?,5,2]");
    }

    #[test]
    fn refuses() {
        let refused = |config, args, message: &str| refused_with("TridiagonalSolve", config, args, message);
        let message = "expected three diagonals, found shape [?,4,5]";
        refused(json!({}), json!(["f:?,4,5", "f:?,5"]), message);
        let message = "shape [?,4,2] does not fit diagonals of 5 elements";
        refused(json!({}), json!(["f:?,3,5", "f:?,4,2"]), message);
        let message = "`perturb_singular` is not supported: add to the diagonal instead";
        refused(json!({"perturb_singular": true}), json!(["f:?,3,5", "f:?,5"]), message);
        let args = json!([["f:?,3", "f:?,5", "f:?,5"], "f:?,5,2"]);
        let message = "shapes [?,3] and [?,5] are not diagonals of one matrix";
        refused(json!({"diagonals_format": "sequence"}), args, message);
    }
}
