//! Resizing and rearranging images: resize, crop, pad, flip, convert between pixels and blocks of channels.
//!
//! Reference: `keras.ops.image`, `tf.image`, `tf.nn.depth_to_space`. An image without a batch is a batch of one.

use super::FromOpConfig;
use super::args::{Args, missing};
use super::params::Params;
use super::sizes;
use crate::call::Call;
use crate::config::{Config, DataFormat};
use crate::layer::LayerDef;
use crate::layers::image::resizing::Fit;
use crate::layers::resample::{Grid, Interpolation, resize, resize_old};
use crate::layers::spatial::Spatial;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::elementwise::UnaryOp;
use tfjs_ir::prim::layout::{Padding, Range};
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result};

/// An operation on the height and the width of images.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// The operation.
    pub kind: ImageKind,
    /// `size`, `interpolation` or `method`, `antialias`, croppings and paddings, `block_size`, `data_format`.
    pub params: Params,
}

/// The operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageKind {
    /// Resizes as Keras does.
    Resize,
    /// Resizes as TensorFlow does, to a size that may be a tensor.
    ResizeTo,
    /// Resizes as TensorFlow 1 does, with a `method`.
    ResizeOld,
    /// Resizes as TensorFlow 1 does, with bilinear interpolation.
    ResizeBilinear,
    /// Resizes as TensorFlow 1 does, to the nearest pixel.
    ResizeNearest,
    /// Resizes as TensorFlow 1 does, with a cubic.
    ResizeBicubic,
    /// Resizes as TensorFlow 1 does, with the mean of the area that a pixel covers.
    ResizeArea,
    /// Resizes with the aspect ratio kept, and pads with zeros.
    ResizeWithBorders {
        /// Whether it resizes as TensorFlow 1 does.
        old: bool,
    },
    /// Adds borders.
    Pad,
    /// Removes borders.
    Crop,
    /// Crops to a box, given by its first row and column, height and width.
    CropToBox,
    /// Pads with zeros, given the first row and column of the image in the result, and the height and width of the
    /// result.
    PadToBox,
    /// Crops to the middle, by a fraction of height and width.
    CentralCrop,
    /// Crops to the middle, or pads at both ends.
    CropOrPad,
    /// Reverses columns.
    FlipColumns,
    /// Reverses rows.
    FlipRows,
    /// Swaps rows and columns.
    Transpose,
    /// Converts blocks of channels to pixels.
    DepthToSpace,
    /// Converts blocks of pixels to channels.
    SpaceToDepth,
}

impl FromOpConfig for Image {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use ImageKind as K;
        let kind = match class {
            "Resize" => K::Resize,
            "ResizeTo" => K::ResizeTo,
            "ResizeOld" => K::ResizeOld,
            "ResizeBilinear" => K::ResizeBilinear,
            "ResizeNearest" => K::ResizeNearest,
            "ResizeBicubic" => K::ResizeBicubic,
            "ResizeArea" => K::ResizeArea,
            "ResizeWithPad" => K::ResizeWithBorders { old: false },
            "ResizeWithPadOld" => K::ResizeWithBorders { old: true },
            "PadImages" => K::Pad,
            "CropImages" => K::Crop,
            "CropToBox" => K::CropToBox,
            "PadToBox" => K::PadToBox,
            "CentralCrop" => K::CentralCrop,
            "CropOrPad" => K::CropOrPad,
            "FlipLeftRight" => K::FlipColumns,
            "FlipUpDown" => K::FlipRows,
            "TransposeImage" => K::Transpose,
            "DepthToSpace" => K::DepthToSpace,
            "SpaceToDepth" => K::SpaceToDepth,
            other => return Err(Error::bug(format!("`{other}` is listed as an operation on images"))),
        };
        Ok(Image { kind, params: Params::read(config) })
    }
}

/// The data format, by any of its names.
pub(crate) fn format_of(args: &Args<'_>) -> Result<DataFormat> {
    let format: Option<String> = args.opt(&["data_format"], None)?;
    match format.as_deref() {
        None | Some("channels_last" | "NHWC") => Ok(DataFormat::ChannelsLast),
        Some("channels_first" | "NCHW") => Ok(DataFormat::ChannelsFirst),
        Some(other) => Err(Error::malformed(format!("unknown `data_format` `{other}`"))),
    }
}

