//! Eigenvalues of symmetric matrices and singular values, by rotations of pairs of columns (Jacobi's method).
//!
//! A step of a loop rotates half as many pairs at once as there are columns: column `i` of the first half with column
//! `i` of the second. A fixed permutation of the columns follows, after which other columns are pairs; after as many
//! steps as a column has others, every two columns were a pair and all are back in their places: a sweep.
//!
//! Reference: Golub and Van Loan, *Matrix Computations*, the parallel Jacobi and the one-sided Jacobi method.

use crate::lower::LowerCx;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::layout::{Padding, Range};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Array, Builder, Data, Dim, ElementType, Loop, Value};
use tfjs_manifest::{Error, Result};

/// How often every pair is rotated. Seven sweeps are enough for matrices of 64 columns in single precision, and the
/// number grows as the logarithm of theirs.
const SWEEPS: usize = 10;
/// Smaller angles are no rotations.
const SMALLEST_ANGLE: f64 = 1e-10;
/// Smaller elements beside the diagonal are 0, in a matrix whose largest element is 1.
const SMALLEST: f64 = 1e-24;
/// The most columns of a matrix.
const MOST: usize = 1 << 10;

/// The plan of the rotations of `n` columns, which are padded to an even number.
struct Plan {
    /// Half of the number of columns.
    half: Dim,
    /// The number of columns, and those that pad them.
    columns: Dim,
    padding: Dim,
    /// The number of steps, as the sequence of a loop.
    steps: Value,
    length: Dim,
    /// The permutation of the columns after a step.
    order: Value,
}

impl Plan {
    fn new(cx: &mut LowerCx<'_>, n: usize) -> Result<Self> {
        if n > MOST {
            let message =
                format!("expected matrices of at most {MOST} columns for eigenvalues or singular values, found {n}");
            return Err(Error::unsupported(message));
        }
        let columns = n.next_multiple_of(2).max(2);
        let half = columns / 2;
        // As in a tournament, where one player keeps the place and the others move around the tables.
        let moved = |place: usize| match place {
            0 => 0,
            1 if half > 1 => half,
            place if place < half => place - 1,
            place if place + 1 < columns => place + 1,
            _ if half > 1 => half - 1,
            place => place,
        };
        let order = Data::Int((0..columns).map(|place| moved(place) as i64).collect());
        let order = cx.constant(Array::new(ElementType::I64, [columns], order)?)?;
        let length = cx.number(SWEEPS * (columns - 1));
        let steps = cx.iota(0, &[length], ElementType::I64)?;
        let (half, padding) = (cx.number(half), cx.number(columns - n));
        Ok(Plan { half, columns: cx.number(columns), padding, steps, length, order })
    }

    /// The first or the second half of an axis.
    fn halves(&self, b: &mut Builder, x: Value, axis: usize) -> Result<(Value, Value)> {
        let first = b.slice_axis(x, axis, Range { start: Dim::ZERO, len: self.half, step: 1 })?;
        let second = b.slice_axis(x, axis, Range { start: self.half, len: self.half, step: 1 })?;
        Ok((first, second))
    }

    /// Rotates pairs along an axis and permutes it.
    fn rotated(&self, b: &mut Builder, x: Value, axis: usize, turn: Turn, order: Value) -> Result<Value> {
        let (p, q) = self.halves(b, x, axis)?;
        // The differences are small for small angles, and so are their rounding errors (Rutishauser).
        let more = b.mul(turn.half_tangent, p)?;
        let more = b.add(q, more)?;
        let more = b.mul(turn.sine, more)?;
        let first = b.sub(p, more)?;
        let less = b.mul(turn.half_tangent, q)?;
        let less = b.sub(p, less)?;
        let less = b.mul(turn.sine, less)?;
        let second = b.add(q, less)?;
        let both = b.concat(&[first, second], axis)?;
        b.gather(both, order, axis, Bounds::Clamp)
    }

    /// An identity matrix for each entry of `like [batch, ..]`.
    fn units(&self, cx: &mut LowerCx<'_>, like: Value) -> Result<Value> {
        let row = cx.iota(1, &[Dim::ONE, self.columns, Dim::ONE], ElementType::I64)?;
        let column = cx.iota(2, &[Dim::ONE, Dim::ONE, self.columns], ElementType::I64)?;
        let equal = cx.compare(CompareOp::Eq, row, column)?;
        let one = cx.cast_like(equal, like)?;
        let batch = cx.dims_of(like)[0];
        cx.broadcast_to(one, &[batch, self.columns, self.columns])
    }
}

/// The sine of an angle for each pair, and the tangent of half of it.
#[derive(Clone, Copy)]
struct Turn {
    sine: Value,
    half_tangent: Value,
}

