//! Softmax over the last axes, in place.

use crate::native::io::rejected;
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use tfjs_ir::Prim;
use tfjs_kernels::softmax;
use tfjs_manifest::Result;

#[derive(Debug)]
struct Softmax {
    /// The first of the reduced axes, which are the last ones of the operand.
    first: usize,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::Softmax(softmax), &[x]) = (&node.prim, &node.operands[..]) else { return None };
    let (first, rank) = (*softmax.axes.first()?, view.dims(x).len());
    if softmax.log || !view.is_f32(x) || !softmax.axes.iter().copied().eq(first..rank) {
        return None;
    }
    Some(Claim::of(Softmax { first }, index, [x], node.results.clone()))
}

impl Kernel for Softmax {
    fn describe(&self) -> String {
        "softmax".to_string()
    }

    fn overwrites(&self) -> &[usize] {
        &[0]
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let width = shapes.operand().iter().skip(self.first).product();
        Ok(Prepared::new(move |io| {
            let cpu = io.cx.cpu;
            softmax(cpu, width, io.first_holding(0)?).map_err(rejected)
        }))
    }
}
