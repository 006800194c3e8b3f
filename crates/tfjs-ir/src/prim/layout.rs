//! Rearrangements: reshape, transpose, broadcast, slice, pad, concat, reverse.

use super::attribute::{Attribute, Reader, Writer};
use super::infer::{same_element, take};
use super::primitive;
use crate::dim::Dim;
use crate::ty::Type;
use tfjs_manifest::{Error, Result};

primitive! {
    /// The elements in row-major order with other dimensions.
    Reshape {
        /// The dimensions of the result.
        dims: Vec<Dim>,
    }
    infer(self, cx, operands) {
        let [x] = take(operands)?;
        let (from, to) = (cx.dims.product(&x.dims)?, cx.dims.product(&self.dims)?);
        if cx.same(from, to).is_none() {
            let (from, to) = (cx.shape(&x.dims), cx.shape(&self.dims));
            return Err(Error::malformed(format!("the elements of shape {from} do not fit {to}")));
        }
        Ok(vec![x.with_dims(self.dims.clone())])
    }
}

primitive! {
    /// Permutes the axes.
    Transpose {
        /// The operand's axis for each axis of the result.
        order: Vec<usize>,
    }
    infer(self, cx, operands) {
        let [x] = take(operands)?;
        let mut seen = vec![false; x.rank()];
        let all = self.order.iter().all(|&axis| seen.get_mut(axis).is_some_and(|s| !std::mem::replace(s, true)));
        if !all || self.order.len() != x.rank() {
            let shape = cx.shape(&x.dims);
            return Err(Error::malformed(format!("axes {:?} are not a permutation of the axes of shape {shape}", self.order)));
        }
        Ok(vec![x.with_dims(self.order.iter().map(|&axis| x.dims[axis]).collect::<Vec<_>>())])
    }
}

primitive! {
    /// Repeats the elements along new axes, and along axes of length 1.
    Broadcast {
        /// The dimensions of the result.
        dims: Vec<Dim>,
        /// The axis of the result for each axis of the operand, in ascending order.
        axes: Vec<usize>,
    }
    infer(self, cx, operands) {
        let [x] = take(operands)?;
        let ascending = self.axes.windows(2).all(|pair| pair[0] < pair[1]);
        if self.axes.len() != x.rank() || !ascending {
            return Err(Error::bug("a broadcast without an axis for each of its operand's"));
        }
        let to = Type::new(x.element, self.dims.clone());
        for (&axis, &dim) in self.axes.iter().zip(&x.dims) {
            let target = cx.axis(axis, &to)?;
            if dim != Dim::ONE && cx.same(dim, target).is_none() {
                let (from, to) = (cx.shape(&x.dims), cx.shape(&self.dims));
                return Err(Error::malformed(format!("shape {from} does not broadcast to {to}")));
            }
        }
        Ok(vec![to])
    }
}

/// Elements of one axis: `start, start + step, ...`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first element.
    pub start: Dim,
    /// The number of elements.
    pub len: Dim,
    /// The distance between elements, at least 1.
    pub step: u64,
}

