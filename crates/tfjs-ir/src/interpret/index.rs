//! Rules of gather, its transpose, and one-hot rows.

use super::offsets::Lanes;
use super::{Evaluator, Rule, misfit, take, undefined};
use crate::array::{Array, Data};
use crate::prim::index::{Bounds, Gather, OneHot, ScatterAdd};
use crate::ty::ElementType;
use tfjs_manifest::Result;

impl Rule for Gather {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let [x, indices] = take(operands)?;
        let lanes = Lanes::along(x.dims(), self.axis).ok_or_else(|| misfit("gather", operands))?;
        let rows = indices.to_ints()?.into_iter().map(|index| self.bounds.row(index, lanes.len));
        let rows = rows.collect::<Result<Vec<usize>>>()?;
        let mut dims = x.dims().to_vec();
        dims.splice(self.axis..=self.axis, indices.dims().iter().copied());
        let offsets = (0..lanes.outer).flat_map(|outer| {
            let runs = rows.iter().map(move |row| (outer * lanes.len + row) * lanes.inner);
            runs.flat_map(|start| start..start + lanes.inner)
        });
        Ok(vec![cx.pick(x, &dims, offsets)?])
    }
}

impl Rule for ScatterAdd {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let [base, indices, slices] = take(operands)?;
        let lanes = Lanes::along(base.dims(), self.axis).ok_or_else(|| misfit("scatter_add", operands))?;
        let indices = indices.to_ints()?;
        if slices.elements() != lanes.outer.saturating_mul(indices.len()).saturating_mul(lanes.inner) {
            return Err(misfit("scatter_add", operands));
        }
        cx.spend(slices.elements())?;
        let mut out = cx.pick(base, base.dims(), 0..)?.into_data();
        // The offset that each element of the slices is added to, in order. An axis of length 0 takes none.
        let rows: Vec<usize> = indices.iter().filter_map(|&index| Bounds::Clamp.row(index, lanes.len).ok()).collect();
        let to = (0..lanes.outer).flat_map(|outer| {
            let runs = rows.iter().map(move |row| (outer * lanes.len + row) * lanes.inner);
            runs.flat_map(|start| start..start + lanes.inner)
        });
        match (&mut out, slices.data()) {
            (Data::Float(out), Data::Float(slices)) => to.zip(slices).for_each(|(at, x)| out[at] += x),
            (Data::Int(out), Data::Int(slices)) => {
                to.zip(slices).for_each(|(at, n)| out[at] = out[at].wrapping_add(*n))
            }
            _ => return Err(undefined("scatter_add", base.element())),
        }
        Ok(vec![Array::new(base.element(), base.dims(), out)?])
    }
}

impl Rule for OneHot {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let OneHot { depth, element } = self;
        let [indices] = take(operands)?;
        let depth = cx.dim(*depth)?;
        let mut dims = indices.dims().to_vec();
        dims.push(depth);
        let indices = indices.to_ints()?;
        let hot = indices.iter().flat_map(|&index| (0..depth as i64).map(move |column| column == index));
        let hot = cx.collect(&dims, hot)?;
        let data = match element {
            ElementType::String => return Err(undefined("one_hot", *element)),
            ElementType::Bool => Data::Bool(hot),
            _ if element.is_float() => Data::Float(hot.into_iter().map(|hot| f64::from(u8::from(hot))).collect()),
            _ => Data::Int(hot.into_iter().map(i64::from).collect()),
        };
        Ok(vec![Array::new(*element, dims, data)?])
    }
}
