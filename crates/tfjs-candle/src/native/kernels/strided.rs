//! Rearrangements by strides: broadcasts, slices, padding, reversed axes.

use super::spread::{Spread, copy, count, strides};
use crate::native::buffer::{Element, Repr, with_element};
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use tfjs_ir::{Array, Prim};
use tfjs_manifest::{Error, Result};

#[derive(Debug)]
struct Strided {
    prim: Prim,
    repr: Repr,
    /// The padding value.
    fill: Option<f64>,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let &[x] = &node.operands[..] else { return None };
    let repr = Repr::of(view.element(x)).ok()?;
    let fill = match &node.prim {
        Prim::Pad(pad) => Some(pad.value),
        _ => None,
    };
    let kernel = Strided { prim: node.prim.clone(), repr, fill };
    view.all_plain(node).then(|| Claim::of(kernel, index, [x], node.results.clone()))
}

impl Strided {
    /// The iteration from the operand to the result.
    fn spread(&self, shapes: &Shapes<'_>) -> Result<Spread<2>> {
        let (from, to) = (shapes.operand(), shapes.result());
        let lengths = [count(from), count(to)];
        let (own, out) = (strides(from), strides(to));
        match &self.prim {
            Prim::Broadcast(broadcast) => {
                let mut repeated = vec![0; to.len()];
                for ((&axis, &dim), stride) in broadcast.axes.iter().zip(from).zip(own) {
                    let place = repeated.get_mut(axis).ok_or_else(|| misfit("broadcast"))?;
                    *place = if dim == 1 { 0 } else { stride };
                }
                Spread::new(to, [&repeated, &out], [0, 0], lengths)
            }
            Prim::Slice(slice) => {
                let (mut stepped, mut start) = (Vec::new(), 0usize);
                for ((range, &stride), &len) in slice.ranges.iter().zip(&own).zip(to) {
                    let step = isize::try_from(range.step).unwrap_or(isize::MAX);
                    // On an axis of one element the step is not used and may be any number.
                    stepped.push(if len > 1 { stride.saturating_mul(step) } else { 0 });
                    start += if len > 0 { shapes.bound.get(range.start)? * stride.cast_unsigned() } else { 0 };
                }
                Spread::new(to, [&stepped, &out], [start, 0], lengths)
            }
            Prim::Reverse(reverse) => {
                let (mut turned, mut start) = (own, 0usize);
                for (axis, (stride, &dim)) in turned.iter_mut().zip(from).enumerate() {
                    if reverse.axes.contains(&axis) {
                        start += dim.saturating_sub(1) * stride.cast_unsigned();
                        *stride = -*stride;
                    }
                }
                Spread::new(to, [&turned, &out], [start, 0], lengths)
            }
            Prim::Pad(pad) => {
                let (mut spaced, mut start) = (Vec::new(), 0usize);
                for ((padding, &stride), &dim) in pad.padding.iter().zip(&out).zip(from) {
                    let step = isize::try_from(padding.interior).unwrap_or(isize::MAX).saturating_add(1);
                    spaced.push(if dim > 1 { stride.saturating_mul(step) } else { 0 });
                    start += shapes.bound.get(padding.low)?.saturating_mul(stride.cast_unsigned());
                }
                Spread::new(from, [&own, &spaced], [0, start], lengths)
            }
            _ => Err(misfit(self.prim.name())),
        }
    }
}

fn misfit(what: &str) -> Error {
    Error::bug(format!("a `{what}` whose axes do not fit its operand"))
}

impl Kernel for Strided {
    fn describe(&self) -> String {
        self.prim.name().to_string()
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let spread = self.spread(shapes)?;
        with_element!(self.repr, T => Ok(rearrange::<T>(spread, self.fill.map(T::of))), text => Err(misfit("rearrangement")))
    }
}

fn rearrange<T: Element>(spread: Spread<2>, fill: Option<T>) -> Prepared {
    Prepared::new(move |io| {
        let x = io.ins.get::<T>(0)?;
        let out = io.outs.get(0)?;
        if let Some(fill) = fill {
            out.fill(fill);
        }
        copy(&spread, x, out);
        Ok(())
    })
}

/// Converts a number to an element, rounded as constants of the type are.
trait Of {
    fn of(number: f64) -> Self;
}

macro_rules! of {
    ($($ty:ident = $element:ident;)*) => {$(
        impl Of for $ty {
            fn of(number: f64) -> Self {
                let scalar = Array::scalar(tfjs_ir::ElementType::$element, number);
                scalar.to_ints().ok().and_then(|all| all.first().copied()).unwrap_or_default() as $ty
            }
        }
    )*};
}
of! {
    i32 = I32;
    i64 = I64;
    u8 = U8;
}

impl Of for f32 {
    fn of(number: f64) -> Self {
        number as f32
    }
}

impl Of for bool {
    fn of(number: f64) -> Self {
        number != 0.0
    }
}
