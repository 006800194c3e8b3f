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

/// A product with a matrix that is not packed, because its padding would take too much memory.
#[derive(Debug)]
struct Plain {
    k: usize,
    n: usize,
    /// Whether the matrix is `n` rows of `k`.
    transposed: bool,
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
    let format = Format::Matrix { k, n, transposed };
    let want = Want::Packed(kernel, format);
    if !view.spare(&want, format.padding()) {
        return Some(Claim::of(Plain { k, n, transposed }, index, [a, b], node.results.clone()).with_benefit(3));
    }
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

impl Kernel for Plain {
    fn describe(&self) -> String {
        "dense of a plain matrix".to_string()
    }

    fn prepare(&self, _shapes: &Shapes<'_>) -> Result<Prepared> {
        let Plain { k, n, transposed } = *self;
        Ok(Prepared::new(move |io| {
            let (a, matrix, clock) = (io.ins.get::<f32>(0)?, io.ins.get::<f32>(1)?, io.cx.clock());
            let out = io.outs.get::<f32>(0)?;
            if k == 0 {
                out.fill(0.0);
            }
            for (row, out) in a.chunks_exact(k.max(1)).zip(out.chunks_exact_mut(n.max(1))) {
                for (j, out) in out.iter_mut().enumerate() {
                    clock.look(k)?;
                    let (start, step) = if transposed { (j * k, 1) } else { (j, n) };
                    *out = sum_of_products(row, matrix.iter().skip(start).step_by(step));
                }
            }
            Ok(())
        }))
    }
}

/// The sum of products, of whose terms some are added before they are added to the total: this bounds rounding errors.
fn sum_of_products<'a>(row: &[f32], mut column: impl Iterator<Item = &'a f32>) -> f32 {
    const AT_ONCE: usize = 256;
    row.chunks(AT_ONCE).map(|some| some.iter().zip(column.by_ref()).map(|(x, y)| x * y).sum::<f32>()).sum()
}

#[cfg(test)]
mod tests {
    use crate::native::tests::{Case, input, weight};
    use tfjs_ir::ElementType::F32;

    /// Matrices of one column, each of which would take 60 MiB more if it was packed.
    #[test]
    fn narrow_matrices_are_packed_while_there_is_memory_for_their_padding() {
        let case = Case::new(|b| {
            let x = input(b, F32, &["n", "1048576"]);
            let mut products = Vec::new();
            for i in 0..6 {
                let k = 1 << 20;
                let w = weight(b, &if i % 2 == 0 { [k, 1] } else { [1, k] });
                products.push(b.dot(x, w, &[], &[(1, i % 2)])?);
            }
            Ok(products)
        });
        let plain = case.kernels().iter().filter(|kernel| kernel.contains("plain")).count();
        assert_eq!((plain, case.kernels().len()), (2, 6), "{:?}", case.kernels());
        case.agrees(&[1]);
    }
}
