//! Layers for images.

pub mod augment;
pub mod clahe;
pub mod contrast;
pub mod crop;
pub mod rescaling;
pub mod resizing;

use super::spatial::Spatial;
use crate::call::Call;
use crate::config::Config;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::layout::Range;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result};

/// The images of a call, with an axis for the batch, and whether it was a single image without one.
fn images(cx: &mut LowerCx<'_>, call: &Call<KerasTensor>, spatial: Spatial) -> Result<(Value, bool)> {
    let input = cx.single(call)?;
    if cx.ty(input.value).rank() != 3 {
        return Ok((spatial.value(cx, call)?.value, false));
    }
    cx.mixes_batch();
    let one = cx.insert_axis(input.value, 0)?;
    Ok((spatial.value(cx, &Call::of([KerasTensor::from(one)]))?.value, true))
}

/// Reads `height` and `width`, each at least 1.
fn read_size(config: &Config<'_>) -> Result<[usize; 2]> {
    let read = |key| match config.req(key)? {
        0 => Err(Error::malformed("expected at least 1, found 0").at_json(key).at_json("config")),
        n => Ok(n),
    };
    Ok([read("height")?, read("width")?])
}

/// `length * a / b`, rounded down: one side of an image from the other, for a given aspect ratio.
fn share(cx: &mut LowerCx<'_>, length: Dim, a: usize, b: usize) -> Result<Dim> {
    let a = cx.number(a);
    let whole = cx.dims().mul(length, a)?;
    cx.dims().div_floor(whole, b as u64)
}

/// Height and width of the largest part of an image with the aspect ratio of a target size.
fn fitting(cx: &mut LowerCx<'_>, x: Value, spatial: Spatial, size: [usize; 2]) -> Result<[Dim; 2]> {
    let axes = spatial.axes();
    let (height, width) = (cx.dims_of(x)[axes.start], cx.dims_of(x)[axes.start + 1]);
    let [target_height, target_width] = size;
    let tall = share(cx, width, target_height, target_width)?;
    let wide = share(cx, height, target_width, target_height)?;
    let least = |cx: &mut LowerCx<'_>, length, share| {
        let part = cx.dims().min(length, share)?;
        cx.dims().max(part, Dim::ONE)
    };
    Ok([least(cx, height, tall)?, least(cx, width, wide)?])
}

/// Crops the middle of an image; if the margin is odd, more is cut at the end.
fn cut(cx: &mut LowerCx<'_>, x: Value, spatial: Spatial, lengths: [Dim; 2]) -> Result<Value> {
    let mut ranges = cx.whole(x);
    for (axis, len) in spatial.axes().zip(lengths) {
        let rest = cx.dims_of(x)[axis];
        let rest = cx.dims().sub(rest, len)?;
        ranges[axis] = Range { start: cx.dims().div_floor(rest, 2)?, len, step: 1 };
    }
    if ranges == cx.whole(x) { Ok(x) } else { cx.slice(x, &ranges) }
}

/// Crops the largest part of an image with the aspect ratio of a target size.
fn cropped_to_ratio(cx: &mut LowerCx<'_>, x: Value, spatial: Spatial, size: [usize; 2]) -> Result<Value> {
    let lengths = fitting(cx, x, spatial, size)?;
    cut(cx, x, spatial, lengths)
}
