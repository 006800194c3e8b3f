//! Concatenation along an axis.

use super::spread::count;
use crate::native::buffer::{Element, Repr, with_element};
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use tfjs_ir::Prim;
use tfjs_manifest::{Error, Result};

#[derive(Debug)]
struct Concat {
    axis: usize,
    repr: Repr,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let Prim::Concat(concat) = &node.prim else { return None };
    let kernel = Concat { axis: concat.axis, repr: Repr::of(view.element(node.results[0])).ok()? };
    view.all_plain(node).then(|| Claim::of(kernel, index, node.operands.clone(), node.results.clone()))
}

impl Kernel for Concat {
    fn describe(&self) -> String {
        "concat".to_string()
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        // For each index before the axis, a block of each operand.
        let widths: Vec<usize> =
            shapes.operands.iter().map(|dims| count(dims.get(self.axis..).unwrap_or(&[]))).collect();
        with_element!(self.repr, T => Ok(prepared::<T>(widths)), text => Err(Error::bug("text is not concatenated")))
    }
}

fn prepared<T: Element>(widths: Vec<usize>) -> Prepared {
    let total: usize = widths.iter().sum();
    Prepared::new(move |io| {
        let ins = io.ins;
        let out = io.outs.get::<T>(0)?;
        let mut start = 0;
        for (operand, &width) in widths.iter().enumerate().filter(|(_, width)| **width > 0) {
            let blocks = ins.get::<T>(operand)?.chunks_exact(width);
            for (block, row) in blocks.zip(out.chunks_exact_mut(total)) {
                row[start..start + width].copy_from_slice(block);
            }
            start += width;
        }
        Ok(())
    })
}
