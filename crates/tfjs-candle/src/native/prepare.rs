//! Prepares a program for kernels: folds normalizations, expands what has no kernel, tidies up.

use super::{affine, kernels, pads, transposed};
use tfjs_ir::pass::{common_subexpressions, dead_code, movement};
use tfjs_ir::prim::normalize::Norm;
use tfjs_ir::{Prim, Program, expand};
use tfjs_manifest::Result;

/// The program in the form that kernels look for.
///
/// # Errors
/// [`Kind::Limit`](tfjs_manifest::Kind::Limit) for a program whose expansion is too large.
pub(super) fn prepare(program: &Program) -> Result<Program> {
    // Normalizations by fixed statistics first: expanded, they could not be told from other arithmetic.
    let program = affine::fold_batch_norms(program)?;
    let program = transposed::as_convolutions(&expand(&program, &has_kernel)?)?;
    let program = dead_code(&movement(&common_subexpressions(&program)?)?)?;
    let program = affine::collapse(&program)?;
    dead_code(&pads::fold_pads(&program)?)
}

/// Whether a composite keeps its node. One that no kernel claims after all runs in the interpreter.
fn has_kernel(prim: &Prim) -> bool {
    let consecutive = |axes: &[usize]| axes.windows(2).all(|pair| pair[0] + 1 == pair[1]);
    match prim {
        Prim::Activate(_) | Prim::Rnn(_) | Prim::OneHot(_) => true,
        Prim::Softmax(softmax) => !softmax.log && consecutive(&softmax.axes),
        Prim::Normalize(normalize) => normalize.norm == Norm::Layer && consecutive(&normalize.axes),
        Prim::Pool(pool) => kernels::has_pool(pool),
        _ => false,
    }
}
