//! The position of the largest or smallest element along an axis: the first of equal ones, and of NaN if there is one.

use super::lanes::Lanes;
use crate::native::buffer::{Element, Repr, with_element, wrong_type};
use crate::native::io::Io;
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use tfjs_ir::Prim;
use tfjs_ir::prim::reduce::Extreme;
use tfjs_manifest::{Error, Result};

#[derive(Debug)]
struct ArgReduce {
    op: Extreme,
    axis: usize,
    /// Of the elements and of their positions.
    repr: Repr,
    positions: Repr,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::ArgReduce(reduce), &[x]) = (&node.prim, &node.operands[..]) else { return None };
    let (repr, positions) = (Repr::of(view.element(x)).ok()?, Repr::of(reduce.element).ok()?);
    let kernel = ArgReduce { op: reduce.op, axis: reduce.axis, repr, positions };
    view.all_plain(node).then(|| Claim::of(kernel, index, [x], node.results.clone()))
}

impl Kernel for ArgReduce {
    fn describe(&self) -> String {
        format!("arg_reduce {}", self.op.name())
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let (op, lanes) = (self.op, Lanes::along(shapes.operand(), self.axis)?);
        with_element!(self.repr, T => match self.positions {
            Repr::I32 => Ok(prepared::<T, i32>(op, lanes, |position| position as i32)),
            Repr::I64 => Ok(prepared::<T, i64>(op, lanes, |position| position as i64)),
            Repr::U8 => Ok(prepared::<T, u8>(op, lanes, |position| position as u8)),
            _ => Err(wrong_type()),
        }, text => Err(Error::bug("an extreme of text")))
    }
}

fn prepared<T: Element, P: Element>(op: Extreme, lanes: Lanes, position: fn(usize) -> P) -> Prepared {
    Prepared::new(move |io| match op {
        Extreme::Max => run::<T, P>(io, lanes, position, |value, best| value > best),
        Extreme::Min => run::<T, P>(io, lanes, position, |value, best| value < best),
    })
}

fn run<T: Element, P: Element>(
    io: &mut Io<'_>,
    lanes: Lanes,
    position: fn(usize) -> P,
    better: impl Fn(&T, &T) -> bool,
) -> Result<()> {
    let (x, cx) = (io.ins.get::<T>(0)?, io.cx);
    let out = io.outs.get::<P>(0)?;
    if x.len() != lanes.elements() {
        return Err(Error::bug("an operand that is not as long as its shape says"));
    }
    if lanes.len == 0 {
        out.fill(position(0));
        return Ok(());
    }
    if out.len().checked_mul(lanes.len) != Some(x.len()) {
        return Err(Error::bug("positions of another number of lanes"));
    }
    lanes.for_each(cx, |lane, start| {
        let mut best = 0;
        for other in 1..lanes.len {
            let (value, known) = (&x[start + lanes.at(other)], &x[start + lanes.at(best)]);
            // Only NaN is unlike itself. The first one stays, whatever follows.
            if is_number(known) && (better(value, known) || !is_number(value)) {
                best = other;
            }
        }
        out[lane] = position(best);
        Ok(())
    })
}

#[expect(clippy::eq_op, reason = "NaN is not equal to itself")]
fn is_number<T: Element>(value: &T) -> bool {
    value == value
}
