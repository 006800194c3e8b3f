//! Parts of images at positions that are computed: glimpses.
//!
//! Reference: `tf.image.extract_glimpse`.

use super::FromOpConfig;
use super::args::{Args, missing};
use super::gather::{counter, joined, merged};
use super::params::Params;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::layout::Range;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// A part of each image around a point of its own; zeros outside of the image.
#[derive(Clone, Debug, PartialEq)]
pub struct Glimpse {
    /// `size`, `centered`, `normalized`, `noise`.
    pub params: Params,
}

impl FromOpConfig for Glimpse {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Glimpse { params: Params::read(config) })
    }
}

/// The first row or column of each glimpse, which may lie outside of its image.
struct Start {
    centered: bool,
    normalized: bool,
}

impl Start {
    /// From the coordinates `[batch]` of the points along an axis, the length of the axis and that of the glimpse.
    fn of(&self, cx: &mut LowerCx<'_>, point: Value, length: Dim, size: Dim) -> Result<Value> {
        let mut start = point;
        let length = cx.size(length, ElementType::I64)?;
        let length = cx.cast_like(length, point)?;
        if self.normalized {
            start = cx.mul(start, length)?;
        }
        if self.centered {
            let half = cx.binary_scalar(BinaryOp::Mul, length, 0.5)?;
            if self.normalized {
                start = cx.binary_scalar(BinaryOp::Mul, start, 0.5)?;
            }
            start = cx.add(start, half)?;
            // The point is the middle of the glimpse only if it is normalized; otherwise its first pixel.
            if self.normalized {
                let size = cx.size(size, ElementType::I64)?;
                let size = cx.cast_like(size, point)?;
                let half = cx.binary_scalar(BinaryOp::Mul, size, 0.5)?;
                start = cx.sub(start, half)?;
            }
        }
        cx.cast(start, ElementType::I64)
    }
}

fn glimpse(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let x = args.need_value(cx, &["input"], Some(0))?;
    let offsets = args.need_value(cx, &["offsets"], Some(2))?;
    let (dims, of) = (cx.dims_of(x), cx.dims_of(offsets));
    let (&[batch, high, wide, _], &[rows, two]) = (&dims[..], &of[..]) else {
        let (x, offsets) = (cx.shape(x), cx.shape(offsets));
        return Err(Error::malformed(format!("offsets of shape {offsets} do not fit images of shape {x}")));
    };
    let pair = cx.number(2);
    if cx.same(batch, rows).is_none() || cx.same(two, pair).is_none() {
        let (x, offsets) = (cx.shape(x), cx.shape(offsets));
        return Err(Error::malformed(format!("offsets of shape {offsets} do not fit images of shape {x}")));
    }
    let size = args.sizes(cx, &["size"], Some(1))?.ok_or_else(|| missing(&["size"]))?;
    let &[tall, broad] = &size[..] else {
        return Err(
            Error::malformed(format!("expected a height and a width, found {} numbers", size.len())).at_json("size")
        );
    };
    if !cx.at_least(tall, Dim::ONE) || !cx.at_least(broad, Dim::ONE) {
        return Err(Error::malformed("expected at least 1").at_json("size"));
    }
    args.inert(&["uniform_noise"]);
    let noise: Option<String> = args.opt(&["noise"], Some(5))?;
    if noise.as_deref() != Some("zero") {
        let message = "a glimpse that fills what is outside of its image with random numbers is not supported: write the \
                       model with `noise` `zero`";
        return Err(Error::unsupported(message));
    }
    let start = Start {
        centered: args.or(&["centered"], Some(3), true)?,
        normalized: args.or(&["normalized"], Some(4), true)?,
    };
    let offsets = cx.to_float(offsets)?;
    let first = counter(cx, 0, 3, batch)?;
    let mut places = vec![first];
    for (axis, (length, size)) in [(high, tall), (wide, broad)].into_iter().enumerate() {
        let at = cx.number(axis);
        let point = cx.slice_axis(offsets, 1, Range { start: at, len: Dim::ONE, step: 1 })?;
        let point = cx.reshape(point, &[batch, Dim::ONE, Dim::ONE])?;
        let start = start.of(cx, point, length, size)?;
        let steps = counter(cx, axis + 1, 3, size)?;
        places.push(cx.add(start, steps)?);
    }
    let place = joined(cx, &places, &dims[..3])?;
    let all = merged(cx, x, 3)?;
    let found = cx.gather(all, place, 0, Bounds::Clamp)?;
    let inside = cx.compare_scalar(CompareOp::Ge, place, 0.0)?;
    let inside = cx.insert_axis(inside, 3)?;
    let nothing = cx.scalar_like(found, 0.0)?;
    cx.select(inside, found, nothing)
}

impl LayerDef for Glimpse {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let value = glimpse(cx, &args)?;
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused_with};
    use serde_json::json;

    #[test]
    fn shapes() {
        let config = json!({"size": [3, 4], "noise": "zero"});
        check("ExtractGlimpse", config, json!(["f:?,8,?,2", null, "f:?,2"]), json!({}), "float32[?,3,4,2]");
    }

    #[test]
    fn refuses() {
        let message = "a glimpse that fills what is outside of its image with random numbers is not supported: write the \
                       model with `noise` `zero`";
        refused_with("ExtractGlimpse", json!({"size": [3, 4]}), json!(["f:?,8,8,2", null, "f:?,2"]), message);
        let message = "offsets of shape [?,3] do not fit images of shape [?,8,8,2]";
        refused_with("ExtractGlimpse", json!({"size": [3, 4]}), json!(["f:?,8,8,2", null, "f:?,3"]), message);
        let config = json!({"size": [3, 0], "noise": "zero"});
        let message = "`size`: expected at least 1";
        refused_with("ExtractGlimpse", config, json!(["f:?,8,8,2", null, "f:?,2"]), message);
    }
}
