//! Rules of rearrangements: reshape, transpose, broadcast, slice, pad, concat, reverse.

use super::offsets::{Lanes, Offsets, signed_strides};
use super::{Evaluator, Rule, misfit, take};
use crate::array::{Array, Data};
use crate::prim::layout::{Broadcast, Concat, Pad, Reshape, Reverse, Slice, Transpose};
use tfjs_manifest::{Error, Result, Shape};

impl Rule for Reshape {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let [x] = take(operands)?;
        let dims = cx.dims(&self.dims)?;
        if Shape::new(dims.clone())?.elements() != x.elements() {
            let message = format!("the elements of shape {:?} do not fit {dims:?}", x.dims());
            return Err(Error::mismatch(message));
        }
        Ok(vec![cx.pick(x, &dims, 0..)?])
    }
}

impl Rule for Transpose {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let [x] = take(operands)?;
        let own = signed_strides(x.dims());
        let axes = self.order.iter().map(|&axis| Some((*x.dims().get(axis)?, *own.get(axis)?)));
        let axes: Option<(Vec<usize>, Vec<isize>)> = axes.collect();
        let (dims, strides) = axes.ok_or_else(|| misfit("transpose", operands))?;
        Ok(vec![cx.pick(x, &dims, Offsets::new(&dims, strides, 0))?])
    }
}

impl Rule for Broadcast {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let Broadcast { dims, axes } = self;
        let [x] = take(operands)?;
        let dims = cx.dims(dims)?;
        let mut strides = vec![0; dims.len()];
        for ((&axis, &dim), stride) in axes.iter().zip(x.dims()).zip(signed_strides(x.dims())) {
            match dims.get(axis) {
                _ if dim == 1 => {}
                Some(&to) if to == dim => strides[axis] = stride,
                _ => return Err(misfit("broadcast", operands)),
            }
        }
        Ok(vec![cx.pick(x, &dims, Offsets::new(&dims, strides, 0))?])
    }
}

impl Rule for Slice {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let [x] = take(operands)?;
        let (mut dims, mut strides, mut first) = (Vec::new(), Vec::new(), 0isize);
        for ((range, &dim), stride) in self.ranges.iter().zip(x.dims()).zip(signed_strides(x.dims())) {
            let (start, len) = (cx.dim(range.start)?, cx.dim(range.len)?);
            let step = usize::try_from(range.step).unwrap_or(usize::MAX);
            let last = len.saturating_sub(1).checked_mul(step).and_then(|span| span.checked_add(start));
            if len > 0 && last.is_none_or(|last| last >= dim) {
                return Err(Error::mismatch(format!("a slice outside of shape {:?}", x.dims())));
            }
            dims.push(len);
            // On an axis of at most one element the step has no effect and may be any number.
            strides.push(if len > 1 { stride * step.cast_signed() } else { 0 });
            first += if len > 0 { stride * start.cast_signed() } else { 0 };
        }
        Ok(vec![cx.pick(x, &dims, Offsets::new(&dims, strides, first))?])
    }
}

