//! `Split` and its relatives: splits a tensor along an axis.
//!
//! Reference: `keras.ops.split`, `keras.ops.array_split`, `tf.split`.

use super::FromOpConfig;
use super::args::Args;
use super::params::Params;
use super::sizes;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::layout::Range;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Limits, Result};

/// Splits a tensor along an axis, with one result for each part.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// The meaning of the numbers, and the axis.
    pub kind: SplitKind,
    /// `indices_or_sections`, `num_or_size_splits`, `axis`.
    pub params: Params,
}

/// The form of the parts, and the axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitKind {
    /// A number of equal parts, or the positions of the splits.
    Cuts,
    /// [`Cuts`](SplitKind::Cuts); if parts cannot be equal, they differ by one element.
    UnequalCuts,
    /// [`Cuts`](SplitKind::Cuts) along axis 1, or the only axis of a vector.
    Columns,
    /// [`Cuts`](SplitKind::Cuts) along axis 0.
    Rows,
    /// [`Cuts`](SplitKind::Cuts) along axis 2.
    Depths,
    /// A number of equal parts, or the length of each, as in TensorFlow.
    Lengths,
}

impl FromOpConfig for Split {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let kind = match class {
            "Split" => SplitKind::Cuts,
            "ArraySplit" => SplitKind::UnequalCuts,
            "Hsplit" => SplitKind::Columns,
            "Vsplit" => SplitKind::Rows,
            "Dsplit" => SplitKind::Depths,
            "SplitLengths" => SplitKind::Lengths,
            other => return Err(Error::bug(format!("`{other}` is listed as a split"))),
        };
        Ok(Split { kind, params: Params::read(config) })
    }
}

/// A number of parts, or a number for each part.
enum Parts {
    Count(usize),
    Each(Vec<Dim>),
}

/// More parts than any practical network needs.
const MOST_PARTS: u64 = 1 << 12;