/// A size with one of these names.
fn size(cx: &mut LowerCx<'_>, args: &Args<'_>, names: &[&'static str], position: Option<usize>) -> Result<Option<Dim>> {
    match args.sizes(cx, names, position)?.as_deref() {
        None => Ok(None),
        Some(&[size]) => Ok(Some(size)),
        Some(_) => Err(Error::malformed("expected a number, found several").at_json(names[0])),
    }
}

/// The height and the width of images with a batch.
struct Frame {
    spatial: Spatial,
    axes: [usize; 2],
}

impl Frame {
    fn lengths(&self, cx: &LowerCx<'_>, x: Value) -> [Dim; 2] {
        self.axes.map(|axis| cx.ty(x).dims[axis])
    }

    fn resized(
        &self,
        cx: &mut LowerCx<'_>,
        x: Value,
        to: [Dim; 2],
        how: Interpolation,
        antialias: bool,
    ) -> Result<Value> {
        let mut out = x;
        for (axis, length) in self.axes.into_iter().zip(to) {
            self.can_resize(cx, out, axis, to, length)?;
            out = resize(cx, out, axis, length, how, antialias)?;
        }
        Ok(out)
    }

    /// Fails if an axis is empty, or would become empty.
    fn can_resize(&self, cx: &mut LowerCx<'_>, x: Value, axis: usize, to: [Dim; 2], length: Dim) -> Result<()> {
        let from = cx.dims_of(x)[axis];
        if cx.at_least(length, Dim::ONE) && cx.at_least(from, Dim::ONE) {
            return Ok(());
        }
        let (to, shape) = (sizes::text(cx, &to), cx.shape(x));
        Err(Error::malformed(format!("images of shape {shape} cannot be resized to {to}")))
    }

    /// Crops images, given the first row and column and the lengths.
    fn cropped(&self, cx: &mut LowerCx<'_>, x: Value, starts: [Dim; 2], lengths: [Dim; 2]) -> Result<Value> {
        let mut ranges = cx.whole(x);
        for ((axis, start), len) in self.axes.into_iter().zip(starts).zip(lengths) {
            let end = cx.dims().add(start, len)?;
            let inside = [(start, Dim::ZERO), (len, Dim::ZERO), (ranges[axis].len, end)];
            if !inside.into_iter().all(|(a, b)| cx.at_least(a, b)) {
                let (start, len, shape) = (sizes::text(cx, &[start]), sizes::text(cx, &[len]), cx.shape(x));
                let message = format!("a part from {start} of length {len} is outside of images of shape {shape}");
                return Err(Error::malformed(message));
            }
            ranges[axis] = Range { start, len, step: 1 };
        }
        if ranges == cx.whole(x) { Ok(x) } else { cx.slice(x, &ranges) }
    }

    /// Pads images before and after their rows and columns.
    fn padded(&self, cx: &mut LowerCx<'_>, x: Value, before: [Dim; 2], after: [Dim; 2]) -> Result<Value> {
        let mut padding = vec![Padding::NONE; cx.ty(x).rank()];
        for ((axis, low), high) in self.axes.into_iter().zip(before).zip(after) {
            if !cx.at_least(low, Dim::ZERO) || !cx.at_least(high, Dim::ZERO) {
                let found = sizes::text(cx, &[low, high]);
                return Err(Error::malformed(format!("expected borders of at least 0, found {found}")));
            }
            padding[axis] = Padding { low, high, interior: 0 };
        }
        cx.pad(x, &padding, 0.0)
    }

    /// Crops an axis to its middle, or pads both ends; if the difference is odd, one more element at the end.
    fn crop_or_pad(&self, cx: &mut LowerCx<'_>, x: Value, to: [Dim; 2]) -> Result<Value> {
        let from = self.lengths(cx, x);
        let (mut starts, mut kept, mut before, mut after) = (from, from, from, from);
        for side in 0..2 {
            kept[side] = cx.dims().min(from[side], to[side])?;
            let less = cx.dims().sub(from[side], kept[side])?;
            starts[side] = cx.dims().div_floor(less, 2)?;
            let more = cx.dims().sub(to[side], kept[side])?;
            before[side] = cx.dims().div_floor(more, 2)?;
            after[side] = cx.dims().sub(more, before[side])?;
        }
        let x = self.cropped(cx, x, starts, kept)?;
        self.padded(cx, x, before, after)
    }
}

/// The height and width in `size`.
fn target(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<[Dim; 2]> {
    match args.sizes(cx, &["size"], Some(1))?.as_deref() {
        Some(&[height, width]) => Ok([height, width]),
        Some(_) => Err(Error::malformed("expected height and width as `size`")),
        None => Err(missing(&["size"])),
    }
}

fn interpolation(name: &str) -> Result<Interpolation> {
    // TensorFlow 1 uses numbers for the methods.
    let found = match name {
        "0" => Some(Interpolation::Bilinear),
        "1" => Some(Interpolation::Nearest),
        "2" => Some(Interpolation::Bicubic),
        "3" => Some(Interpolation::Area),
        name => Interpolation::of_name(name),
    };
    found.ok_or_else(|| Error::unsupported(format!("there is no interpolation `{name}`")))
}

/// TensorFlow's `method`: a name, or TensorFlow 1's number for it.
fn method(args: &Args<'_>) -> Result<Interpolation> {
    match args.opt::<serde_json::Value>(&["method"], None)? {
        None => Ok(Interpolation::Bilinear),
        Some(serde_json::Value::String(name)) => interpolation(&name),
        Some(other) => interpolation(&other.to_string()),
    }
}

/// Resizes as Keras does.
fn keras_resize(cx: &mut LowerCx<'_>, args: &Args<'_>, frame: &Frame, x: Value) -> Result<Value> {
    let to = target(cx, args)?;
    let how = interpolation(&args.or::<String>(&["interpolation"], None, "bilinear".into())?)?;
    let antialias = args.or(&["antialias"], None, false)?;
    let fill = args.or(&["fill_value"], None, 0.0)?;
    args.inert(&["fill_mode"]);
    let fit = match (args.or(&["crop_to_aspect_ratio"], None, false)?, args.or(&["pad_to_aspect_ratio"], None, false)?)
    {
        (false, false) => Fit::Stretch,
        (true, _) => Fit::Crop,
        (false, true) => Fit::Pad(fill),
    };
    let x = match (fit, to.map(|length| cx.known_dim(length))) {
        (Fit::Stretch, _) => x,
        (fit, [Some(height), Some(width)]) => {
            crate::layers::image::resizing::fitted(cx, x, frame.spatial, [height, width], fit)?
        }
        _ => return Err(Error::unsupported("a fitted image of unknown size is not supported")),
    };
    frame.resized(cx, x, to, how, antialias)
}

/// Resizes as TensorFlow does, optionally with the aspect ratio kept.
fn tensorflow_resize(cx: &mut LowerCx<'_>, args: &Args<'_>, frame: &Frame, x: Value) -> Result<Value> {
    let to = wanted(cx, args, frame, x)?;
    let how = method(args)?;
    let antialias = args.or(&["antialias"], None, false)?;
    frame.resized(cx, x, to, how, antialias)
}

/// The requested size, or the largest size in it that keeps the aspect ratio of the image.
fn wanted(cx: &mut LowerCx<'_>, args: &Args<'_>, frame: &Frame, x: Value) -> Result<[Dim; 2]> {
    let to = target(cx, args)?;
    if !args.or(&["preserve_aspect_ratio"], None, false)? {
        return Ok(to);
    }
    let from = frame.lengths(cx, x);
    let known = [from[0], from[1], to[0], to[1]].map(|length| cx.known_dim(length));
    let [Some(height), Some(width), Some(high), Some(wide)] = known else {
        return Err(Error::unsupported("`preserve_aspect_ratio` of images of unknown size is not supported"));
    };
    let scale = (high as f32 / height as f32).min(wide as f32 / width as f32);
    Ok([height, width].map(|length| cx.number((scale * length as f32).round() as usize)))
}

/// Resizes to the largest size that fits and keeps the aspect ratio, and pads with zeros.
fn resized_with_borders(cx: &mut LowerCx<'_>, args: &Args<'_>, frame: &Frame, x: Value, old: bool) -> Result<Value> {
    let mut one = |name: &'static str, position| -> Result<Dim> {
        size(cx, args, &[name], Some(position))?.ok_or_else(|| missing(&[name]))
    };
    let to = [one("target_height", 1)?, one("target_width", 2)?];
    let how = match args.opt::<serde_json::Value>(&["method"], Some(3))? {
        Some(_) => method(args)?,
        None => Interpolation::Bilinear,
    };
    let antialias = args.or(&["antialias"], Some(4), false)?;
    let from = frame.lengths(cx, x);
    let known = [from[0], from[1], to[0], to[1]].map(|length| cx.known_dim(length).filter(|&length| length > 0));
    let [Some(height), Some(width), Some(high), Some(wide)] = known else {
        return Err(Error::unsupported("borders around images of unknown size are not supported"));
    };
    // In single precision, as in TensorFlow.
    let ratio = (width as f32 / wide as f32).max(height as f32 / high as f32);
    let (mut sizes, mut before, mut after) = (to, to, to);
    for (side, (length, target)) in [(height, high), (width, wide)].into_iter().enumerate() {
        let exact = length as f32 / ratio;
        let resized = exact.floor() as usize;
        let border = ((target as f32 - exact) / 2.0).floor().max(0.0) as usize;
        let rest = target.checked_sub(resized).and_then(|rest| rest.checked_sub(border));
        let rest = rest.ok_or_else(|| Error::malformed("an image that does not fit its borders"))?;
        (sizes[side], before[side], after[side]) = (cx.number(resized), cx.number(border), cx.number(rest));
    }
    let x = match old {
        true => old_resize(cx, args, frame, x, sizes, how)?,
        false => frame.resized(cx, x, sizes, how, antialias)?,
    };
    frame.padded(cx, x, before, after)
}

/// Resizes as TensorFlow 1 does: pixels are at corners unless `half_pixel_centers` is set.
fn old_resize(
    cx: &mut LowerCx<'_>,
    args: &Args<'_>,
    frame: &Frame,
    x: Value,
    to: [Dim; 2],
    how: Interpolation,
) -> Result<Value> {
    let aligned = args.or(&["align_corners"], None, false)?;
    let half = args.or(&["half_pixel_centers"], None, false)?;
    let grid = match (aligned, half) {
        (false, false) => Grid::Corner,
        (false, true) => Grid::Middles,
        (true, false) => Grid::Corners,
        (true, true) => return Err(Error::malformed("`align_corners` and `half_pixel_centers` exclude each other")),
    };
    let mut out = if how == Interpolation::Nearest { x } else { cx.to_float(x)? };
    for (axis, length) in frame.axes.into_iter().zip(to) {
        frame.can_resize(cx, out, axis, to, length)?;
        out = resize_old(cx, out, axis, length, how, grid)?;
    }
    Ok(out)
}

/// The borders before and after, computed from two of three numbers for each side.
fn borders(cx: &mut LowerCx<'_>, args: &Args<'_>, from: [Dim; 2], grows: bool) -> Result<([Dim; 2], [Dim; 2])> {
    const NAMES: [[[&str; 2]; 3]; 2] = [
        [["top_padding", "top_cropping"], ["bottom_padding", "bottom_cropping"], ["target_height", "target_height"]],
        [["left_padding", "left_cropping"], ["right_padding", "right_cropping"], ["target_width", "target_width"]],
    ];
    let (mut before, mut after) = (from, from);
    for side in 0..2 {
        let [low, high, target] = NAMES[side];
        let (low, high, target) =
            (size(cx, args, &low, None)?, size(cx, args, &high, None)?, size(cx, args, &target[..1], None)?);
        // The length minus the result's, or the reverse.
        let both = |cx: &mut LowerCx<'_>, to: Dim| match grows {
            true => cx.dims().sub(to, from[side]),
            false => cx.dims().sub(from[side], to),
        };
        (before[side], after[side]) = match (low, high, target) {
            (Some(low), Some(high), _) => (low, high),
            (Some(low), None, Some(to)) => {
                let both = both(cx, to)?;
                (low, cx.dims().sub(both, low)?)
            }
            (None, Some(high), Some(to)) => {
                let both = both(cx, to)?;
                (cx.dims().sub(both, high)?, high)
            }
            _ => return Err(Error::malformed("expected two of the two borders and the length of each side")),
        };
    }
    Ok((before, after))
}