impl Turn {
    /// The smaller rotation after which the symmetric matrix with the elements `[[p, between], [between, q]]` is
    /// diagonal.
    fn of(b: &mut Builder, p: Value, q: Value, between: Value) -> Result<Self> {
        let element = b.ty(p).element;
        let (zero, one) = (b.scalar(element, 0.0)?, b.scalar(element, 1.0)?);
        // An angle that is too small changes nothing, and its cotangent has no square.
        let difference = b.sub(q, p)?;
        let (size, distance) = (b.unary(UnaryOp::Abs, between)?, b.unary(UnaryOp::Abs, difference)?);
        let least = b.binary_scalar(BinaryOp::Mul, distance, SMALLEST_ANGLE)?;
        let least = b.binary_scalar(BinaryOp::Max, least, SMALLEST)?;
        let done = b.compare(CompareOp::Le, size, least)?;
        let divisor = b.add(between, between)?;
        let divisor = b.select(done, one, divisor)?;
        // The cotangent of the double angle.
        let double = b.div(difference, divisor)?;
        let size = b.unary(UnaryOp::Abs, double)?;
        let square = b.mul(double, double)?;
        let square = b.add(square, one)?;
        let root = b.unary(UnaryOp::Sqrt, square)?;
        let sum = b.add(size, root)?;
        let tangent = b.div(one, sum)?;
        let negative = b.unary(UnaryOp::Neg, tangent)?;
        let below = b.compare(CompareOp::Lt, double, zero)?;
        let tangent = b.select(below, negative, tangent)?;
        let tangent = b.select(done, zero, tangent)?;
        let square = b.mul(tangent, tangent)?;
        let square = b.add(square, one)?;
        let root = b.unary(UnaryOp::Sqrt, square)?;
        let sum = b.add(one, root)?;
        let half_tangent = b.div(tangent, sum)?;
        // The sine of twice the angle whose tangent was rounded, so that the columns keep their lengths.
        let square = b.mul(half_tangent, half_tangent)?;
        let square = b.add(square, one)?;
        let double = b.add(half_tangent, half_tangent)?;
        Ok(Turn { sine: b.div(double, square)?, half_tangent })
    }

    /// The same for pairs of rows of `[batch, rows, columns]`.
    fn of_rows(self, b: &mut Builder) -> Result<Self> {
        let half_tangent = b.transpose(self.half_tangent, &[0, 2, 1])?;
        Ok(Turn { sine: b.transpose(self.sine, &[0, 2, 1])?, half_tangent })
    }
}

/// Matrices divided by their largest elements, and these `[batch, 1, 1]`, so that no square overflows.
fn scaled(cx: &mut LowerCx<'_>, a: Value) -> Result<(Value, Value)> {
    let size = cx.unary(UnaryOp::Abs, a)?;
    let scale = cx.reduce(ReduceOp::Max, size, &[1, 2], true)?;
    let none = cx.compare_scalar(CompareOp::Eq, scale, 0.0)?;
    let one = cx.scalar_like(scale, 1.0)?;
    let scale = cx.select(none, one, scale)?;
    let a = cx.div(a, scale)?;
    Ok((a, scale))
}

/// Pads axes of `[batch, rows, columns]` with zeros.
fn padded(cx: &mut LowerCx<'_>, x: Value, axes: &[usize], more: Dim) -> Result<Value> {
    let mut padding = vec![Padding::NONE; cx.ty(x).rank()];
    for &axis in axes {
        padding[axis].high = more;
    }
    cx.pad(x, &padding, 0.0)
}

/// The first `n` elements of an axis.
fn first(cx: &mut LowerCx<'_>, x: Value, axis: usize, n: usize) -> Result<Value> {
    let len = cx.number(n);
    cx.slice_axis(x, axis, Range { start: Dim::ZERO, len, step: 1 })
}

/// The columns of `x [batch, rows, n]` in the order of `places [batch, n]`.
fn ordered(cx: &mut LowerCx<'_>, x: Value, places: Value) -> Result<Value> {
    let n = cx.dims_of(x)[2];
    let element = cx.ty(x).element;
    let rows = cx.one_hot(places, n, element)?;
    cx.dot(x, rows, &[(0, 0)], &[(2, 2)])
}

