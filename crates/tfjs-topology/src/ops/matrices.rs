//! Square matrices and their factors: determinants, inverses, equations, computed by loops over columns.
//!
//! Reference: `keras.ops.linalg`, `tf.linalg`. The pivot is the largest element of its column, as in LAPACK;
//! reflections have LAPACK's signs.

use super::FromOpConfig;
use super::args::Args;
use super::params::Params;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::layout::Range;
use tfjs_ir::prim::reduce::{Extreme, ReduceOp};
use tfjs_ir::{Builder, Dim, ElementType, Loop, Value};
use tfjs_manifest::{Error, Result};

/// An operation on matrices: the last two axes of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrices {
    /// The operation.
    pub kind: MatricesKind,
    /// `lower`, `upper`, `adjoint`, `mode`, `full_matrices`, `n`.
    pub params: Params,
}

/// The operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatricesKind {
    /// The determinant.
    Det,
    /// The sign of the determinant, and the logarithm of its absolute value.
    SignLogDet,
    /// The logarithm of a positive determinant.
    LogDet,
    /// The inverse.
    Inverse,
    /// Solves an equation.
    Solve,
    /// Solves an equation with a triangular matrix, whose other half is not read.
    SolveTriangular,
    /// The lower Cholesky factor of a symmetric matrix.
    Cholesky,
    /// The inverse of a matrix, given its Cholesky factor.
    CholeskyInverse,
    /// Solves an equation, given the Cholesky factor of the matrix.
    CholeskySolve,
    /// Both triangular factors in one matrix, and the new position of each row.
    Lu,
    /// Both triangular factors in one matrix, and the original row at each position.
    LuTaken,
    /// An orthogonal and an upper triangular factor.
    Qr,
    /// A power of a matrix.
    Power,
}

impl FromOpConfig for Matrices {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use MatricesKind as K;
        let kind = match class {
            "Det" => K::Det,
            "Slogdet" => K::SignLogDet,
            "Logdet" => K::LogDet,
            "Inv" => K::Inverse,
            "Solve" => K::Solve,
            "SolveTriangular" => K::SolveTriangular,
            "Cholesky" => K::Cholesky,
            "CholeskyInverse" => K::CholeskyInverse,
            "CholeskySolve" => K::CholeskySolve,
            "LuFactor" => K::Lu,
            "LuTaken" => K::LuTaken,
            "Qr" => K::Qr,
            "MatrixPower" => K::Power,
            other => return Err(Error::bug(format!("`{other}` is listed as an operation on matrices"))),
        };
        Ok(Matrices { kind, params: Params::read(config) })
    }
}

/// Matrices `[batch, rows, columns]`, and the original batch axes.
pub(super) struct Batch {
    pub(super) value: Value,
    pub(super) lead: Vec<Dim>,
    pub(super) rows: Dim,
    pub(super) columns: Dim,
}

impl Batch {
    pub(super) fn of(cx: &mut LowerCx<'_>, x: Value) -> Result<Self> {
        let x = cx.to_float(x)?;
        let dims = cx.dims_of(x);
        let [lead @ .., rows, columns] = &dims[..] else {
            return Err(Error::malformed(format!("expected matrices, found shape {}", cx.shape(x))));
        };
        let all = cx.dims().product(lead)?;
        if lead.is_empty() {
            cx.mixes_batch();
        }
        let value = cx.reshape(x, &[all, *rows, *columns])?;
        Ok(Batch { value, lead: lead.to_vec(), rows: *rows, columns: *columns })
    }

    /// The same, for square matrices only.
    pub(super) fn square(cx: &mut LowerCx<'_>, x: Value) -> Result<Self> {
        let batch = Batch::of(cx, x)?;
        if cx.same(batch.rows, batch.columns).is_none() {
            return Err(Error::malformed(format!("expected square matrices, found shape {}", cx.shape(x))));
        }
        Ok(batch)
    }

