//! Elementwise arithmetic: on two tensors, with broadcasting, or with one number per channel.

use crate::error::{Result, check_len, check_rule, product};
use crate::isa::Work;
use crate::simd::Simd;
use crate::{Cpu, KernelError, split};

/// An operation of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Binary {
    /// a + b.
    Add,
    /// a - b.
    Sub,
    /// a b.
    Mul,
    /// a / b.
    Div,
    /// The greater, NaN if either is.
    Max,
    /// The smaller, NaN if either is.
    Min,
    /// (a + b) / 2.
    Average,
}

/// `out[i] = op(a[i], b[i])`.
///
/// # Errors
/// If the lengths differ.
pub fn binary(cpu: &Cpu, op: Binary, a: &[f32], b: &[f32], out: &mut [f32]) -> Result<()> {
    check_len("a", out.len(), a.len())?;
    check_len("b", out.len(), b.len())?;
    split::rows(cpu, out, 1, 1, |first, part| {
        let (a, b) = (&a[first..first + part.len()], &b[first..first + part.len()]);
        cpu.isa().run(Pairs {
            op,
            a: a.as_ptr(),
            a_moves: true,
            b: b.as_ptr(),
            b_moves: true,
            out: part.as_mut_ptr(),
            len: part.len(),
        });
    });
    Ok(())
}

/// `values[i] = op(values[i], b[i])`.
///
/// # Errors
/// If the lengths differ.
pub fn binary_in_place(cpu: &Cpu, op: Binary, values: &mut [f32], b: &[f32]) -> Result<()> {
    check_len("b", values.len(), b.len())?;
    split::rows(cpu, values, 1, 1, |first, part| {
        let b = &b[first..first + part.len()];
        let (out, len) = (part.as_mut_ptr(), part.len());
        let a = out.cast_const();
        cpu.isa().run(Pairs { op, a, a_moves: true, b: b.as_ptr(), b_moves: true, out, len });
    });
    Ok(())
}

/// `out = op(a, b)` with NumPy's broadcasting: shapes are aligned at their last axes, and an axis that is missing
/// or has length 1 is repeated.
///
/// # Errors
/// If the shapes do not broadcast to `out_shape`, or a length does not match its shape.
#[allow(clippy::too_many_arguments, reason = "three slices with their shapes")]
pub fn binary_broadcast(
    cpu: &Cpu,
    op: Binary,
    a: &[f32],
    a_shape: &[usize],
    b: &[f32],
    b_shape: &[usize],
    out: &mut [f32],
    out_shape: &[usize],
) -> Result<()> {
    check_len("a", product("a", a_shape)?, a.len())?;
    check_len("b", product("b", b_shape)?, b.len())?;
    check_len("out", product("out", out_shape)?, out.len())?;
    let a_strides = broadcast_strides("a", a_shape, out_shape)?;
    let b_strides = broadcast_strides("b", b_shape, out_shape)?;
    if out.is_empty() {
        return Ok(());
    }
    let mut axes: Vec<Axis> = Vec::with_capacity(out_shape.len());
    for ((&len, &a), &b) in out_shape.iter().zip(&a_strides).zip(&b_strides) {
        if len == 1 {
            continue;
        }
        match axes.last_mut() {
            // Both operands are contiguous across the two axes, so they become one axis.
            Some(last) if last.a == a * len && last.b == b * len => {
                *last = Axis { len: last.len * len, a, b };
            }
            _ => axes.push(Axis { len, a, b }),
        }
    }
    let inner = axes.pop().unwrap_or(Axis { len: 1, a: 1, b: 1 });
    split::rows(cpu, out, inner.len, inner.len, |first, part| {
        for (i, row) in part.chunks_exact_mut(inner.len).enumerate() {
            let (mut at, mut a_start, mut b_start) = (first + i, 0, 0);
            for axis in axes.iter().rev() {
                a_start += at % axis.len * axis.a;
                b_start += at % axis.len * axis.b;
                at /= axis.len;
            }
            let (a, b) = (&a[a_start..], &b[b_start..]);
            let pairs = Pairs {
                op,
                a: a.as_ptr(),
                a_moves: inner.a > 0,
                b: b.as_ptr(),
                b_moves: inner.b > 0,
                out: row.as_mut_ptr(),
                len: row.len(),
            };
            // The unsafe reads below rely on this.
            assert!(a.len() > (inner.len - 1) * inner.a && b.len() > (inner.len - 1) * inner.b);
            cpu.isa().run(pairs);
        }
    });
    Ok(())
}

/// An axis with the strides of both operands; 0 where an operand is repeated.
#[derive(Clone, Copy, Debug)]
struct Axis {
    len: usize,
    a: usize,
    b: usize,
}

fn broadcast_strides(what: &'static str, shape: &[usize], out: &[usize]) -> Result<Vec<usize>> {
    check_rule(shape.len() <= out.len(), what, shape.len(), "must have no more axes than the output")?;
    let mut strides = vec![0; out.len()];
    let mut stride = 1usize;
    for (i, (&len, &out_len)) in shape.iter().zip(&out[out.len() - shape.len()..]).enumerate().rev() {
        check_rule(len == out_len || len == 1, what, len, "must be 1 or the output's length of the axis")?;
        if len == out_len && len > 1 {
            strides[out.len() - shape.len() + i] = stride;
        }
        // It overflows only if another axis is empty, and then nothing is read.
        stride = stride.wrapping_mul(len);
    }
    Ok(strides)
}

