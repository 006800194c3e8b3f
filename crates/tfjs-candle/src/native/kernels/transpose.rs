//! Permutation of axes, in squares that stay in the cache.

use crate::native::buffer::{Element, Repr, with_element};
use crate::native::io::rejected;
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use tfjs_ir::Prim;
use tfjs_kernels::transpose;
use tfjs_manifest::{Error, Result};

#[derive(Debug)]
struct Transpose {
    order: Vec<usize>,
    repr: Repr,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::Transpose(transpose), &[x]) = (&node.prim, &node.operands[..]) else { return None };
    let kernel = Transpose { order: transpose.order.clone(), repr: Repr::of(view.element(x)).ok()? };
    view.all_plain(node).then(|| Claim::of(kernel, index, [x], node.results.clone()))
}

impl Kernel for Transpose {
    fn describe(&self) -> String {
        "transpose".to_string()
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let (dims, order) = (shapes.operand().to_vec(), self.order.clone());
        with_element!(self.repr, T => Ok(prepared::<T>(dims, order)), text => Err(Error::bug("text is not transposed")))
    }
}

fn prepared<T: Element>(dims: Vec<usize>, order: Vec<usize>) -> Prepared {
    Prepared::new(move |io| {
        let x = io.ins.get::<T>(0)?;
        transpose(&dims, &order, x, io.outs.get(0)?).map_err(rejected)
    })
}