/// The first row and column, the height and the width of a box.
fn named_box(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<([Dim; 2], [Dim; 2])> {
    let mut one = |name: &'static str, position| -> Result<Dim> {
        size(cx, args, &[name], Some(position))?.ok_or_else(|| missing(&[name]))
    };
    let offsets = [one("offset_height", 1)?, one("offset_width", 2)?];
    Ok((offsets, [one("target_height", 3)?, one("target_width", 4)?]))
}

/// Crops to the middle, by a fraction of each side.
fn central(cx: &mut LowerCx<'_>, args: &Args<'_>, frame: &Frame, x: Value) -> Result<Value> {
    let share: f64 = args.need(&["central_fraction"], Some(1))?;
    if !(share > 0.0 && share <= 1.0) {
        return Err(Error::malformed(format!("expected a share above 0 and at most 1, found {share}")));
    }
    let (mut starts, mut lengths) = (frame.lengths(cx, x), frame.lengths(cx, x));
    for side in 0..2 {
        let length = cx.known(lengths[side], "the height and the width", x)?;
        let start = ((length as f64 - length as f64 * share) / 2.0) as usize;
        (starts[side], lengths[side]) = (cx.number(start), cx.number(length.saturating_sub(start.saturating_mul(2))));
    }
    frame.cropped(cx, x, starts, lengths)
}

