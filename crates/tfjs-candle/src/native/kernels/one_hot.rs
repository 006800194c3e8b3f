//! A row for each index, 1 at the index and 0 elsewhere.

use crate::native::buffer::{Element, Repr, Slice, wrong_type};
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use tfjs_ir::Prim;
use tfjs_manifest::{Error, Result};

#[derive(Debug)]
struct OneHot {
    repr: Repr,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::OneHot(one_hot), &[indices]) = (&node.prim, &node.operands[..]) else { return None };
    let kernel = OneHot { repr: Repr::of(one_hot.element).ok()? };
    view.all_plain(node).then(|| Claim::of(kernel, index, [indices], node.results.clone()))
}

impl Kernel for OneHot {
    fn describe(&self) -> String {
        "one_hot".to_string()
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let depth = shapes.result().last().copied().unwrap_or(0);
        Ok(match self.repr {
            Repr::F32 => prepared(depth, 0.0f32, 1.0),
            Repr::I32 => prepared(depth, 0i32, 1),
            Repr::I64 => prepared(depth, 0i64, 1),
            Repr::U8 => prepared(depth, 0u8, 1),
            Repr::Bool => prepared(depth, false, true),
            Repr::Text => return Err(Error::bug("one-hot rows of text")),
        })
    }
}

fn prepared<T: Element>(depth: usize, off: T, on: T) -> Prepared {
    Prepared::new(move |io| {
        let indices = io.ins.slice(0)?;
        let out = io.outs.get(0)?;
        out.fill(off);
        match indices {
            Slice::I32(indices) => set(indices, depth, on, out),
            Slice::I64(indices) => set(indices, depth, on, out),
            Slice::U8(indices) => set(indices, depth, on, out),
            _ => return Err(wrong_type()),
        }
        Ok(())
    })
}

fn set<T: Copy, I: Copy + Into<i64>>(indices: &[I], depth: usize, on: T, out: &mut [T]) {
    for (row, &index) in out.chunks_exact_mut(depth.max(1)).zip(indices) {
        if let Some(hot) = usize::try_from(index.into()).ok().and_then(|index| row.get_mut(index)) {
            *hot = on;
        }
    }
}
