//! Data movement without arithmetic: concatenation, padding, transposition, for values of any type.

use crate::error::{Result, check_len, check_rule, product};

/// Concatenates tensors along an axis: each input is `outer` blocks of equal length, and each block of `out` consists
/// of one block of every input.
///
/// A tensor `[2, 3, 4]` that is concatenated along axis 1 is 2 blocks of 12 values.
///
/// # Errors
/// If an input is not `outer` whole blocks, or `out` is not as long as all inputs together.
pub fn concat<T: Copy>(outer: usize, inputs: &[&[T]], out: &mut [T]) -> Result<()> {
    let total = inputs.iter().map(|input| input.len()).sum();
    check_len("out", total, out.len())?;
    if total == 0 {
        return Ok(());
    }
    check_rule(outer > 0, "outer", outer, "must be at least 1 where there are values")?;
    for input in inputs {
        check_len("input", input.len() / outer * outer, input.len())?;
    }
    for (i, mut block) in out.chunks_exact_mut(total / outer).enumerate() {
        for input in inputs {
            let width = input.len() / outer;
            let (to, rest) = block.split_at_mut(width);
            to.copy_from_slice(&input[i * width..(i + 1) * width]);
            block = rest;
        }
    }
    Ok(())
}

/// Pads a tensor of `shape` with `value`: `before[i]` and `after[i]` values along axis `i`.
///
/// # Errors
/// If the arguments have different numbers of axes, or a length does not match.
pub fn pad<T: Copy>(
    shape: &[usize],
    input: &[T],
    before: &[usize],
    after: &[usize],
    value: T,
    out: &mut [T],
) -> Result<()> {
    check_len("before", shape.len(), before.len())?;
    check_len("after", shape.len(), after.len())?;
    check_len("input", product("input", shape)?, input.len())?;
    let out_shape = shape
        .iter()
        .zip(before)
        .zip(after)
        .map(|((&n, &b), &a)| n.checked_add(b)?.checked_add(a))
        .collect::<Option<Vec<usize>>>()
        .ok_or(crate::KernelError::TooLarge { what: "out" })?;
    check_len("out", product("out", &out_shape)?, out.len())?;
    out.fill(value);
    let Some((&width, outer)) = shape.split_last() else {
        out.copy_from_slice(input);
        return Ok(());
    };
    if input.is_empty() {
        return Ok(());
    }
    for (i, row) in input.chunks_exact(width).enumerate() {
        let (mut at, mut start, mut stride) = (i, before[outer.len()], out_shape[outer.len()]);
        for axis in (0..outer.len()).rev() {
            start += (at % shape[axis] + before[axis]) * stride;
            at /= shape[axis];
            stride *= out_shape[axis];
        }
        out[start..start + width].copy_from_slice(row);
    }
    Ok(())
}

/// Side of the squares that a transposition is split into: both sides of one stay in the first-level cache.
const SQUARE: usize = 16;

/// Axis `i` of `out` is axis `permutation[i]` of `input`, a tensor of `shape`.
///
/// # Errors
/// If `permutation` is not a permutation of the axes, or a length does not match.
pub fn transpose<T: Copy>(shape: &[usize], permutation: &[usize], input: &[T], out: &mut [T]) -> Result<()> {
    check_len("permutation", shape.len(), permutation.len())?;
    let mut seen = vec![false; shape.len()];
    for &axis in permutation {
        let first = seen.get_mut(axis).is_some_and(|seen| !std::mem::replace(seen, true));
        check_rule(first, "permutation", axis, "must name each axis once")?;
    }
    let len = product("input", shape)?;
    check_len("input", len, input.len())?;
    check_len("out", len, out.len())?;
    if len == 0 {
        return Ok(());
    }

    // The output's axes with their strides in the input; neighbouring axes are merged if they are contiguous there.
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    let mut axes: Vec<(usize, usize)> = Vec::with_capacity(shape.len());
    for &axis in permutation {
        let (n, stride) = (shape[axis], strides[axis]);
        if n == 1 {
            continue;
        }
        match axes.last_mut() {
            Some(last) if last.1 == n * stride => *last = (last.0 * n, stride),
            _ => axes.push((n, stride)),
        }
    }
    match axes.iter().position(|&(_, stride)| stride == 1) {
        None => out.copy_from_slice(input),
        Some(at) if at + 1 == axes.len() => copy_rows(&axes, input, out),
        Some(at) => transpose_squares(&axes, at, input, out),
    }
    Ok(())
}

