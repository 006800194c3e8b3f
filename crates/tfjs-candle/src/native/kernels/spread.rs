//! Joint iteration over several values, row by row: for broadcasting, slices, reductions and rearrangements.

use tfjs_ir::Clock;
use tfjs_manifest::{Error, Result};

/// Nested loops over one shape, with a stride in each of `N` values. Adjacent axes are merged if all strides allow it.
#[derive(Clone, Debug)]
pub(super) struct Spread<const N: usize> {
    outer: Vec<Axis<N>>,
    /// The number of elements of a row, the innermost loop.
    pub(super) inner: usize,
    /// The stride of the elements of a row, in each value.
    pub(super) steps: [isize; N],
    start: [isize; N],
}

#[derive(Clone, Copy, Debug)]
struct Axis<const N: usize> {
    len: usize,
    steps: [isize; N],
}

impl<const N: usize> Spread<N> {
    /// Iterates over a shape, given the strides and the first offset of each value. `lengths` are the lengths of the
    /// values.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) if an offset would be outside a value.
    pub(super) fn new(dims: &[usize], strides: [&[isize]; N], start: [usize; N], lengths: [usize; N]) -> Result<Self> {
        let mut axes: Vec<Axis<N>> = Vec::with_capacity(dims.len());
        for (axis, &len) in dims.iter().enumerate() {
            if len == 1 {
                continue;
            }
            let mut steps = [0; N];
            for (step, strides) in steps.iter_mut().zip(strides) {
                *step = *strides.get(axis).ok_or_else(|| Error::bug("a walk over axes that a value does not have"))?;
            }
            match axes.last_mut() {
                Some(last) if (0..N).all(|i| steps[i].checked_mul(len as isize) == Some(last.steps[i])) => {
                    *last = Axis { len: last.len * len, steps };
                }
                _ => axes.push(Axis { len, steps }),
            }
        }
        let Axis { len: inner, steps } = axes.pop().unwrap_or(Axis { len: 1, steps: [1; N] });
        let spread = Spread { outer: axes, inner, steps, start: start.map(usize::cast_signed) };
        match spread.stays_within(lengths) {
            true => Ok(spread),
            false => Err(Error::bug("a walk that leaves its values")),
        }
    }

    fn stays_within(&self, lengths: [usize; N]) -> bool {
        let inner = Axis { len: self.inner, steps: self.steps };
        let axes = || self.outer.iter().chain([&inner]);
        if axes().any(|axis| axis.len == 0) {
            return true;
        }
        (0..N).all(|i| {
            let (mut low, mut high) = (self.start[i] as i128, self.start[i] as i128);
            for axis in axes() {
                let span = axis.steps[i] as i128 * (axis.len as i128 - 1);
                (low, high) = (low + span.min(0), high + span.max(0));
            }
            low >= 0 && high < lengths[i] as i128
        })
    }

    /// Calls `f` with the offset of each row in each value, in row-major order.
    pub(super) fn rows(&self, mut f: impl FnMut([usize; N])) {
        if self.inner > 0 {
            walk(&self.outer, self.start, &mut f);
        }
    }
}

fn walk<const N: usize>(axes: &[Axis<N>], mut at: [isize; N], f: &mut impl FnMut([usize; N])) {
    // Offsets of rows are not negative, as `Spread::new` has checked.
    let Some((axis, rest)) = axes.split_first() else { return f(at.map(isize::cast_unsigned)) };
    for _ in 0..axis.len {
        walk(rest, at, f);
        at.iter_mut().zip(axis.steps).for_each(|(at, step)| *at += step);
    }
}

/// The strides of a row-major value.
pub(super) fn strides(dims: &[usize]) -> Vec<isize> {
    let mut strides = vec![1isize; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(dims[axis].cast_signed());
    }
    strides
}

/// The strides that broadcast a value of shape `from` to `to`, aligned at the last axis.
pub(super) fn broadcast_strides(from: &[usize], to: &[usize]) -> Vec<isize> {
    let new = to.len().saturating_sub(from.len());
    let own = from.iter().zip(strides(from)).map(|(&dim, stride)| if dim == 1 { 0 } else { stride });
    std::iter::repeat_n(0, new).chain(own).collect()
}

/// The number of elements of a shape.
pub(super) fn count(dims: &[usize]) -> usize {
    dims.iter().product()
}

/// An iteration over two operands that broadcast to a result, and the result.
pub(super) fn pairs(a: &[usize], b: &[usize], out: &[usize]) -> Result<Spread<3>> {
    let (x, y) = (broadcast_strides(a, out), broadcast_strides(b, out));
    Spread::new(out, [&x, &y, &strides(out)], [0; 3], [count(a), count(b), count(out)])
}

/// Copies elements from one value to another.
pub(super) fn copy<T: Copy>(spread: &Spread<2>, from: &[T], to: &mut [T]) {
    let n = spread.inner;
    spread.rows(|[i, j]| match spread.steps {
        [1, 1] => to[j..j + n].copy_from_slice(&from[i..i + n]),
        [0, 1] => to[j..j + n].fill(from[i]),
        [step, stride] => {
            let (mut i, mut j) = (i.cast_signed(), j.cast_signed());
            for _ in 0..n {
                to[j.cast_unsigned()] = from[i.cast_unsigned()];
                (i, j) = (i + step, j + stride);
            }
        }
    });
}

