//! Running sums and products along an axis.

use super::lanes::Lanes;
use crate::native::buffer::{Element, Repr, wrong_type};
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use tfjs_ir::Prim;
use tfjs_ir::prim::reduce::{self, RunningOp};
use tfjs_manifest::{Error, Result};

#[derive(Debug)]
struct Cumulative {
    attributes: reduce::Cumulative,
    repr: Repr,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::Cumulative(attributes), &[x]) = (&node.prim, &node.operands[..]) else { return None };
    let kernel = Cumulative { attributes: attributes.clone(), repr: Repr::of(view.element(x)).ok()? };
    view.all_plain(node).then(|| Claim::of(kernel, index, [x], node.results.clone()))
}

impl Kernel for Cumulative {
    fn describe(&self) -> String {
        format!("cumulative {}", self.attributes.op.name())
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let (attributes, lanes) = (self.attributes.clone(), Lanes::along(shapes.operand(), self.attributes.axis)?);
        match (self.repr, attributes.op) {
            (Repr::F32, RunningOp::Sum) => Ok(prepared(attributes, lanes, 0.0f32, |a, b| a + b)),
            (Repr::F32, RunningOp::Prod) => Ok(prepared(attributes, lanes, 1.0f32, |a, b| a * b)),
            (Repr::I32, RunningOp::Sum) => Ok(prepared(attributes, lanes, 0, i32::wrapping_add)),
            (Repr::I32, RunningOp::Prod) => Ok(prepared(attributes, lanes, 1, i32::wrapping_mul)),
            (Repr::I64, RunningOp::Sum) => Ok(prepared(attributes, lanes, 0, i64::wrapping_add)),
            (Repr::I64, RunningOp::Prod) => Ok(prepared(attributes, lanes, 1, i64::wrapping_mul)),
            (Repr::U8, RunningOp::Sum) => Ok(prepared(attributes, lanes, 0, u8::wrapping_add)),
            (Repr::U8, RunningOp::Prod) => Ok(prepared(attributes, lanes, 1, u8::wrapping_mul)),
            (Repr::Bool | Repr::Text, _) => Err(wrong_type()),
        }
    }
}

fn prepared<T: Element>(attributes: reduce::Cumulative, lanes: Lanes, start: T, f: fn(T, T) -> T) -> Prepared {
    Prepared::new(move |io| {
        let (x, cx) = (io.ins.get::<T>(0)?, io.cx);
        let out = io.outs.get::<T>(0)?;
        if x.len() != lanes.elements() || out.len() != x.len() {
            return Err(Error::bug("an operand that is not as long as its shape says"));
        }
        lanes.for_each(cx, |_, first| {
            let mut total = start;
            for step in 0..lanes.len {
                let at = first + lanes.at(if attributes.reverse { lanes.len - 1 - step } else { step });
                let with = f(total, x[at]);
                out[at] = if attributes.exclusive { total } else { with };
                total = with;
            }
            Ok(())
        })
    })
}
