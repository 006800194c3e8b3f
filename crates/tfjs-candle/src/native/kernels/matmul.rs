//! Products of two computed values: the scores and the sums of attention, batched matrix products.

use super::spread::{Spread, copy, count, strides};
use crate::native::io::rejected;
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use crate::native::want::padded;
use tfjs_ir::Prim;
use tfjs_ir::prim::linear::Dot;
use tfjs_kernels::{Epilogue, PackedMatrix, gemm};
use tfjs_manifest::{Error, Result};

#[derive(Debug)]
struct Matmul {
    dot: Dot,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::Dot(dot), &[a, b]) = (&node.prim, &node.operands[..]) else { return None };
    let kernel = Matmul { dot: dot.clone() };
    view.is_f32(a).then(|| Claim::of(kernel, index, [a, b], node.results.clone()))
}

impl Kernel for Matmul {
    fn describe(&self) -> String {
        "matmul".to_string()
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let [a, b] = &shapes.operands[..] else { return Err(Error::bug("a product without operands")) };
        if count(a) == 0 || count(b) == 0 {
            // The sum is empty, so every element of the product is 0.
            return Ok(Prepared::new(|io| {
                io.outs.get::<f32>(0)?.fill(0.0);
                Ok(())
            }));
        }
        let Dot { batch, contract } = &self.dot;
        let batch_axes: (Vec<usize>, Vec<usize>) = batch.iter().copied().unzip();
        let deep_axes: (Vec<usize>, Vec<usize>) = contract.iter().copied().unzip();
        let free = |dims: &[usize], batch: &[usize], deep: &[usize]| -> Vec<usize> {
            (0..dims.len()).filter(|axis| !batch.contains(axis) && !deep.contains(axis)).collect()
        };
        let rows = Side::new(a, &free(a, &batch_axes.0, &deep_axes.0), &deep_axes.0)?;
        let columns = Side::new(b, &deep_axes.1, &free(b, &batch_axes.1, &deep_axes.1))?;
        let lengths: Vec<usize> = batch_axes.0.iter().map(|&axis| a[axis]).collect();
        let own = |dims: &[usize], axes: &[usize]| axes.iter().map(|&axis| strides(dims)[axis]).collect::<Vec<_>>();
        let (from_a, from_b) = (own(a, &batch_axes.0), own(b, &batch_axes.1));
        let batches = Spread::new(&lengths, [&from_a, &from_b], [0, 0], [count(a), count(b)])?;
        let (room_a, room_b) = (rows.room(rows.has_contiguous_rows()), columns.room(columns.strides.is_some()));
        let scratch = room_a + room_b + padded(columns.outer, columns.inner);
        Ok(Prepared::new(move |io| {
            let (a, b) = (io.ins.get::<f32>(0)?, io.ins.get::<f32>(1)?);
            let (cpu, clock) = (io.cx.cpu, io.cx.clock());
            let out = io.outs.get::<f32>(0)?;
            let (m, k, n) = (rows.outer, rows.inner, columns.inner);
            let mut packed = PackedMatrix::zeroed(cpu.isa(), k, n).map_err(rejected)?;
            let (mut gathered_a, mut gathered_b) = (vec![0.0; room_a], vec![0.0; room_b]);
            let mut products = out.chunks_exact_mut((m * n).max(1));
            let mut result = Ok(());
            let mut one = |a_start: usize, b_start: usize| -> Result<()> {
                clock.look(m * n + k * n)?;
                let (a, b) = (&a[a_start..], &b[b_start..]);
                let product = products.next().ok_or_else(|| Error::bug("a product without a place"))?;
                let (values, row, column) = columns.strided(b, &mut gathered_b);
                packed.fill(values, row, column).map_err(rejected)?;
                let (left, lda) = rows.contiguous(a, &mut gathered_a);
                gemm(cpu, m, left, lda, &packed, product, n, &Epilogue::default()).map_err(rejected)
            };
            batches.rows(|[i, j]| {
                for step in 0..batches.inner {
                    let at = |start: usize, stride: isize| start + step * stride.cast_unsigned();
                    if result.is_ok() {
                        result = one(at(i, batches.steps[0]), at(j, batches.steps[1]));
                    }
                }
            });
            result
        })
        .with_scratch(scratch))
    }
}

/// One operand as matrices of `outer` rows and `inner` columns, in any layout.
#[derive(Debug)]
struct Side {
    outer: usize,
    inner: usize,
    /// The strides of rows and columns, if each is a single one.
    strides: Option<(usize, usize)>,
    /// Copies the matrix to row-major order, for any order of axes.
    gather: Spread<2>,
}

impl Side {
    fn new(dims: &[usize], outer: &[usize], inner: &[usize]) -> Result<Self> {
        let own = strides(dims);
        let axes: Vec<usize> = outer.iter().chain(inner).copied().collect();
        let lengths: Vec<usize> = axes.iter().map(|&axis| dims[axis]).collect();
        let from: Vec<isize> = axes.iter().map(|&axis| own[axis]).collect();
        let (rows, columns) = lengths.split_at(outer.len());
        let single = || Some((stride(rows, &from[..outer.len()])?, stride(columns, &from[outer.len()..])?));
        let size = count(&lengths);
        let gather = Spread::new(&lengths, [&from, &strides(&lengths)], [0, 0], [count(dims), size])?;
        Ok(Side { outer: count(rows), inner: count(columns), strides: single(), gather })
    }

    fn has_contiguous_rows(&self) -> bool {
        self.strides.is_some_and(|(_, column)| column == 1)
    }

    /// The number of elements of a gathered matrix; 0 if it is read in place.
    fn room(&self, as_it_lies: bool) -> usize {
        if as_it_lies { 0 } else { self.outer * self.inner }
    }

    /// The matrix with the strides of its rows and columns.
    fn strided<'a>(&self, values: &'a [f32], scratch: &'a mut [f32]) -> (&'a [f32], usize, usize) {
        match self.strides {
            Some((row, column)) => (values, row, column),
            None => {
                copy(&self.gather, values, scratch);
                (scratch, self.inner, 1)
            }
        }
    }

    /// The matrix with contiguous rows, and the stride between them.
    fn contiguous<'a>(&self, values: &'a [f32], scratch: &'a mut [f32]) -> (&'a [f32], usize) {
        match self.strides {
            Some((row, 1)) => (values, row),
            _ => {
                copy(&self.gather, values, scratch);
                (scratch, self.inner)
            }
        }
    }
}

/// The single stride between the elements of some axes, if there is one.
fn stride(lengths: &[usize], strides: &[isize]) -> Option<usize> {
    let mut axes = lengths.iter().zip(strides).filter(|(len, _)| **len != 1).rev();
    let Some((&len, &first)) = axes.next() else { return Some(1) };
    let mut expected = first.checked_mul(len.cast_signed())?;
    for (&len, &stride) in axes {
        if stride != expected {
            return None;
        }
        expected = expected.checked_mul(len.cast_signed())?;
    }
    usize::try_from(first).ok()
}