/// Elements that [`zip`] computes between two looks at the clock.
const BLOCK: usize = 1 << 16;

/// `out = f(a, b)` for each pair, with loops that vectorize.
///
/// # Errors
/// A deadline that has passed.
pub(super) fn zip<A: Copy, B: Copy, R: Copy>(
    spread: &Spread<3>,
    a: &[A],
    b: &[B],
    out: &mut [R],
    clock: &Clock,
    f: impl Fn(A, B) -> R,
) -> Result<()> {
    let n = spread.inner;
    let mut row = |[i, j, o]: [usize; 3]| {
        let out = &mut out[o..o + n];
        let (a, b) = (&a[i..], &b[j..]);
        match spread.steps {
            [0, 0, _] => {
                clock.look(n)?;
                out.fill(f(a[0], b[0]));
            }
            [_, 0, _] => {
                for (out, a) in out.chunks_mut(BLOCK).zip(a.chunks(BLOCK)) {
                    clock.look(out.len())?;
                    let y = b[0];
                    out.iter_mut().zip(a).for_each(|(out, &x)| *out = f(x, y));
                }
            }
            [0, _, _] => {
                for (out, b) in out.chunks_mut(BLOCK).zip(b.chunks(BLOCK)) {
                    clock.look(out.len())?;
                    let x = a[0];
                    out.iter_mut().zip(b).for_each(|(out, &y)| *out = f(x, y));
                }
            }
            _ => {
                for ((out, a), b) in out.chunks_mut(BLOCK).zip(a.chunks(BLOCK)).zip(b.chunks(BLOCK)) {
                    clock.look(out.len())?;
                    out.iter_mut().zip(a.iter().zip(b)).for_each(|(out, (&x, &y))| *out = f(x, y));
                }
            }
        }
        Ok(())
    };
    let mut result = Ok(());
    spread.rows(|at| {
        if result.is_ok() {
            result = row(at);
        }
    });
    result
}

/// Folds each element into the element of `out` at its offset.
pub(super) fn fold<T: Copy>(spread: &Spread<2>, values: &[T], out: &mut [T], f: impl Fn(T, T) -> T) {
    let n = spread.inner;
    spread.rows(|[i, o]| {
        let values = &values[i..i + n];
        match spread.steps[1] {
            0 => out[o] = values.iter().fold(out[o], |total, &x| f(total, x)),
            _ => out[o..o + n].iter_mut().zip(values).for_each(|(total, &x)| *total = f(*total, x)),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_that_step_alike_are_joined() {
        let spread = pairs(&[2, 3, 4], &[2, 3, 4], &[2, 3, 4]).unwrap();
        assert_eq!((spread.outer.len(), spread.inner, spread.steps), (0, 24, [1, 1, 1]));
        let spread = pairs(&[2, 3, 4], &[4], &[2, 3, 4]).unwrap();
        assert_eq!((spread.outer.len(), spread.inner, spread.steps), (1, 4, [1, 1, 1]));
        let spread = pairs(&[2, 3, 4], &[2, 1, 1], &[2, 3, 4]).unwrap();
        assert_eq!((spread.outer.len(), spread.inner, spread.steps), (1, 12, [1, 0, 1]));
    }

    #[test]
    fn pairs_broadcast() {
        let spread = pairs(&[2, 1], &[3], &[2, 3]).unwrap();
        let mut out = [0; 6];
        zip(&spread, &[10, 20], &[1, 2, 3], &mut out, &Clock::default(), |a, b| a + b).unwrap();
        assert_eq!(out, [11, 12, 13, 21, 22, 23]);
    }

    #[test]
    fn a_walk_outside_of_its_values_is_an_error() {
        assert!(Spread::new(&[4], [&[1], &[1]], [1, 0], [4, 4]).is_err());
        assert!(Spread::new(&[4], [&[-1], &[1]], [2, 0], [4, 4]).is_err());
        assert!(Spread::new(&[4], [&[-1], &[1]], [3, 0], [4, 4]).is_ok());
        assert!(Spread::new(&[0, 4], [&[9, 9], &[4, 1]], [7, 0], [0, 0]).is_ok());
    }

    #[test]
    fn sums_over_any_axes() {
        let values: Vec<i32> = (0..12).collect();
        let fold_to = |strides_out: &[isize], n: usize| {
            let spread = Spread::new(&[2, 3, 2], [&strides(&[2, 3, 2]), strides_out], [0, 0], [12, n]).unwrap();
            let mut out = vec![0; n];
            fold(&spread, &values, &mut out, |a, b| a + b);
            out
        };
        assert_eq!(fold_to(&[0, 1, 0], 3), [14, 22, 30]);
        assert_eq!(fold_to(&[1, 0, 0], 2), [15, 51]);
        assert_eq!(fold_to(&[0, 0, 1], 2), [30, 36]);
    }
}