    /// Restores the original batch axes of a value.
    pub(super) fn restore(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        let mut dims = cx.dims_of(x);
        dims.splice(..1, self.lead.iter().copied());
        cx.reshape(x, &dims)
    }
}

/// The row and column indices of `[batch, rows, columns]`, for comparison with the step of a loop over columns.
#[derive(Clone, Copy)]
struct Places {
    /// `0, 1, ..` along the rows: `[1, rows, 1]`.
    rows: Value,
    /// `0, 1, ..` along the columns: `[1, 1, columns]`.
    columns: Value,
}

impl Places {
    fn of(cx: &mut LowerCx<'_>, rows: Dim, columns: Dim) -> Result<Self> {
        Ok(Places {
            rows: cx.iota(1, &[Dim::ONE, rows, Dim::ONE], ElementType::I64)?,
            columns: cx.iota(2, &[Dim::ONE, Dim::ONE, columns], ElementType::I64)?,
        })
    }
}

/// The arguments of a step of a loop over columns.
struct Step<'a> {
    /// The values carried from step to step.
    carries: &'a [Value],
    /// The index of the column.
    column: Value,
    at: Places,
    /// Values that are the same at each step.
    fixed: &'a [Value],
}

/// The final carries, and the collected values.
type Looped = (Vec<Value>, Vec<Value>);

/// Runs a step for each of the first `count` columns of matrices of `rows` and `columns`; from the last to the first if
/// `reverse`.
///
/// # Errors
/// Those of a step; as [`Builder::scan`](tfjs_ir::Builder::scan).
fn over_columns(
    cx: &mut LowerCx<'_>,
    [rows, columns, count]: [Dim; 3],
    reverse: bool,
    [carries, fixed]: [&[Value]; 2],
    step: impl FnOnce(&mut Builder, &Step<'_>) -> Result<Looped>,
) -> Result<Looped> {
    let at = Places::of(cx, rows, columns)?;
    let numbers = cx.iota(0, &[count], ElementType::I64)?;
    let invariants = [&[at.rows, at.columns], fixed].concat();
    let over = Loop { carries, sequences: &[numbers], invariants: &invariants, length: count, axis: 0, reverse };
    cx.scan(over, |b, carries, elements, invariants| {
        let (&[column], &[rows, columns, ref fixed @ ..]) = (elements, invariants) else {
            return Err(Error::bug("a loop over columns without its places"));
        };
        step(b, &Step { carries, column, at: Places { rows, columns }, fixed })
    })
}

/// The sum along an axis of the elements where a condition holds, with the axis kept: the element, if it holds once.
fn picked(b: &mut Builder, condition: Value, x: Value, axis: usize) -> Result<Value> {
    let zero = b.scalar(b.ty(x).element, 0.0)?;
    let kept = b.select(condition, x, zero)?;
    b.reduce(ReduceOp::Sum, kept, &[axis], true)
}

/// The result of exchanging rows in a step of elimination.
struct Eliminated {
    /// The matrix with its rows exchanged.
    exchanged: Value,
    /// The pivot row `[batch, 1, columns]`.
    row: Value,
    /// The pivot `[batch, 1, 1]`.
    pivot: Value,
    /// The original row of the pivot `[batch, 1, 1]`.
    place: Value,
}

/// Exchanges row `step` and the row, from `step` on, with the largest element of column `step`.
fn exchanged(b: &mut Builder, x: Value, at: Places, step: Value) -> Result<Eliminated> {
    let (in_row, in_column) = (b.compare(CompareOp::Eq, at.rows, step)?, b.compare(CompareOp::Eq, at.columns, step)?);
    let column = picked(b, in_column, x, 2)?;
    let size = b.unary(UnaryOp::Abs, column)?;
    let open = b.compare(CompareOp::Ge, at.rows, step)?;
    let out = b.scalar(b.ty(x).element, -1.0)?;
    let size = b.select(open, size, out)?;
    let place = b.arg_reduce(Extreme::Max, size, 1, ElementType::I64)?;
    let place = b.insert_axis(place, 1)?;
    let here = b.compare(CompareOp::Eq, at.rows, place)?;
    let row = picked(b, here, x, 1)?;
    let other = picked(b, in_row, x, 1)?;
    let moved = b.select(here, other, x)?;
    let exchanged = b.select(in_row, row, moved)?;
    let pivot = picked(b, in_column, row, 2)?;
    Ok(Eliminated { exchanged, row, pivot, place })
}

/// Solves `a x = b` for square `a [batch, n, n]` and `b [batch, n, m]`.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn solved(cx: &mut LowerCx<'_>, a: Value, b: Value) -> Result<Value> {
    let n = cx.dims_of(a)[1];
    let both = cx.concat(&[a, b], 2)?;
    let columns = cx.dims_of(both)[2];
    let (finals, _) = over_columns(cx, [n, columns, n], false, [&[both], &[]], |b, step| {
        let &Step { carries, column: step, at, .. } = step;
        let found = exchanged(b, carries[0], at, step)?;
        let row = b.div(found.row, found.pivot)?;
        let in_column = b.compare(CompareOp::Eq, at.columns, step)?;
        let factor = picked(b, in_column, found.exchanged, 2)?;
        let less = b.mul(factor, row)?;
        let others = b.sub(found.exchanged, less)?;
        let in_row = b.compare(CompareOp::Eq, at.rows, step)?;
        Ok((vec![b.select(in_row, row, others)?], Vec::new()))
    })?;
    let len = cx.dims().sub(columns, n)?;
    cx.slice_axis(finals[0], 2, Range { start: n, len, step: 1 })
}

