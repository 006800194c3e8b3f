//! Comparisons of pairs of elements.

use super::pairs::each;
use super::spread::{Spread, pairs};
use crate::native::buffer::{Element, Repr, with_element};
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use tfjs_ir::Prim;
use tfjs_ir::prim::elementwise::CompareOp;
use tfjs_manifest::{Error, Result};

#[derive(Debug)]
struct Compare {
    op: CompareOp,
    repr: Repr,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::Compare(compare), &[a, b]) = (&node.prim, &node.operands[..]) else { return None };
    let kernel = Compare { op: compare.op, repr: Repr::of(view.element(a)).ok()? };
    view.all_plain(node).then(|| Claim::of(kernel, index, [a, b], node.results.clone()))
}

impl Kernel for Compare {
    fn describe(&self) -> String {
        format!("compare {}", self.op.name())
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let [a, b] = &shapes.operands[..] else { return Err(Error::bug("expected two operands")) };
        let spread = pairs(a, b, shapes.result())?;
        with_element!(self.repr, T => Ok(prepared::<T>(self.op, spread)), text => Err(Error::bug("text is compared on the host")))
    }
}

fn prepared<T: Element>(op: CompareOp, spread: Spread<3>) -> Prepared {
    match op {
        CompareOp::Eq => each(spread, |a: T, b: T| a == b),
        CompareOp::Ne => each(spread, |a: T, b: T| a != b),
        CompareOp::Lt => each(spread, |a: T, b: T| a < b),
        CompareOp::Le => each(spread, |a: T, b: T| a <= b),
        CompareOp::Gt => each(spread, |a: T, b: T| a > b),
        CompareOp::Ge => each(spread, |a: T, b: T| a >= b),
    }
}