impl Rule for Pad {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let Pad { padding, value } = self;
        let [x] = take(operands)?;
        let too_large = || Error::limit("padding that is too large");
        let (mut dims, mut lows, mut steps) = (Vec::new(), Vec::new(), Vec::new());
        for (padding, &dim) in padding.iter().zip(x.dims()) {
            let (low, high) = (cx.dim(padding.low)?, cx.dim(padding.high)?);
            let interior = usize::try_from(padding.interior).map_err(|_| too_large())?;
            let between = dim.saturating_sub(1).checked_mul(interior).ok_or_else(too_large)?;
            let total = [dim, between, low, high].into_iter().try_fold(0usize, usize::checked_add);
            dims.push(total.ok_or_else(too_large)?);
            lows.push(low);
            steps.push(interior.saturating_add(1));
        }
        let mut out = cx.full(&Array::scalar(x.element(), *value), &dims)?.into_data();
        if x.elements() > 0 {
            let own = signed_strides(&dims);
            let start = own.iter().zip(&lows).map(|(stride, &low)| stride * low.cast_signed()).sum();
            // On an axis of one element the step has no effect, and the product may overflow.
            let step = |axis: usize| if x.dims()[axis] > 1 { own[axis] * steps[axis].cast_signed() } else { 0 };
            let strides = (0..dims.len()).map(step).collect();
            let offsets = Offsets::new(x.dims(), strides, start);
            match (&mut out, x.data()) {
                (Data::Float(out), Data::Float(x)) => place(out, x, offsets),
                (Data::Int(out), Data::Int(x)) => place(out, x, offsets),
                (Data::Bool(out), Data::Bool(x)) => place(out, x, offsets),
                (Data::Text(out), Data::Text(x)) => place(out, x, offsets),
                _ => return Err(misfit("pad", operands)),
            }
        }
        Ok(vec![Array::new(x.element(), dims, out)?])
    }
}

/// Writes elements to offsets.
fn place<T: Clone>(out: &mut [T], values: &[T], offsets: Offsets) {
    for (value, offset) in values.iter().zip(offsets) {
        if let Some(place) = out.get_mut(offset) {
            place.clone_from(value);
        }
    }
}

impl Rule for Concat {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let lanes = operands.iter().map(|x| Lanes::along(x.dims(), self.axis)).collect::<Option<Vec<_>>>();
        let lanes = lanes.ok_or_else(|| misfit("concat", operands))?;
        let (Some(first), Some(lane)) = (operands.first(), lanes.first()) else {
            return Err(misfit("concat", operands));
        };
        if lanes.iter().any(|other| (other.outer, other.inner) != (lane.outer, lane.inner)) {
            return Err(misfit("concat", operands));
        }
        let mut dims = first.dims().to_vec();
        let length = lanes.iter().try_fold(0usize, |sum, lanes| sum.checked_add(lanes.len));
        dims[self.axis] = length.ok_or_else(|| Error::limit("an axis that is too large"))?;
        let all = join(first, operands.iter().copied())?;
        let starts: Vec<usize> = operands
            .iter()
            .scan(0, |end, x| {
                let start = *end;
                *end += x.elements();
                Some(start)
            })
            .collect();
        let offsets = (0..lane.outer).flat_map(|outer| {
            let runs = starts.iter().zip(&lanes);
            runs.flat_map(move |(start, lanes)| {
                let run = lanes.len * lanes.inner;
                (0..run).map(move |i| start + outer * run + i)
            })
        });
        Ok(vec![cx.pick(&all, &dims, offsets)?])
    }
}

/// Concatenates the elements of arrays of the element type of `like`.
pub(super) fn join<'a>(like: &Array, arrays: impl Iterator<Item = &'a Array>) -> Result<Array> {
    let mut all = Array::none(like.element()).into_data();
    for array in arrays {
        match (&mut all, array.data()) {
            (Data::Float(all), Data::Float(x)) => all.extend_from_slice(x),
            (Data::Int(all), Data::Int(x)) => all.extend_from_slice(x),
            (Data::Bool(all), Data::Bool(x)) => all.extend_from_slice(x),
            (Data::Text(all), Data::Text(x)) => all.extend_from_slice(x),
            _ => return Err(misfit("a sequence of different element types", &[like, array])),
        }
    }
    Array::new(like.element(), [all.len()], all)
}

impl Rule for Reverse {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let [x] = take(operands)?;
        let (mut strides, mut start) = (signed_strides(x.dims()), 0);
        for (axis, (stride, &dim)) in strides.iter_mut().zip(x.dims()).enumerate() {
            if self.axes.contains(&axis) {
                start += *stride * dim.saturating_sub(1).cast_signed();
                *stride = -*stride;
            }
        }
        Ok(vec![cx.pick(x, x.dims(), Offsets::new(x.dims(), strides, start))?])
    }
}