/// Both factors in one `[batch, n, n]`, the original row at each position `[batch, n]`, and the sign of the
/// permutation.
fn factored(cx: &mut LowerCx<'_>, a: Value) -> Result<(Value, Value, Value)> {
    let dims = cx.dims_of(a);
    let n = dims[1];
    let order = cx.iota(1, &[dims[0], n, Dim::ONE], ElementType::I64)?;
    let kind = cx.ty(a).element;
    let sign = cx.full(kind, &[dims[0], Dim::ONE, Dim::ONE], 1.0)?;
    let (finals, _) = over_columns(cx, [n, n, n], false, [&[a, order, sign], &[]], |b, step| {
        let &Step { carries, column: step, at, .. } = step;
        let found = exchanged(b, carries[0], at, step)?;
        let (in_row, here) =
            (b.compare(CompareOp::Eq, at.rows, step)?, b.compare(CompareOp::Eq, at.rows, found.place)?);
        let (taken, left) = (picked(b, here, carries[1], 1)?, picked(b, in_row, carries[1], 1)?);
        let order = b.select(here, left, carries[1])?;
        let order = b.select(in_row, taken, order)?;
        let stays = b.compare(CompareOp::Eq, found.place, step)?;
        let turned = b.unary(UnaryOp::Neg, carries[2])?;
        let sign = b.select(stays, carries[2], turned)?;
        // A zero column has no factors, and needs none.
        let none = b.compare_scalar(CompareOp::Eq, found.pivot, 0.0)?;
        let one = b.scalar(b.ty(found.pivot).element, 1.0)?;
        let divisor = b.select(none, one, found.pivot)?;
        let in_column = b.compare(CompareOp::Eq, at.columns, step)?;
        let column = picked(b, in_column, found.exchanged, 2)?;
        let factor = b.div(column, divisor)?;
        let less = b.mul(factor, found.row)?;
        let rest = b.sub(found.exchanged, less)?;
        let rest = b.select(in_column, factor, rest)?;
        let (below, behind) = (b.compare(CompareOp::Gt, at.rows, step)?, b.compare(CompareOp::Ge, at.columns, step)?);
        let open = b.binary(BinaryOp::And, below, behind)?;
        let next = b.select(open, rest, found.exchanged)?;
        Ok((vec![next, order, sign], Vec::new()))
    })?;
    let order = cx.remove_axis(finals[1], 2)?;
    let sign = cx.reshape(finals[2], &dims[..1])?;
    Ok((finals[0], order, sign))
}