/// The offset in the input of the value at `index` of the output's `axes`.
fn input_start(axes: &[(usize, usize)], mut index: usize) -> usize {
    let mut start = 0;
    for &(n, stride) in axes.iter().rev() {
        start += index % n * stride;
        index /= n;
    }
    start
}

/// For outputs whose last axis is the input's last axis.
fn copy_rows<T: Copy>(axes: &[(usize, usize)], input: &[T], out: &mut [T]) {
    let Some((&(width, _), outer)) = axes.split_last() else {
        return;
    };
    for (i, row) in out.chunks_exact_mut(width).enumerate() {
        let start = input_start(outer, i);
        row.copy_from_slice(&input[start..start + width]);
    }
}

/// For outputs whose axis `at`, not the last one, is the input's last axis.
fn transpose_squares<T: Copy>(axes: &[(usize, usize)], at: usize, input: &[T], out: &mut [T]) {
    let Some((&(width, width_stride), outer)) = axes.split_last() else {
        return;
    };
    let height = axes[at].0;
    // The stride from one row of a square to the next in the output.
    let height_stride: usize = axes[at + 1..].iter().map(|axis| axis.0).product();
    let rows: usize = outer.iter().map(|axis| axis.0).product();
    for i in 0..rows / height {
        // The output rows that differ only in axis `at`, starting at index 0.
        let inner = height_stride / width;
        let first_row = i / inner * inner * height + i % inner;
        let from = input_start(outer, first_row);
        let to = first_row * width;
        for y0 in (0..height).step_by(SQUARE) {
            for x0 in (0..width).step_by(SQUARE) {
                for y in y0..height.min(y0 + SQUARE) {
                    let row = &mut out[to + y * height_stride..][..width];
                    for (x, value) in row.iter_mut().enumerate().take(x0 + SQUARE).skip(x0) {
                        *value = input[from + y + x * width_stride];
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KernelError;

    #[test]
    fn tensors_are_joined_along_any_axis() {
        let (a, b) = ([1, 2, 3, 4], [5, 6]);
        let mut out = [0; 6];
        concat(1, &[&a, &b], &mut out).unwrap();
        assert_eq!(out, [1, 2, 3, 4, 5, 6]);
        concat(2, &[&a, &b], &mut out).unwrap();
        assert_eq!(out, [1, 2, 5, 3, 4, 6]);
        concat(2, &[&a, &[], &b], &mut out).unwrap();
        assert_eq!(out, [1, 2, 5, 3, 4, 6]);
        concat::<i32>(0, &[&[], &[]], &mut []).unwrap();
    }

    #[test]
    fn joining_what_does_not_fit_is_an_error() {
        let e = concat(1, &[&[1, 2], &[3]], &mut [0; 4]).unwrap_err();
        assert_eq!(e, KernelError::Length { what: "out", expected: 3, found: 4 });
        let e = concat(2, &[&[1, 2], &[3]], &mut [0; 3]).unwrap_err();
        assert_eq!(e, KernelError::Length { what: "input", expected: 0, found: 1 });
        let e = concat(0, &[&[1]], &mut [0]).unwrap_err();
        assert!(matches!(e, KernelError::Geometry { what: "outer", value: 0, .. }));
    }

    #[test]
    fn padding_surrounds() {
        let mut out = [0; 15];
        pad(&[1, 2], &[1, 2], &[1, 2], &[1, 1], 9, &mut out).unwrap();
        assert_eq!(out, [9, 9, 9, 9, 9, 9, 9, 1, 2, 9, 9, 9, 9, 9, 9]);
        let mut out = [0; 16];
        pad(&[2, 2, 2], &[1, 2, 3, 4, 5, 6, 7, 8], &[0, 1, 0], &[0, 1, 0], 0, &mut out).unwrap();
        assert_eq!(out, [0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 5, 6, 7, 8, 0, 0]);
        let mut out = [0];
        pad(&[], &[5], &[], &[], 1, &mut out).unwrap();
        assert_eq!(out, [5]);
        let mut out = [0; 2];
        pad(&[0], &[], &[1], &[1], 3, &mut out).unwrap();
        assert_eq!(out, [3, 3]);
    }

    #[test]
    fn padding_of_other_sizes_is_an_error() {
        let e = pad(&[2], &[1, 2], &[1], &[], 0, &mut [0; 3]).unwrap_err();
        assert_eq!(e, KernelError::Length { what: "after", expected: 1, found: 0 });
        let e = pad(&[2], &[1, 2], &[1], &[1], 0, &mut [0; 3]).unwrap_err();
        assert_eq!(e, KernelError::Length { what: "out", expected: 4, found: 3 });
        let e = pad(&[2], &[1, 2], &[usize::MAX], &[1], 0, &mut [0; 3]).unwrap_err();
        assert_eq!(e, KernelError::TooLarge { what: "out" });
    }

    #[track_caller]
    fn check_transpose(shape: &[usize], permutation: &[usize]) {
        let len: usize = shape.iter().product();
        let input: Vec<usize> = (0..len).collect();
        let mut out = vec![usize::MAX; len];
        transpose(shape, permutation, &input, &mut out).unwrap();
        for (i, &found) in out.iter().enumerate() {
            let mut index = vec![0; shape.len()];
            let mut rest = i;
            for &axis in permutation.iter().rev() {
                index[axis] = rest % shape[axis];
                rest /= shape[axis];
            }
            let expected = index.iter().zip(shape).fold(0, |at, (&i, &n)| at * n + i);
            assert_eq!(found, expected, "{shape:?} {permutation:?} at {i}");
        }
    }

    #[test]
    fn every_permutation_of_four_axes() {
        for shape in [[2, 3, 4, 5], [1, 17, 1, 33], [20, 2, 1, 19], [3, 1, 18, 2]] {
            for code in 0..256 {
                let permutation = [code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6];
                let mut sorted = permutation;
                sorted.sort_unstable();
                if sorted == [0, 1, 2, 3] {
                    check_transpose(&shape, &permutation);
                }
            }
        }
        check_transpose(&[], &[]);
        check_transpose(&[7], &[0]);
        check_transpose(&[0, 4], &[1, 0]);
        check_transpose(&[3, 2, 5, 4, 3], &[4, 1, 3, 0, 2]);
    }

    #[test]
    fn no_permutation_is_an_error() {
        let e = transpose(&[2, 2], &[0, 0], &[0; 4], &mut [0; 4]).unwrap_err();
        assert!(matches!(e, KernelError::Geometry { what: "permutation", value: 0, .. }));
        let e = transpose(&[2, 2], &[0, 2], &[0; 4], &mut [0; 4]).unwrap_err();
        assert!(matches!(e, KernelError::Geometry { what: "permutation", value: 2, .. }));
        let e = transpose(&[2, 2], &[0], &[0; 4], &mut [0; 4]).unwrap_err();
        assert_eq!(e, KernelError::Length { what: "permutation", expected: 2, found: 1 });
        let e = transpose(&[2, 2], &[1, 0], &[0; 3], &mut [0; 4]).unwrap_err();
        assert_eq!(e, KernelError::Length { what: "input", expected: 4, found: 3 });
    }
}
