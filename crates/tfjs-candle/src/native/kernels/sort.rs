//! The elements along an axis in order, and where each stood.

use super::lanes::Lanes;
use crate::native::buffer::{Element, Repr, with_element};
use crate::native::io::Io;
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use std::cmp::Ordering;
use tfjs_ir::Prim;
use tfjs_ir::sort::sort_by;
use tfjs_manifest::{Error, Result};

#[derive(Debug)]
struct Sort {
    axis: usize,
    descending: bool,
    repr: Repr,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::Sort(sort), &[x]) = (&node.prim, &node.operands[..]) else { return None };
    let kernel = Sort { axis: sort.axis, descending: sort.descending, repr: Repr::of(view.element(x)).ok()? };
    view.all_plain(node).then(|| Claim::of(kernel, index, [x], node.results.clone()))
}

impl Kernel for Sort {
    fn describe(&self) -> String {
        "sort".to_string()
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let (lanes, descending) = (Lanes::along(shapes.operand(), self.axis)?, self.descending);
        let prepared = with_element!(self.repr, T => Ok(prepared::<T>(lanes, descending)),
            text => Err(Error::bug("text is sorted by the interpreter")));
        // A position of 8 bytes for each element of a lane, and as much again for a sort that keeps the order of equals.
        prepared.map(|prepared| prepared.with_scratch(lanes.len.saturating_mul(4)))
    }
}

fn prepared<T: Element>(lanes: Lanes, descending: bool) -> Prepared {
    Prepared::new(move |io| {
        let (x, cx) = (io.ins.get::<T>(0)?, io.cx);
        let clock = cx.clock();
        let mut order: Vec<usize> = Vec::new();
        let no_memory = |_| Error::limit(format!("no memory to sort {} elements", lanes.len));
        order.try_reserve_exact(lanes.len).map_err(no_memory)?;
        lanes.for_each(cx, |_, start| {
            order.clear();
            order.extend(0..lanes.len);
            let value = |position: usize| &x[start + lanes.at(position)];
            sort_by(&mut order, 1, &clock, |&i, &j| compare(value(i), value(j), descending))?;
            write(io, lanes, start, &order, x)
        })
    })
}

/// NaN comes last whichever way the others go.
fn compare<T: Element>(a: &T, b: &T, descending: bool) -> Ordering {
    let order = if descending { b.partial_cmp(a) } else { a.partial_cmp(b) };
    order.unwrap_or_else(|| is_nan(a).cmp(&is_nan(b)))
}

#[expect(clippy::eq_op, reason = "NaN is not equal to itself")]
fn is_nan<T: Element>(value: &T) -> bool {
    value != value
}

/// One lane of the results that somebody reads.
fn write<T: Element>(io: &mut Io<'_>, lanes: Lanes, start: usize, order: &[usize], x: &[T]) -> Result<()> {
    let is_read = |result: usize| io.outs.sinks.get(result).is_some_and(|sink| sink.buffer.is_some());
    let (sorted, positions) = (is_read(0), is_read(1));
    if sorted {
        let out = io.outs.get::<T>(0)?;
        for (to, &from) in order.iter().enumerate() {
            out[start + lanes.at(to)] = x[start + lanes.at(from)];
        }
    }
    if positions {
        let out = io.outs.get::<i64>(1)?;
        for (to, &from) in order.iter().enumerate() {
            out[start + lanes.at(to)] = from as i64;
        }
    }
    Ok(())
}