/// Converts blocks of channels to pixels, or back; the channels are last.
fn blocks(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value, to_space: bool) -> Result<Value> {
    let block: usize = args.need(&["block_size"], Some(1))?;
    let text = cx.shape(x);
    let [batch, height, width, channels] = cx.dims_of(x)[..] else {
        return Err(Error::malformed(format!("expected images of rank 4, found shape {text}")));
    };
    let (side, area) = (cx.number(block), block.checked_mul(block));
    let area = area.filter(|&area| area > 0).map(|area| cx.number(area));
    let area = area.ok_or_else(|| Error::malformed(format!("expected blocks of at least 1, found {block}")))?;
    let parts: &[Dim] = if to_space { &[channels] } else { &[height, width] };
    let divisor = if to_space { area } else { side };
    if !parts.iter().all(|&dim| cx.divisible(dim, divisor)) {
        return Err(Error::malformed(format!("shape {text} does not consist of blocks of {block}")));
    }
    let dims = cx.dims();
    if to_space {
        let depth = dims.div_floor(channels, (block * block) as u64)?;
        let (high, wide) = (dims.mul(height, side)?, dims.mul(width, side)?);
        let x = cx.reshape(x, &[batch, height, width, side, side, depth])?;
        let x = cx.transpose(x, &[0, 1, 3, 2, 4, 5])?;
        return cx.reshape(x, &[batch, high, wide, depth]);
    }
    let (low, narrow) = (dims.div_floor(height, block as u64)?, dims.div_floor(width, block as u64)?);
    let depth = dims.mul(channels, area)?;
    let x = cx.reshape(x, &[batch, low, side, narrow, side, channels])?;
    let x = cx.transpose(x, &[0, 1, 3, 2, 4, 5])?;
    cx.reshape(x, &[batch, low, narrow, depth])
}

