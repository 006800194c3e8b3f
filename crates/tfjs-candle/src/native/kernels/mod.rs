//! The kernels, one file for each, and the list that registers them.
//!
//! A kernel is asked about each node of the primitives it is listed for, and may claim it. Unclaimed nodes run in the
//! interpreter; opaque functions are called directly.

mod activate;
mod arg_reduce;
mod compare;
mod concat;
mod conv;
mod conv_input;
mod conv_kernel;
mod cumulative;
mod dense;
mod depthwise;
mod gather;
mod lanes;
mod layer_norm;
mod matmul;
mod one_hot;
mod opaque;
mod pairs;
mod pool;
mod reduce;
mod reference;
mod rnn;
mod scale_shift;
pub(super) mod scan;
mod scatter_add;
mod select;
mod softmax;
mod sort;
mod source;
mod spread;
mod strided;
mod taps;
mod transpose;
mod unary;
mod windows;

use super::kernel::Claim;
use super::view::View;
pub(super) use pool::has_kernel as has_pool;
use tfjs_ir::PrimKind;

/// Calls a macro with every kernel: its file, and the primitives it may claim.
macro_rules! for_each_kernel {
    ($callback:ident) => {
        $callback! {
            dense: Dot;
            matmul: Dot;
            conv: Conv;
            depthwise: Conv;
            conv_input: ConvInput;
            conv_kernel: ConvKernel;
            pool: Pool;
            softmax: Softmax;
            layer_norm: Normalize;
            rnn: Rnn;
            activate: Activate;
            scale_shift: Binary;
            pairs: Binary;
            unary: Unary, Cast;
            compare: Compare;
            select: Select;
            reduce: Reduce, SumTo;
            arg_reduce: ArgReduce;
            cumulative: Cumulative;
            sort: Sort;
            gather: Gather;
            scatter_add: ScatterAdd;
            one_hot: OneHot;
            concat: Concat;
            transpose: Transpose;
            strided: Broadcast, Slice, Pad, Reverse;
            source: Sizes, Iota, Random;
        }
    };
}

macro_rules! list {
    ($($file:ident: $($anchor:ident),+;)*) => {
        /// The claim with the highest benefit on a node.
        fn best(view: View<'_>, node: usize) -> Option<Claim> {
            let kind = view.node(node).prim.kind();
            let mut best: Option<Claim> = None;
            $(
                if matches!(kind, $(PrimKind::$anchor)|+)
                    && let Some(claim) = $file::claim(view, node)
                    && best.as_ref().is_none_or(|best| best.benefit < claim.benefit)
                {
                    best = Some(claim);
                }
            )*
            best
        }
    };
}
for_each_kernel!(list);

/// The claim that computes a node.
pub(super) fn claim(view: View<'_>, node: usize) -> Claim {
    best(view, node).or_else(|| opaque::claim(view, node)).unwrap_or_else(|| reference::claim(view, node))
}