/// The elements of the diagonal, `[batch, n]`.
pub(super) fn diagonal(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let dims = cx.dims_of(x);
    let at = Places::of(cx, dims[1], dims[2])?;
    let equal = cx.compare(CompareOp::Eq, at.rows, at.columns)?;
    let kept = picked(cx, equal, x, 2)?;
    cx.remove_axis(kept, 2)
}

/// The lower Cholesky factor of symmetric matrices. Only their lower half is read.
pub(super) fn cholesky(cx: &mut LowerCx<'_>, a: Value) -> Result<Value> {
    let n = cx.dims_of(a)[1];
    let (_, collected) = over_columns(cx, [n, n, n], false, [&[a], &[]], |b, step| {
        let &Step { carries, column: step, at, .. } = step;
        let in_column = b.compare(CompareOp::Eq, at.columns, step)?;
        let column = picked(b, in_column, carries[0], 2)?;
        let in_row = b.compare(CompareOp::Eq, at.rows, step)?;
        let pivot = picked(b, in_row, column, 1)?;
        let root = b.unary(UnaryOp::Sqrt, pivot)?;
        let column = b.div(column, root)?;
        let open = b.compare(CompareOp::Ge, at.rows, step)?;
        let zero = b.scalar(b.ty(column).element, 0.0)?;
        let column = b.select(open, column, zero)?;
        let turned = b.transpose(column, &[0, 2, 1])?;
        let less = b.mul(column, turned)?;
        let next = b.sub(carries[0], less)?;
        Ok((vec![next], vec![b.remove_axis(column, 2)?]))
    })?;
    cx.transpose(collected[0], &[1, 2, 0])
}

/// Solves `a x = b` for triangular `a [batch, n, n]` and `b [batch, n, m]`.
pub(super) fn solved_triangular(cx: &mut LowerCx<'_>, a: Value, b: Value, lower: bool) -> Result<Value> {
    let n = cx.dims_of(a)[1];
    let (finals, _) = over_columns(cx, [n, n, n], !lower, [&[b], &[a]], |b, step| {
        let &Step { carries, column: step, at, fixed } = step;
        let in_column = b.compare(CompareOp::Eq, at.columns, step)?;
        let column = picked(b, in_column, fixed[0], 2)?;
        let in_row = b.compare(CompareOp::Eq, at.rows, step)?;
        let pivot = picked(b, in_row, column, 1)?;
        let row = picked(b, in_row, carries[0], 1)?;
        let row = b.div(row, pivot)?;
        let less = b.mul(column, row)?;
        let rest = b.sub(carries[0], less)?;
        let open = b.compare(if lower { CompareOp::Gt } else { CompareOp::Lt }, at.rows, step)?;
        let next = b.select(open, rest, carries[0])?;
        Ok((vec![b.select(in_row, row, next)?], Vec::new()))
    })?;
    Ok(finals[0])
}

/// An identity matrix for each entry of `like [batch, ..]`.
pub(super) fn units(cx: &mut LowerCx<'_>, like: Value, n: Dim) -> Result<Value> {
    let at = Places::of(cx, n, n)?;
    let equal = cx.compare(CompareOp::Eq, at.rows, at.columns)?;
    let one = cx.cast_like(equal, like)?;
    let batch = cx.dims_of(like)[0];
    cx.broadcast_to(one, &[batch, n, n])
}

