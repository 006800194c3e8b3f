//! A product with a matrix of weights: dense layers, projections of attention, tied output layers.

use crate::native::fused::Fused;
use crate::native::io::rejected;
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use crate::native::want::{Format, Want};
use tfjs_ir::Prim;
use tfjs_kernels::gemm;
use tfjs_manifest::Result;

#[derive(Debug)]
struct Dense {
    k: usize,
    n: usize,
    fused: Fused,
}

/// Claims products that contract the last axes of a value with the first or the last axes of weights.
pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::Dot(dot), &[a, b]) = (&node.prim, &node.operands[..]) else { return None };
    let (kernel, dims) = view.derived_f32(b)?;
    let mut pairs = dot.contract.clone();
    pairs.sort_unstable();
    let rank = view.dims(a).len();
    let first = rank.checked_sub(pairs.len())?;
    // Whether the pairs are the last axes of `a` with the axes of the weights from `start` on, in order.
    let runs_from = |start: usize| pairs.iter().enumerate().all(|(i, &pair)| pair == (first + i, start + i));
    let other = dims.len().checked_sub(pairs.len())?;
    let transposed = match (runs_from(0), runs_from(other)) {
        (true, _) => false,
        (_, true) => true,
        _ => return None,
    };
    if !dot.batch.is_empty() || !view.is_computed(a) {
        return None;
    }
    let (rows, columns) = if transposed { (&dims[other..], &dims[..other]) } else { dims.split_at(pairs.len()) };
    let product = |dims: &[usize]| dims.iter().try_fold(1usize, |n, &dim| n.checked_mul(dim));
    let (k, n) = (product(rows)?, product(columns)?);
    let want = Want::Packed(kernel, Format::Matrix { k, n, transposed });
    let kernel = Dense { k, n, fused: Fused::new(n) };
    Some(Claim::of(kernel, index, [a], node.results.clone()).with_wants([want]).with_benefit(3))
}

impl Kernel for Dense {
    fn describe(&self) -> String {
        self.fused.describe("dense")
    }

    fn fused(&mut self) -> Option<&mut Fused> {
        Some(&mut self.fused)
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let Dense { k, n, fused } = *self;
        let elements: usize = shapes.result().iter().product();
        let m = elements.checked_div(n).unwrap_or(0);
        Ok(Prepared::new(move |io| {
            let (a, matrix, epilogue) = (io.ins.get::<f32>(0)?, io.matrix(0)?, fused.epilogue(io)?);
            let cpu = io.cx.cpu;
            gemm(cpu, m, a, k, matrix, io.outs.get(0)?, n, &epilogue).map_err(rejected)?;
            fused.finish(io)
        }))
    }
}