/// The eigenvalues `[batch, n]` of symmetric matrices `[batch, n, n]` of known size in ascending order, and the
/// eigenvectors as columns, if they are wanted.
///
/// # Errors
/// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a large matrix.
pub(super) fn eigen(cx: &mut LowerCx<'_>, a: Value, n: usize, vectors: bool) -> Result<(Value, Option<Value>)> {
    let plan = Plan::new(cx, n)?;
    let (a, scale) = scaled(cx, a)?;
    let a = padded(cx, a, &[1, 2], plan.padding)?;
    let row = cx.iota(1, &[Dim::ONE, plan.half, Dim::ONE], ElementType::I64)?;
    let column = cx.iota(2, &[Dim::ONE, Dim::ONE, plan.half], ElementType::I64)?;
    let on_diagonal = cx.compare(CompareOp::Eq, row, column)?;
    let mut carries = vec![a];
    if vectors {
        carries.push(plan.units(cx, a)?);
    }
    let over = Loop {
        carries: &carries,
        sequences: &[plan.steps],
        invariants: &[plan.order, on_diagonal],
        length: plan.length,
        axis: 0,
        reverse: false,
    };
    let (finals, _) = cx.scan(over, |b, carries, _, invariants| {
        let (order, on_diagonal) = (invariants[0], invariants[1]);
        let (upper, lower) = plan.halves(b, carries[0], 1)?;
        let ((p, between), (_, q)) = (plan.halves(b, upper, 2)?, plan.halves(b, lower, 2)?);
        let mut diagonal = |x| {
            let zero = b.scalar(b.ty(x).element, 0.0)?;
            let kept = b.select(on_diagonal, x, zero)?;
            b.reduce(ReduceOp::Sum, kept, &[1], true)
        };
        let (p, q, between) = (diagonal(p)?, diagonal(q)?, diagonal(between)?);
        let turn = Turn::of(b, p, q, between)?;
        let of_rows = turn.of_rows(b)?;
        let turned = plan.rotated(b, carries[0], 1, of_rows, order)?;
        let mut next = vec![plan.rotated(b, turned, 2, turn, order)?];
        if let Some(&vectors) = carries.get(1) {
            next.push(plan.rotated(b, vectors, 2, turn, order)?);
        }
        Ok((next, Vec::new()))
    })?;
    let (row, column) = (
        cx.iota(1, &[Dim::ONE, plan.columns, Dim::ONE], ElementType::I64)?,
        cx.iota(2, &[Dim::ONE, Dim::ONE, plan.columns], ElementType::I64)?,
    );
    let on_diagonal = cx.compare(CompareOp::Eq, row, column)?;
    let zero = cx.scalar_like(a, 0.0)?;
    let values = cx.select(on_diagonal, finals[0], zero)?;
    let values = cx.reduce(ReduceOp::Sum, values, &[1], false)?;
    let values = first(cx, values, 1, n)?;
    let scale = cx.remove_axis(scale, 2)?;
    let values = cx.mul(values, scale)?;
    let (values, places) = cx.sort(values, 1, false)?;
    let vectors = match finals.get(1) {
        Some(&vectors) => {
            let kept = first(cx, vectors, 1, n)?;
            let kept = first(cx, kept, 2, n)?;
            Some(ordered(cx, kept, places)?)
        }
        None => None,
    };
    Ok((values, vectors))
}

/// Singular values and vectors of `[batch, rows, n]`.
pub(super) struct Singular {
    /// The largest element of each matrix, by which the others are divided, so that no square overflows:
    /// `[batch, 1, 1]`.
    pub(super) scale: Value,
    /// The singular values in descending order `[batch, n]`.
    pub(super) values: Value,
    /// The right singular vectors as columns `[batch, n, n]`, if they are wanted, and their products with the matrix,
    /// which are the left singular vectors times the singular values `[batch, rows, n]`.
    pub(super) vectors: Option<(Value, Value)>,
}

/// The singular values of matrices `[batch, rows, n]` of a known number of columns.
///
/// # Errors
/// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a large matrix.
pub(super) fn singular(cx: &mut LowerCx<'_>, a: Value, n: usize, vectors: bool) -> Result<Singular> {
    let plan = Plan::new(cx, n)?;
    let (a, scale) = scaled(cx, a)?;
    let a = padded(cx, a, &[2], plan.padding)?;
    let mut carries = vec![a];
    if vectors {
        carries.push(plan.units(cx, a)?);
    }
    let over = Loop {
        carries: &carries,
        sequences: &[plan.steps],
        invariants: &[plan.order],
        length: plan.length,
        axis: 0,
        reverse: false,
    };
    let (finals, _) = cx.scan(over, |b, carries, _, invariants| {
        let order = invariants[0];
        let (p, q) = plan.halves(b, carries[0], 2)?;
        let mut product = |x, y| {
            let products = b.mul(x, y)?;
            b.reduce(ReduceOp::Sum, products, &[1], true)
        };
        let (of_p, of_q, between) = (product(p, p)?, product(q, q)?, product(p, q)?);
        let turn = Turn::of(b, of_p, of_q, between)?;
        let next = carries.iter().map(|&x| plan.rotated(b, x, 2, turn, order)).collect::<Result<_>>()?;
        Ok((next, Vec::new()))
    })?;
    let products = first(cx, finals[0], 2, n)?;
    let squares = cx.mul(products, products)?;
    let squares = cx.reduce(ReduceOp::Sum, squares, &[1], false)?;
    // The root has no derivative at 0.
    let none = cx.compare_scalar(CompareOp::Eq, squares, 0.0)?;
    let (zero, one) = (cx.scalar_like(squares, 0.0)?, cx.scalar_like(squares, 1.0)?);
    let squares = cx.select(none, one, squares)?;
    let values = cx.unary(UnaryOp::Sqrt, squares)?;
    let values = cx.select(none, zero, values)?;
    let (values, places) = cx.sort(values, 1, true)?;
    let vectors = match finals.get(1) {
        Some(&vectors) => {
            let kept = first(cx, vectors, 1, n)?;
            let kept = first(cx, kept, 2, n)?;
            Some((ordered(cx, kept, places)?, ordered(cx, products, places)?))
        }
        None => None,
    };
    let of_values = cx.remove_axis(scale, 2)?;
    let values = cx.mul(values, of_values)?;
    Ok(Singular { scale, values, vectors })
}
