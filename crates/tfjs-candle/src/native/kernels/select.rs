//! `condition ? a : b`, whose shapes broadcast.

use super::spread::{Spread, broadcast_strides, count, strides};
use crate::native::buffer::{Element, Repr, with_element};
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use tfjs_ir::Prim;
use tfjs_manifest::{Error, Result};

#[derive(Debug)]
struct Select {
    repr: Repr,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::Select(_), &[condition, a, b]) = (&node.prim, &node.operands[..]) else { return None };
    let kernel = Select { repr: Repr::of(view.element(a)).ok()? };
    view.all_plain(node).then(|| Claim::of(kernel, index, [condition, a, b], node.results.clone()))
}

impl Kernel for Select {
    fn describe(&self) -> String {
        "select".to_string()
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let out = shapes.result();
        let [condition, a, b] = &shapes.operands[..] else { return Err(Error::bug("a choice without operands")) };
        let steps = [condition, a, b].map(|dims| broadcast_strides(dims, out));
        let lengths = [count(condition), count(a), count(b), count(out)];
        let spread = Spread::new(out, [&steps[0], &steps[1], &steps[2], &strides(out)], [0; 4], lengths)?;
        with_element!(self.repr, T => Ok(prepared::<T>(spread)), text => Err(Error::bug("text is selected on the host")))
    }
}

fn prepared<T: Element>(spread: Spread<4>) -> Prepared {
    Prepared::new(move |io| {
        let (condition, a, b) = (io.ins.get::<bool>(0)?, io.ins.get::<T>(1)?, io.ins.get::<T>(2)?);
        let out = io.outs.get::<T>(0)?;
        let n = spread.inner;
        let [c_step, a_step, b_step, _] = spread.steps.map(isize::cast_unsigned);
        spread.rows(|[c, i, j, o]| {
            let row = out[o..o + n].iter_mut().enumerate();
            match (c_step, a_step, b_step) {
                (1, 1, 1) => {
                    let (condition, a, b) = (&condition[c..c + n], &a[i..i + n], &b[j..j + n]);
                    row.for_each(|(k, out)| *out = if condition[k] { a[k] } else { b[k] });
                }
                _ => row.for_each(|(k, out)| {
                    *out = if condition[c + k * c_step] { a[i + k * a_step] } else { b[j + k * b_step] };
                }),
            }
        });
        Ok(())
    })
}