impl Attribute for Range {
    fn write(&self, out: &mut Writer<'_>) {
        self.start.write(out);
        out.text("|");
        self.len.write(out);
        out.text("|");
        self.step.write(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self> {
        let error = input.error("`start|len|step`");
        let text = input.expression();
        let line = input.line;
        let mut parts = text.split('|');
        let mut dim = || -> Result<Dim> {
            let part = parts.next().unwrap_or_default();
            input.dims.parse(part).map_err(|e| Error::malformed(format!("line {line}: {}", e.message())))
        };
        let (start, len) = (dim()?, dim()?);
        let step = parts.next().and_then(|step| step.trim().parse().ok()).ok_or(error)?;
        Ok(Range { start, len, step })
    }
}

primitive! {
    /// A range of each axis.
    Slice {
        /// The range of each axis.
        ranges: Vec<Range>,
    }
    infer(self, cx, operands) {
        let [x] = take(operands)?;
        if self.ranges.len() != x.rank() {
            return Err(Error::bug("a slice without a range for each axis"));
        }
        for (range, &dim) in self.ranges.iter().zip(&x.dims) {
            if range.step == 0 {
                return Err(Error::malformed("a slice with step 0"));
            }
            if (range.start, range.len) == (Dim::ZERO, dim) && range.step == 1 || range.len == Dim::ZERO {
                continue;
            }
            // The end of the last step: `start + (len - 1) * step + 1`.
            let steps = cx.dims.sub(range.len, Dim::ONE)?;
            let step = cx.dims.number(range.step);
            let span = cx.dims.mul(steps, step)?;
            let last = cx.dims.add(range.start, span)?;
            let end = cx.dims.add(last, Dim::ONE)?;
            let fits = match cx.dims.known(range.len) {
                Some(_) => cx.at_least(dim, end),
                // An empty range has no last element.
                None => {
                    let end = cx.dims.max(end, Dim::ZERO)?;
                    cx.at_least(dim, end)
                }
            };
            if !fits {
                return Err(Error::malformed(format!("a slice outside of shape {}", cx.shape(&x.dims))));
            }
        }
        Ok(vec![x.with_dims(self.ranges.iter().map(|range| range.len).collect::<Vec<_>>())])
    }
}

/// The padding of one axis: around its elements and between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Padding {
    /// Number of elements before the first.
    pub low: Dim,
    /// Number of elements after the last.
    pub high: Dim,
    /// Number of elements between neighbours.
    pub interior: u64,
}

impl Padding {
    /// No padding.
    pub const NONE: Padding = Padding { low: Dim::ZERO, high: Dim::ZERO, interior: 0 };
}

impl Attribute for Padding {
    fn write(&self, out: &mut Writer<'_>) {
        self.low.write(out);
        out.text("|");
        self.high.write(out);
        out.text("|");
        self.interior.write(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self> {
        let Range { start: low, len: high, step: interior } = Range::read(input)?;
        Ok(Padding { low, high, interior })
    }
}

primitive! {
    /// Pads each axis with a constant, around and between its elements.
    Pad {
        /// The padding of each axis.
        padding: Vec<Padding>,
        /// The value; rounded to the element type.
        value: f64,
    }
    infer(self, cx, operands) {
        let [x] = take(operands)?;
        if self.padding.len() != x.rank() {
            return Err(Error::bug("padding that is not for each axis"));
        }
        let mut dims = Vec::with_capacity(x.rank());
        for (padding, &dim) in self.padding.iter().zip(&x.dims) {
            let mut length = dim;
            if padding.interior > 0 {
                // An empty axis has no interior padding.
                let gaps = cx.dims.sub(dim, Dim::ONE)?;
                let gaps = cx.dims.max(gaps, Dim::ZERO)?;
                let interior = cx.dims.number(padding.interior);
                let between = cx.dims.mul(gaps, interior)?;
                length = cx.dims.add(length, between)?;
            }
            length = cx.dims.add(length, padding.low)?;
            dims.push(cx.dims.add(length, padding.high)?);
        }
        Ok(vec![x.with_dims(dims)])
    }
}

primitive! {
    /// Concatenates values along an axis.
    Concat {
        /// The axis.
        axis: usize,
    }
    infer(self, cx, operands) {
        let Some((first, rest)) = operands.split_first() else { return Err(Error::bug("a concatenation without operands")) };
        cx.axis(self.axis, first)?;
        let mut dims = first.dims.clone();
        for other in rest {
            same_element(first, other)?;
            let differ = |cx: &super::infer::Infer<'_>| {
                let (a, b) = (cx.shape(&first.dims), cx.shape(&other.dims));
                Error::malformed(format!("shapes {a} and {b} differ in another axis than {}", self.axis))
            };
            if other.rank() != dims.len() {
                return Err(differ(cx));
            }
            for (axis, dim) in dims.iter_mut().enumerate() {
                *dim = match axis == self.axis {
                    true => cx.dims.add(*dim, other.dims[axis])?,
                    false => cx.same(*dim, other.dims[axis]).ok_or_else(|| differ(cx))?,
                };
            }
        }
        Ok(vec![first.with_dims(dims)])
    }
}

primitive! {
    /// Reverses axes.
    Reverse {
        /// The axes.
        axes: Vec<usize>,
    }
    infer(self, cx, operands) {
        let [x] = take(operands)?;
        for &axis in &self.axes {
            cx.axis(axis, x)?;
        }
        Ok(vec![x.clone()])
    }
}