/// `out[i] = op(a[i or 0], b[i or 0])`. `out` is valid for writing `len` values; `a` and `b` are valid for reading
/// `len` values, or one value if they do not move; `a` may be `out`.
struct Pairs {
    op: Binary,
    a: *const f32,
    a_moves: bool,
    b: *const f32,
    b_moves: bool,
    out: *mut f32,
    len: usize,
}

impl Work for Pairs {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        macro_rules! each {
            ($x:ident, $y:ident => $e:expr) => {{
                let (to, len) = (self.out, self.len);
                let mut i = 0;
                while i < len {
                    let n = S::LANES.min(len - i);
                    // SAFETY: the pointers of `Pairs` are valid as documented there; `out` has `n` values from `i` on.
                    unsafe {
                        let $x = read(s, self.a, self.a_moves, i, n);
                        let $y = read(s, self.b, self.b_moves, i, n);
                        let value = $e;
                        if n == S::LANES { s.store(to.add(i), value) } else { s.store_first(to.add(i), n, value) }
                    }
                    i += n;
                }
            }};
        }
        let half = s.splat(0.5);
        match self.op {
            Binary::Add => each!(x, y => s.add(x, y)),
            Binary::Sub => each!(x, y => s.sub(x, y)),
            Binary::Mul => each!(x, y => s.mul(x, y)),
            Binary::Div => each!(x, y => s.div(x, y)),
            Binary::Max => each!(x, y => s.max_nan(x, y)),
            Binary::Min => each!(x, y => s.min_nan(x, y)),
            Binary::Average => each!(x, y => s.mul(s.add(x, y), half)),
        }
    }
}

/// # Safety
/// `p` is readable for `n` values from `i` on if `moves`, else for one.
#[inline(always)]
unsafe fn read<S: Simd>(s: S, p: *const f32, moves: bool, i: usize, n: usize) -> S::V {
    // SAFETY: guaranteed by the caller.
    unsafe {
        match (moves, n == S::LANES) {
            (true, true) => s.load(p.add(i)),
            (true, false) => s.load_first(p.add(i), n),
            (false, _) => s.splat(*p),
        }
    }
}

/// The `n` values of a slice from `i` on, as a vector.
///
/// # Safety
/// The slice has these values, and `n` is at most the length of a vector.
#[inline(always)]
pub(crate) unsafe fn read_vector<S: Simd>(s: S, slice: &[f32], i: usize, n: usize) -> S::V {
    // SAFETY: guaranteed by the caller.
    unsafe { read(s, slice.as_ptr(), true, i, n) }
}

/// `values[.., c] = values[.., c] * scale[c] + shift[c]`: a batch normalization that is not fused. The channels are
/// the last axis. Without a scale it is 1, and without a shift 0.
///
/// # Errors
/// If there are not as many scales or shifts as channels, or `values` is not a whole number of rows of channels.
pub fn scale_shift(
    cpu: &Cpu,
    channels: usize,
    scale: Option<&[f32]>,
    shift: Option<&[f32]>,
    values: &mut [f32],
) -> Result<()> {
    for (what, vector) in [("scale", scale), ("shift", shift)] {
        vector.map_or(Ok(()), |vector| check_len(what, channels, vector.len()))?;
    }
    if values.is_empty() {
        return Ok(());
    }
    if channels == 0 || !values.len().is_multiple_of(channels) {
        let expected = values.len() / channels.max(1) * channels;
        return Err(KernelError::Length { what: "values", expected, found: values.len() });
    }
    split::rows(cpu, values, channels, channels, |_, part| {
        cpu.isa().run(ScaleShift { channels, scale, shift, values: part });
    });
    Ok(())
}

struct ScaleShift<'a> {
    channels: usize,
    scale: Option<&'a [f32]>,
    shift: Option<&'a [f32]>,
    values: &'a mut [f32],
}

impl Work for ScaleShift<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let channels = self.channels;
        for row in self.values.chunks_exact_mut(channels) {
            let mut c = 0;
            while c < channels {
                let n = S::LANES.min(channels - c);
                // SAFETY: the row, scale and shift, if they exist, have `n` values from `c` on.
                unsafe {
                    let x = read(s, row.as_ptr(), true, c, n);
                    let scale = self.scale.map_or(s.splat(1.0), |scale| read(s, scale.as_ptr(), true, c, n));
                    let shift = self.shift.map_or(s.splat(0.0), |shift| read(s, shift.as_ptr(), true, c, n));
                    let (to, value) = (row.as_mut_ptr().add(c), s.add(s.mul(x, scale), shift));
                    if n == S::LANES { s.store(to, value) } else { s.store_first(to, n, value) }
                }
                c += n;
            }
        }
    }
}

#[cfg(test)]
mod tests;
