//! Rules of loops and of opaque functions.

use super::evaluate::NODE;
use super::layout::join;
use super::offsets::Lanes;
use super::{Evaluator, Rule, misfit};
use crate::array::Array;
use crate::prim::control::{Opaque, Scan};
use tfjs_manifest::{Error, Result, Shape};

impl Rule for Scan {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let Scan { carries, sequences, length, axis, reverse, body } = self;
        let steps = cx.dim(*length)?;
        if operands.len() != body.parameters.len() || carries + sequences > operands.len() {
            return Err(misfit("scan", operands));
        }
        let (first, rest) = operands.split_at(*carries);
        let (sequences, invariants) = rest.split_at(*sequences);
        if sequences.iter().any(|x| x.dims().get(*axis) != Some(&steps)) {
            return Err(misfit("scan", operands));
        }
        let mut current: Vec<Array> = first.iter().map(|&array| array.clone()).collect();
        let mut collected: Vec<Vec<Array>> = vec![Vec::new(); body.results.len() - carries];
        for i in 0..steps {
            cx.spend(1)?;
            cx.look(NODE)?;
            let step = if *reverse { steps - 1 - i } else { i };
            let elements = sequences.iter().map(|x| element(cx, x, *axis, step)).collect::<Result<Vec<_>>>()?;
            let parameters: Vec<&Array> = current.iter().chain(&elements).chain(invariants.iter().copied()).collect();
            let mut results = cx.block(body, &parameters, &body.results)?;
            for (all, one) in collected.iter_mut().zip(results.split_off(*carries)) {
                cx.spend(one.elements())?;
                all.push(one);
            }
            current = results;
        }
        for (&value, mut all) in body.results.iter().skip(*carries).zip(collected) {
            if *reverse {
                all.reverse();
            }
            let ty = body.ty(value);
            current.push(stack(cx, &Array::none(ty.element), cx.dims(&ty.dims)?, &all, *axis)?);
        }
        Ok(current)
    }
}

/// Element `step` along an axis, which is removed.
fn element(cx: &Evaluator<'_>, x: &Array, axis: usize, step: usize) -> Result<Array> {
    let Lanes { outer, len, inner } = Lanes::along(x.dims(), axis).ok_or_else(|| misfit("scan", &[x]))?;
    let mut dims = x.dims().to_vec();
    dims.remove(axis);
    let offsets = (0..outer).flat_map(|outer| (0..inner).map(move |i| (outer * len + step) * inner + i));
    cx.pick(x, &dims, offsets)
}

/// Stacks arrays of one shape along a new axis. `none` is an empty array of their element type.
fn stack(cx: &Evaluator<'_>, none: &Array, mut dims: Vec<usize>, all: &[Array], axis: usize) -> Result<Array> {
    Shape::new(&*dims)?; // no product overflows
    let (Some(outer), Some(inner)) = (dims.get(..axis), dims.get(axis..)) else { return Err(misfit("scan", &[none])) };
    let (outer, inner): (usize, usize) = (outer.iter().product(), inner.iter().product());
    let joined = join(none, all.iter())?;
    let steps = all.len();
    dims.insert(axis, steps);
    let offsets = (0..outer)
        .flat_map(|o| (0..steps).flat_map(move |step| (0..inner).map(move |i| (step * outer + o) * inner + i)));
    cx.pick(&joined, &dims, offsets)
}

impl Rule for Opaque {
    fn evaluate(&self, _cx: &Evaluator<'_>, _operands: &[&Array]) -> Result<Vec<Array>> {
        Err(Error::unsupported(format!("the interpreter does not know the functions of `{}`", self.class)))
    }
}