impl Image {
    fn compute(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, frame: &Frame, x: Value) -> Result<Value> {
        use ImageKind as K;
        match self.kind {
            K::Resize => {
                let resized = keras_resize(cx, args, frame, x)?;
                // Keras rounds the pixels of images of integers.
                if cx.ty(x).element.is_integer() && cx.ty(resized).element.is_float() {
                    let rounded = cx.unary(UnaryOp::RoundEven, resized)?;
                    return cx.cast_like(rounded, x);
                }
                Ok(resized)
            }
            K::ResizeTo => tensorflow_resize(cx, args, frame, x),
            K::ResizeOld => {
                let (how, to) = (method(args)?, wanted(cx, args, frame, x)?);
                old_resize(cx, args, frame, x, to, how)
            }
            K::ResizeBilinear | K::ResizeNearest | K::ResizeBicubic | K::ResizeArea => {
                let how = match self.kind {
                    K::ResizeBilinear => Interpolation::Bilinear,
                    K::ResizeNearest => Interpolation::Nearest,
                    K::ResizeBicubic => Interpolation::Bicubic,
                    _ => Interpolation::Area,
                };
                let to = target(cx, args)?;
                old_resize(cx, args, frame, x, to, how)
            }
            K::ResizeWithBorders { old } => resized_with_borders(cx, args, frame, x, old),
            K::Pad => {
                let from = frame.lengths(cx, x);
                let (before, after) = borders(cx, args, from, true)?;
                frame.padded(cx, x, before, after)
            }
            K::Crop => {
                let from = frame.lengths(cx, x);
                let (before, after) = borders(cx, args, from, false)?;
                let mut kept = from;
                for side in 0..2 {
                    let less = cx.dims().add(before[side], after[side])?;
                    kept[side] = cx.dims().sub(from[side], less)?;
                }
                frame.cropped(cx, x, before, kept)
            }
            K::CropToBox => {
                let (starts, lengths) = named_box(cx, args)?;
                frame.cropped(cx, x, starts, lengths)
            }
            K::PadToBox => {
                let (before, to) = named_box(cx, args)?;
                let (from, mut after) = (frame.lengths(cx, x), to);
                for side in 0..2 {
                    let end = cx.dims().add(before[side], from[side])?;
                    after[side] = cx.dims().sub(to[side], end)?;
                }
                frame.padded(cx, x, before, after)
            }
            K::CentralCrop => central(cx, args, frame, x),
            K::CropOrPad => {
                let height = size(cx, args, &["target_height"], Some(1))?.ok_or_else(|| missing(&["target_height"]))?;
                let width = size(cx, args, &["target_width"], Some(2))?.ok_or_else(|| missing(&["target_width"]))?;
                frame.crop_or_pad(cx, x, [height, width])
            }
            K::FlipColumns => cx.reverse(x, &[frame.axes[1]]),
            K::FlipRows => cx.reverse(x, &[frame.axes[0]]),
            K::Transpose => {
                let mut order: Vec<usize> = (0..cx.ty(x).rank()).collect();
                order.swap(frame.axes[0], frame.axes[1]);
                cx.transpose(x, &order)
            }
            K::DepthToSpace | K::SpaceToDepth => {
                let x = frame.spatial.channels_last(cx, x)?;
                let out = blocks(cx, args, x, self.kind == K::DepthToSpace)?;
                frame.spatial.restore(cx, out)
            }
        }
    }
}

