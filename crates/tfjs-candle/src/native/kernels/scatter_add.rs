//! Slices added along an axis, one for each index: the gradient of a lookup in a table.

use super::spread::count;
use crate::native::buffer::{Element, Repr, Slice, wrong_type};
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use tfjs_ir::Prim;
use tfjs_ir::prim::index::Bounds;
use tfjs_manifest::{Error, Result};

#[derive(Debug)]
struct ScatterAdd {
    axis: usize,
    repr: Repr,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::ScatterAdd(scatter), &[base, _, _]) = (&node.prim, &node.operands[..]) else { return None };
    let kernel = ScatterAdd { axis: scatter.axis, repr: Repr::of(view.element(base)).ok()? };
    view.all_plain(node).then(|| Claim::of(kernel, index, node.operands.clone(), node.results.clone()))
}

impl Kernel for ScatterAdd {
    fn describe(&self) -> String {
        "scatter_add".to_string()
    }

    fn overwrites(&self) -> &[usize] {
        &[0]
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let dims = shapes.operand();
        let Some((&len, rest)) = dims.get(self.axis..).and_then(<[usize]>::split_first) else {
            return Err(Error::bug("slices added along an axis that does not exist"));
        };
        let inner = count(rest);
        match self.repr {
            Repr::F32 => Ok(prepared(len, inner, |to: &mut f32, x| *to += x)),
            Repr::I32 => Ok(prepared(len, inner, |to: &mut i32, n| *to = to.wrapping_add(n))),
            Repr::I64 => Ok(prepared(len, inner, |to: &mut i64, n| *to = to.wrapping_add(n))),
            Repr::U8 => Ok(prepared(len, inner, |to: &mut u8, n| *to = to.wrapping_add(n))),
            Repr::Bool | Repr::Text => Err(Error::bug("only numbers are added")),
        }
    }
}

fn prepared<T: Element>(len: usize, inner: usize, add: fn(&mut T, T)) -> Prepared {
    Prepared::new(move |io| {
        let (indices, slices) = (io.ins.slice(1)?, io.ins.get::<T>(2)?);
        let out = io.first_holding::<T>(0)?;
        match indices {
            Slice::I32(indices) => scatter(len, inner, indices, slices, out, add),
            Slice::I64(indices) => scatter(len, inner, indices, slices, out, add),
            Slice::U8(indices) => scatter(len, inner, indices, slices, out, add),
            _ => Err(wrong_type()),
        }
    })
}

/// Adds the slices in order, so that the sum is reproducible.
fn scatter<T: Element, I: Copy + Into<i64>>(
    len: usize,
    inner: usize,
    indices: &[I],
    slices: &[T],
    out: &mut [T],
    add: fn(&mut T, T),
) -> Result<()> {
    if out.is_empty() || slices.is_empty() {
        return Ok(());
    }
    let blocks = out.chunks_exact_mut(len * inner).zip(slices.chunks_exact(indices.len() * inner));
    for (out, slices) in blocks {
        for (slice, &index) in slices.chunks_exact(inner).zip(indices) {
            let row = Bounds::Clamp.row(index.into(), len)?;
            out[row * inner..(row + 1) * inner].iter_mut().zip(slice).for_each(|(to, &x)| add(to, x));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::native::tests::{check, input};
    use tfjs_ir::ElementType::{F32, I32, I64};

    #[test]
    fn rows_are_added_to_a_table() {
        for (element, axis) in [(F32, 0), (F32, 1), (I64, 0)] {
            let build = |b: &mut tfjs_ir::Builder| {
                let (base, ids) = (input(b, element, &["4", "k", "2"]), input(b, I32, &["n", "3"]));
                let rows = b.gather(base, ids, axis, tfjs_ir::prim::index::Bounds::Clamp)?;
                b.scatter_add(base, ids, rows, axis)
            };
            check(build, &[&[3, 2], &[3, 0], &[1, 4]]);
        }
    }
}