/// An orthogonal factor `[batch, m, m]` and an upper triangular one, by Householder reflections.
pub(super) fn reflected(cx: &mut LowerCx<'_>, a: Value) -> Result<(Value, Value)> {
    let dims = cx.dims_of(a);
    let (m, n) = (dims[1], dims[2]);
    let count = cx.dims().min(m, n)?;
    let unit = units(cx, a, m)?;
    let (finals, _) = over_columns(cx, [m, n, count], false, [&[a, unit], &[]], |b, step| {
        let &Step { carries, column: step, at, .. } = step;
        let in_column = b.compare(CompareOp::Eq, at.columns, step)?;
        let column = picked(b, in_column, carries[0], 2)?;
        let in_row = b.compare(CompareOp::Eq, at.rows, step)?;
        let head = picked(b, in_row, column, 1)?;
        let below = b.compare(CompareOp::Gt, at.rows, step)?;
        let zero = b.scalar(b.ty(column).element, 0.0)?;
        let tail = b.select(below, column, zero)?;
        let squares = b.mul(tail, tail)?;
        let rest = b.reduce(ReduceOp::Sum, squares, &[1], true)?;
        let square = b.mul(head, head)?;
        let all = b.add(square, rest)?;
        let norm = b.unary(UnaryOp::Sqrt, all)?;
        let opposite = b.unary(UnaryOp::Neg, norm)?;
        let above = b.compare_scalar(CompareOp::Ge, head, 0.0)?;
        let beta = b.select(above, opposite, norm)?;
        // There is no reflection if all elements below the diagonal are zero.
        let flat = b.compare_scalar(CompareOp::Eq, rest, 0.0)?;
        let one = b.scalar(b.ty(column).element, 1.0)?;
        let beta = b.select(flat, one, beta)?;
        let less = b.sub(head, beta)?;
        let divisor = b.select(flat, one, less)?;
        let vector = b.div(tail, divisor)?;
        let vector = b.select(in_row, one, vector)?;
        let over = b.unary(UnaryOp::Neg, less)?;
        let tau = b.div(over, beta)?;
        let tau = b.select(flat, zero, tau)?;
        let scaled = b.mul(vector, tau)?;
        // (1 - tau v v') times the upper factor, and the orthogonal factor times that.
        let seen = b.dot(vector, carries[0], &[(0, 0)], &[(1, 1)])?;
        let change = b.dot(scaled, seen, &[(0, 0)], &[(2, 1)])?;
        let upper = b.sub(carries[0], change)?;
        let seen = b.dot(carries[1], vector, &[(0, 0)], &[(2, 1)])?;
        let change = b.dot(seen, scaled, &[(0, 0)], &[(2, 2)])?;
        let orthogonal = b.sub(carries[1], change)?;
        Ok((vec![upper, orthogonal], Vec::new()))
    })?;
    // Remove rounding errors below the diagonal.
    let at = Places::of(cx, m, n)?;
    let open = cx.compare(CompareOp::Le, at.rows, at.columns)?;
    let zero = cx.scalar_like(a, 0.0)?;
    Ok((finals[1], cx.select(open, finals[0], zero)?))
}