impl LayerDef for Image {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let mut x = args.numbers(cx, &["images", "image"])?.value;
        let alone = cx.ty(x).rank() == 3;
        if alone {
            x = cx.insert_axis(x, 0)?;
        }
        if cx.ty(x).rank() != 4 {
            let shape = cx.shape(x);
            return Err(Error::malformed(format!("expected images of rank 3 or 4, found shape {shape}")));
        }
        let spatial = Spatial { format: format_of(&args)?, count: 2 };
        let frame = Frame { spatial, axes: [spatial.axes().start, spatial.axes().start + 1] };
        let mut value = self.compute(cx, &args, &frame, x)?;
        if alone {
            cx.mixes_batch();
            value = cx.remove_axis(value, 0)?;
        }
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
        let x = || json!(["f:?,4,6,4"]);
        check("Resize", json!({"size": [8, 5], "interpolation": "nearest"}), x(), json!({}), "float32[?,8,5,4]");
        check("Resize", json!({"size": [8, 5]}), json!(["i:?,4,6,4"]), json!({}), "int32[?,8,5,4]");
        check("ResizeTo", json!({}), x(), json!({"size": [8, 8], "preserve_aspect_ratio": true}), "float32[?,5,8,4]");
        let config = json!({"top_padding": 1, "left_padding": 2, "target_height": 10, "target_width": 12});
        check("PadImages", config, x(), json!({}), "float32[?,10,12,4]");
        let config = json!({"top_cropping": 1, "left_cropping": 2, "bottom_cropping": 0, "right_cropping": 1});
        check("CropImages", config, x(), json!({}), "float32[?,3,3,4]");
        check("CropOrPad", json!({}), x(), json!({"target_height": 5, "target_width": 4}), "float32[?,5,4,4]");
        check("CentralCrop", json!({}), x(), json!({"central_fraction": 0.5}), "float32[?,2,4,4]");
        check("DepthToSpace", json!({"block_size": 2}), x(), json!({}), "float32[?,8,12,1]");
        let first = json!({"block_size": 2, "data_format": "channels_first"});
        check("SpaceToDepth", first, x(), json!({}), "float32[?,16,3,2]");
        check("FlipLeftRight", json!({}), json!(["f:4,6,3"]), json!({}), "float32[4,6,3]");
    }

    #[test]
    fn refuses() {
        let message = "shape [?,4,6,3] does not consist of blocks of 4";
        refused_with("SpaceToDepth", json!({"block_size": 4}), json!(["f:?,4,6,3"]), message);
        let message = "there is no interpolation `cubic`";
        refused_with("Resize", json!({"size": [2, 2], "interpolation": "cubic"}), json!(["f:?,4,6,3"]), message);
        let message = "expected images of rank 3 or 4, found shape [?,4]";
        refused_with("Resize", json!({"size": [2, 2]}), json!(["f:?,4"]), message);
    }
}