impl Split {
    fn parts(&self, cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Parts> {
        let names: &[&'static str] = match self.kind {
            SplitKind::Lengths => &["num_or_size_splits", "size_splits", "num_split"],
            _ => &["indices_or_sections"],
        };
        if let Some(found) = args.opt::<serde_json::Value>(names, Some(1)).ok().flatten()
            && found.is_number()
        {
            return match args.need(names, Some(1))? {
                0 => Err(Error::malformed("a split into 0 parts")),
                count => {
                    Limits::check("parts of a split", count as u64, MOST_PARTS)?;
                    Ok(Parts::Count(count))
                }
            };
        }
        let each = args.sizes(cx, names, Some(1))?.ok_or_else(|| super::args::missing(names))?;
        Ok(Parts::Each(each))
    }

    fn axis(&self, cx: &LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<usize> {
        match self.kind {
            SplitKind::Columns => cx.axis(if cx.ty(x).rank() > 1 { 1 } else { 0 }, x),
            SplitKind::Rows => cx.axis(0, x),
            SplitKind::Depths => cx.axis(2, x),
            _ => cx.axis(args.or(&["axis", "split_dim"], Some(2), 0)?, x),
        }
    }

    /// The start and the length of each part of an axis.
    fn ranges(&self, cx: &mut LowerCx<'_>, parts: Parts, length: Dim, x: Value) -> Result<Vec<(Dim, Dim)>> {
        match parts {
            Parts::Count(count) if self.kind == SplitKind::UnequalCuts => {
                let length = cx.known(length, "the length of an axis that is cut into unequal parts", x)?;
                let (short, longer) = (length / count, length % count);
                let mut ranges = Vec::new();
                let mut start = 0;
                for part in 0..count {
                    let len = short + usize::from(part < longer);
                    ranges.push((cx.number(start), cx.number(len)));
                    start += len;
                }
                Ok(ranges)
            }
            Parts::Count(count) => {
                let whole = cx.number(count);
                if !cx.divisible(length, whole) {
                    let shape = cx.shape(x);
                    return Err(Error::malformed(format!("shape {shape} cannot be split into {count} equal parts")));
                }
                let len = cx.dims().div_floor(length, count as u64)?;
                let (mut ranges, mut start) = (Vec::new(), Dim::ZERO);
                for _ in 0..count {
                    ranges.push((start, len));
                    start = cx.dims().add(start, len)?;
                }
                Ok(ranges)
            }
            Parts::Each(lengths) if self.kind == SplitKind::Lengths => Self::of_lengths(cx, lengths, length, x),
            Parts::Each(mut cuts) => {
                cuts.push(length);
                let (mut ranges, mut start) = (Vec::new(), Dim::ZERO);
                for cut in cuts {
                    let cut = super::slice::place(cx, cut, length)?;
                    let end = cx.dims().max(cut, start)?;
                    ranges.push((start, cx.dims().sub(end, start)?));
                    start = cut;
                }
                Ok(ranges)
            }
        }
    }

    /// Parts of these lengths; one may be -1, for the rest.
    fn of_lengths(cx: &mut LowerCx<'_>, mut lengths: Vec<Dim>, length: Dim, x: Value) -> Result<Vec<(Dim, Dim)>> {
        let rest = sizes::number(cx, -1)?;
        let mut total = Dim::ZERO;
        for &len in lengths.iter().filter(|&&len| len != rest) {
            total = cx.dims().add(total, len)?;
        }
        let open: Vec<usize> = (0..lengths.len()).filter(|&part| lengths[part] == rest).collect();
        let fits = match open[..] {
            [] => cx.same(total, length).is_some(),
            [part] if cx.at_least(length, total) => {
                lengths[part] = cx.dims().sub(length, total)?;
                true
            }
            _ => false,
        };
        if !fits || !lengths.iter().all(|&len| cx.at_least(len, Dim::ZERO)) {
            let (shape, lengths) = (cx.shape(x), sizes::text(cx, &lengths));
            return Err(Error::malformed(format!("shape {shape} cannot be split into parts of {lengths}")));
        }
        let (mut ranges, mut start) = (Vec::new(), Dim::ZERO);
        for len in lengths {
            ranges.push((start, len));
            start = cx.dims().add(start, len)?;
        }
        Ok(ranges)
    }
}

impl LayerDef for Split {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        args.inert(&["num"]);
        let input = args.subject(&["value"])?;
        let x = input.value;
        let axis = self.axis(cx, &args, x)?;
        let parts = self.parts(cx, &args)?;
        let length = cx.dims_of(x)[axis];
        if axis == 0 {
            cx.mixes_batch();
        }
        let ranges = self.ranges(cx, parts, length, x)?;
        let mut outputs = Vec::with_capacity(ranges.len());
        for (start, len) in ranges {
            let value = cx.slice_axis(x, axis, Range { start, len, step: 1 })?;
            let of_part = |sizes: &Vec<Dim>| {
                let (start, len) = (cx.known_dim(start)?, cx.known_dim(len)?);
                sizes.get(start..start.checked_add(len)?).map(<[Dim]>::to_vec)
            };
            outputs.push(KerasTensor { sizes: input.sizes.as_ref().and_then(of_part), ..KerasTensor::from(value) });
        }
        args.finish(cx);
        Ok(outputs)
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check_all, refused_with};
    use serde_json::json;

    #[test]
    fn parts() {
        let x = || json!(["f:?,3,7"]);
        let check = |config: serde_json::Value, expect: &[&str]| check_all("Split", config, x(), json!({}), expect);
        check(
            json!({"indices_or_sections": [2, 4], "axis": -1}),
            &["float32[?,3,2]", "float32[?,3,2]", "float32[?,3,3]"],
        );
        check(
            json!({"indices_or_sections": [-1, 9], "axis": 2}),
            &["float32[?,3,6]", "float32[?,3,1]", "float32[?,3,0]"],
        );
        check(json!({"indices_or_sections": 3, "axis": 1}), &["float32[?,1,7]"; 3]);
        let config = json!({"indices_or_sections": 3, "axis": -1});
        check_all("ArraySplit", config, x(), json!({}), &["float32[?,3,3]", "float32[?,3,2]", "float32[?,3,2]"]);
        let kwargs = json!({"num_or_size_splits": [2, -1, 1], "axis": -1});
        check_all("SplitLengths", json!({}), x(), kwargs, &["float32[?,3,2]", "float32[?,3,4]", "float32[?,3,1]"]);
    }

    #[test]
    fn refuses() {
        let message = "shape [?,7] cannot be split into 2 equal parts";
        refused_with("Split", json!({"indices_or_sections": 2, "axis": 1}), json!(["f:?,7"]), message);
        let message = "shape [?,7] cannot be split into parts of [2, 4]";
        let config = json!({"num_or_size_splits": [2, 4], "axis": 1});
        refused_with("SplitLengths", config, json!(["f:?,7"]), message);
        refused_with("Split", json!({"indices_or_sections": 0}), json!(["f:?,7"]), "a split into 0 parts");
        refused_with("Split", json!({"axis": 1}), json!(["f:?,7"]), "missing `indices_or_sections`");
    }
}
