//! Slices along an axis, one for each index: embeddings, lookups.

use super::spread::count;
use crate::native::buffer::{Element, Repr, Slice, with_element, wrong_type};
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use tfjs_ir::Prim;
use tfjs_ir::prim::index::Bounds;
use tfjs_manifest::{Error, Result};

#[derive(Debug)]
struct Gather {
    axis: usize,
    bounds: Bounds,
    repr: Repr,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::Gather(gather), &[x, _]) = (&node.prim, &node.operands[..]) else { return None };
    let kernel = Gather { axis: gather.axis, bounds: gather.bounds, repr: Repr::of(view.element(x)).ok()? };
    view.all_plain(node).then(|| Claim::of(kernel, index, node.operands.clone(), node.results.clone()))
}

impl Kernel for Gather {
    fn describe(&self) -> String {
        "gather".to_string()
    }

    fn always_runs(&self) -> bool {
        true
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let dims = shapes.operand();
        let Some((&len, rest)) = dims.get(self.axis..).and_then(<[usize]>::split_first) else {
            return Err(Error::bug("a gather along an axis that does not exist"));
        };
        let (inner, bounds) = (count(rest), self.bounds);
        with_element!(self.repr, T => Ok(prepared::<T>(len, inner, bounds)), text => Err(Error::bug("text is not gathered")))
    }
}

fn prepared<T: Element>(len: usize, inner: usize, bounds: Bounds) -> Prepared {
    Prepared::new(move |io| {
        let (x, indices) = (io.ins.get::<T>(0)?, io.ins.slice(1)?);
        let table = Table { x, len, inner, bounds };
        let out = io.outs.get(0)?;
        match indices {
            Slice::I32(indices) => table.gather(indices, out),
            Slice::I64(indices) => table.gather(indices, out),
            Slice::U8(indices) => table.gather(indices, out),
            _ => Err(wrong_type()),
        }
    })
}

struct Table<'a, T> {
    x: &'a [T],
    /// The number of rows of the axis, and of elements in a row.
    len: usize,
    inner: usize,
    bounds: Bounds,
}

impl<T: Element> Table<'_, T> {
    fn gather<I: Copy + Into<i64>>(&self, indices: &[I], out: &mut [T]) -> Result<()> {
        let Table { x, len, inner, bounds } = *self;
        if out.is_empty() {
            // No row is read, but an index outside of the table is an error all the same.
            return indices.iter().try_for_each(|&index| bounds.row(index.into(), len).map(drop));
        }
        for (outer, block) in out.chunks_exact_mut(indices.len() * inner).enumerate() {
            for (to, &index) in block.chunks_exact_mut(inner).zip(indices) {
                let row = outer * len + bounds.row(index.into(), len)?;
                to.copy_from_slice(&x[row * inner..(row + 1) * inner]);
            }
        }
        Ok(())
    }
}