fn qr(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Vec<Value>> {
    let complete = match args.opt::<String>(&["mode"], None)?.as_deref() {
        None => args.or(&["full_matrices"], Some(1), false)?,
        Some("reduced") => false,
        Some("complete") => true,
        Some(other) => return Err(Error::malformed(format!("unknown `mode` `{other}`"))),
    };
    let batch = Batch::of(cx, x)?;
    let (mut orthogonal, mut upper) = reflected(cx, batch.value)?;
    if !complete {
        let len = cx.dims().min(batch.rows, batch.columns)?;
        orthogonal = cx.slice_axis(orthogonal, 2, Range { start: Dim::ZERO, len, step: 1 })?;
        upper = cx.slice_axis(upper, 1, Range { start: Dim::ZERO, len, step: 1 })?;
    }
    Ok(vec![batch.restore(cx, orthogonal)?, batch.restore(cx, upper)?])
}

/// The two sides of an equation: square matrices, and the right side, with `vector` set if it lacks an axis.
fn equation(
    cx: &mut LowerCx<'_>,
    args: &Args<'_>,
    names: [&'static str; 2],
    turned: bool,
) -> Result<(Batch, Batch, bool)> {
    let a = args.need_value(cx, &[names[0], "a", "matrix"], Some(0))?;
    let b = args.need_value(cx, &[names[1], "b", "rhs"], Some(1))?;
    let vector = cx.ty(b).rank() + 1 == cx.ty(a).rank();
    let b = if vector {
        let end = cx.ty(b).rank();
        cx.insert_axis(b, end)?
    } else {
        b
    };
    let (mut a, b) = (Batch::square(cx, a)?, Batch::of(cx, b)?);
    let fits = a.lead.len() == b.lead.len() && a.lead.iter().zip(&b.lead).all(|(&a, &b)| cx.same(a, b).is_some());
    if !fits || cx.same(a.rows, b.rows).is_none() {
        let (a, b) = (cx.shape(a.value), cx.shape(b.value));
        return Err(Error::malformed(format!("shapes {a} and {b} are not the two sides of an equation")));
    }
    if turned {
        a.value = cx.transpose(a.value, &[0, 2, 1])?;
    }
    let element = cx.ty(a.value).element;
    let b = Batch { value: cx.cast(b.value, element)?, ..b };
    Ok((a, b, vector))
}

impl Matrices {
    fn power(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
        let n: i64 = args.need(&["n"], Some(1))?;
        let batch = Batch::square(cx, x)?;
        let mut base = batch.value;
        let unit = units(cx, base, batch.rows)?;
        if n < 0 {
            base = solved(cx, base, unit)?;
        }
        let (mut left, mut result) = (n.unsigned_abs(), unit);
        while left > 0 {
            if left % 2 == 1 {
                result = cx.dot(result, base, &[(0, 0)], &[(2, 1)])?;
            }
            left /= 2;
            if left > 0 {
                base = cx.dot(base, base, &[(0, 0)], &[(2, 1)])?;
            }
        }
        batch.restore(cx, result)
    }

    fn determinant(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Vec<Value>> {
        let batch = Batch::square(cx, x)?;
        let (factors, _, sign) = factored(cx, batch.value)?;
        let pivots = diagonal(cx, factors)?;
        let results = if self.kind == MatricesKind::Det {
            let product = cx.reduce(ReduceOp::Prod, pivots, &[1], false)?;
            vec![cx.mul(sign, product)?]
        } else {
            let signs = cx.unary(UnaryOp::Sign, pivots)?;
            let signs = cx.reduce(ReduceOp::Prod, signs, &[1], false)?;
            let sign = cx.mul(sign, signs)?;
            let sizes = cx.unary(UnaryOp::Abs, pivots)?;
            let logs = cx.unary(UnaryOp::Log, sizes)?;
            let log = cx.reduce(ReduceOp::Sum, logs, &[1], false)?;
            if self.kind == MatricesKind::LogDet { vec![log] } else { vec![sign, log] }
        };
        results.into_iter().map(|result| batch.restore(cx, result)).collect()
    }

    fn equations(&self, cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
        let turned = args.or(&["adjoint"], None, false)?;
        let names = if self.kind == MatricesKind::CholeskySolve { ["chol", "rhs"] } else { ["a", "b"] };
        let (a, b, vector) = equation(cx, args, names, turned)?;
        let value = match self.kind {
            MatricesKind::Solve => solved(cx, a.value, b.value)?,
            MatricesKind::CholeskySolve => {
                let first = solved_triangular(cx, a.value, b.value, true)?;
                let upper = cx.transpose(a.value, &[0, 2, 1])?;
                solved_triangular(cx, upper, first, false)?
            }
            _ => {
                // The default is the upper half in Keras, the lower in TensorFlow.
                let lower = args.or(&["lower"], None, false)?;
                solved_triangular(cx, a.value, b.value, lower != turned)?
            }
        };
        let value = b.restore(cx, value)?;
        if vector {
            let last = cx.ty(value).rank() - 1;
            return cx.remove_axis(value, last);
        }
        Ok(value)
    }

    fn compute(&self, cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Vec<Value>> {
        use MatricesKind as K;
        if matches!(self.kind, K::Solve | K::SolveTriangular | K::CholeskySolve) {
            return Ok(vec![self.equations(cx, args)?]);
        }
        let x = args.numbers(cx, &["a", "matrix"])?.value;
        match self.kind {
            K::Det | K::SignLogDet | K::LogDet => self.determinant(cx, x),
            K::Power => Ok(vec![Self::power(cx, args, x)?]),
            K::Qr => qr(cx, args, x),
            K::Inverse => {
                let mut batch = Batch::square(cx, x)?;
                if args.or(&["adjoint"], None, false)? {
                    batch.value = cx.transpose(batch.value, &[0, 2, 1])?;
                }
                let unit = units(cx, batch.value, batch.rows)?;
                let value = solved(cx, batch.value, unit)?;
                Ok(vec![batch.restore(cx, value)?])
            }
            K::Cholesky => {
                let batch = Batch::square(cx, x)?;
                let mut value = cholesky(cx, batch.value)?;
                if args.or(&["upper"], None, false)? {
                    value = cx.transpose(value, &[0, 2, 1])?;
                }
                Ok(vec![batch.restore(cx, value)?])
            }
            K::CholeskyInverse => {
                let batch = Batch::square(cx, x)?;
                let upper = args.or(&["upper"], None, false)?;
                let unit = units(cx, batch.value, batch.rows)?;
                let factor = solved_triangular(cx, batch.value, unit, !upper)?;
                let inner = if upper { 2 } else { 1 };
                let value = cx.dot(factor, factor, &[(0, 0)], &[(inner, inner)])?;
                Ok(vec![batch.restore(cx, value)?])
            }
            K::Lu | K::LuTaken => {
                let batch = Batch::square(cx, x)?;
                let (factors, mut order, _) = factored(cx, batch.value)?;
                if self.kind == K::Lu {
                    (_, order) = cx.sort(order, 1, false)?;
                }
                let order = cx.cast(order, ElementType::I32)?;
                Ok(vec![batch.restore(cx, factors)?, batch.restore(cx, order)?])
            }
            other => Err(Error::bug(format!("{other:?} has two operands"))),
        }
    }
}

impl LayerDef for Matrices {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        args.inert(&["output_idx_type"]);
        let results = self.compute(cx, &args)?;
        args.finish(cx);
        Ok(results.into_iter().map(KerasTensor::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, check_all, refused};
    use serde_json::json;

    #[test]
    fn shapes() {
        check("Det", json!({}), json!(["f:?,4,4"]), json!({}), "float32[?]");
        check("Inv", json!({}), json!(["f:?,?,3,3"]), json!({}), "float32[?,?,3,3]");
        check("Solve", json!({}), json!(["f:?,4,4", "f:?,4"]), json!({}), "float32[?,4]");
        check("SolveTriangular", json!({"lower": true}), json!(["f:?,4,4", "f:?,4,2"]), json!({}), "float32[?,4,2]");
        check_all(
            "Qr",
            json!({"mode": "reduced"}),
            json!(["f:?,5,3"]),
            json!({}),
            &["float32[?,5,3]", "float32[?,3,3]"],
        );
        let complete = json!({"mode": "complete"});
        check_all("Qr", complete, json!(["f:?,5,3"]), json!({}), &["float32[?,5,5]", "float32[?,5,3]"]);
        check_all("LuFactor", json!({}), json!(["f:4,4"]), json!({}), &["float32[4,4]", "int32[4]"]);
        check("MatrixPower", json!({"n": 3}), json!(["f:?,4,4"]), json!({}), "float32[?,4,4]");
    }

    #[test]
    fn refuses() {
        refused("Inv", json!(["f:?,3,4"]), "expected square matrices, found shape [?,3,4]");
        refused("Det", json!(["f:4"]), "expected matrices, found shape [4]");
        let message = "shapes [?,3,3] and [?,4,1] are not the two sides of an equation";
        refused("Solve", json!(["f:?,3,3", "f:?,4"]), message);
    }
}
