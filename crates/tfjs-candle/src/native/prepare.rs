//! Prepares a program for kernel selection: folds normalizations, expands composites without a kernel, removes
//! duplicates.

use super::affine::{self, KnownDerived};
use super::{depth, kernels, pads, transposed};
use tfjs_ir::pass::{common_subexpressions, dead_code, movement};
use tfjs_ir::prim::normalize::Norm;
use tfjs_ir::rewrite::{Within, rewrite};
use tfjs_ir::{Class, Dim, Prim, Program, Value, expand};
use tfjs_manifest::Result;

/// The program in the form that kernels match.
///
/// # Errors
/// [`Kind::Limit`](tfjs_manifest::Kind::Limit) for a program whose expansion is too large.
pub(super) fn prepare(program: &Program) -> Result<Program> {
    let guards = program.guards.clone();
    // Normalizations by fixed statistics are folded first: after expansion they cannot be recognized.
    let program = expand_odd(&affine::fold_batch_norms(program)?)?;
    let program = depth::as_images(&transposed::as_convolutions(&expand(&program, &has_kernel)?)?)?;
    let program = dead_code(&movement(&common_subexpressions(&program)?)?)?;
    let program = affine::collapse(&program)?;
    // Guards that rewritten nodes add can fail only if their result is empty, so the original guards suffice.
    Ok(Program { guards, ..dead_code(&pads::fold_pads(&program)?)? })
}

/// Whether there is a kernel for a composite. If it does not claim unusual operands, they run in the interpreter.
fn has_kernel(prim: &Prim) -> bool {
    match prim {
        Prim::Activate(_) | Prim::Rnn(_) | Prim::OneHot(_) => true,
        Prim::Softmax(softmax) => !softmax.log,
        Prim::Normalize(normalize) => normalize.norm == Norm::Layer,
        Prim::Pool(pool) => kernels::has_pool(pool),
        _ => false,
    }
}

/// Expands composites whose operands no kernel takes: statistics of axes other than the last ones, and computed
/// weights.
fn expand_odd(program: &Program) -> Result<Program> {
    let mut known = KnownDerived::of(program);
    rewrite(program, Within::Body, &mut |b, node, operands| {
        known.update(b);
        if node.prim.class() != Class::Composite || !has_kernel(&node.prim) {
            return Ok(None);
        }
        let trailing = |axes: &[usize]| {
            let rank = operands.first().map_or(0, |&x| b.ty(x).rank());
            axes.iter().copied().eq(axes.first().copied().unwrap_or(rank)..rank)
        };
        let fits = match &node.prim {
            Prim::Softmax(softmax) => trailing(&softmax.axes),
            Prim::Normalize(normalize) => {
                // The same parameters for each row, and not different ones for each group of channels.
                let one_row = |value: Value| {
                    let dims = &b.ty(value).dims;
                    dims.iter().rev().skip(normalize.axes.len()).all(|&dim| dim == Dim::ONE)
                };
                let parameters = || operands.iter().skip(1).copied();
                trailing(&normalize.axes) && parameters().all(|value| known.get(value) && one_row(value))
            }
            Prim::Rnn(rnn) => operands.iter().skip(1).take(2 + usize::from(rnn.bias)).all(|&value| known.get(value)),
            _ => true,
        };
        if fits { Ok(None) } else { node.prim.expand(b, operands) }
    })
}
