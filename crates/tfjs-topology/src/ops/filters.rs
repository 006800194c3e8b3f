//! Filters of images, and other window operations: blur, edges, morphology, unfold and fold, adaptive pools.
//!
//! Reference: `keras.ops.image.gaussian_blur`, `keras.ops.image.sobel_edges`, `keras.ops.unfold`, `keras.ops.fold`,
//! `keras.ops.adaptive_average_pool`; `tf.nn.dilation2d`, `tf.nn.erosion2d`, `tf.image.sobel_edges`.

use super::FromOpConfig;
use super::args::{Args, missing, to_type};
use super::image::format_of;
use super::images::Images;
use super::pad::mirrored;
use super::params::{Numbers, Params};
use crate::call::Call;
use crate::config::{Config, DataFormat};
use crate::layer::LayerDef;
use crate::layers::pool::PoolKind;
use crate::layers::pool::adaptive::AdaptivePool;
use crate::layers::spatial::Spatial;
use crate::lower::{KerasTensor, LowerCx, value_type};
use tfjs_ir::prim::elementwise::{BinaryOp, UnaryOp};
use tfjs_ir::prim::layout::{Padding, Range};
use tfjs_ir::window::{Padding as Borders, Window};
use tfjs_ir::{Array, Data, Dim, ElementType, Value};
use tfjs_manifest::{Error, Limits, Result};

/// A filter.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// The filter.
    pub kind: FilterKind,
    /// `kernel_size`, `sigma`, `strides`, `dilations`, `padding`, `output_size`, `data_format`.
    pub params: Params,
}

/// The filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterKind {
    /// A Gaussian blur.
    Blur,
    /// The Sobel operator: differences of neighbours, vertical and horizontal.
    Edges,
    /// The maximum over each window of an element plus its weight.
    Dilation,
    /// The minimum over each window of an element minus its weight.
    Erosion,
    /// Each window as a column.
    Unfold,
    /// Adds columns at the positions of their windows.
    Fold,
    /// A pool to a given output size.
    Adaptive(PoolKind),
}

impl FromOpConfig for Filter {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use FilterKind as K;
        let kind = match class {
            "GaussianBlur" => K::Blur,
            "SobelEdges" => K::Edges,
            "Dilation2D" => K::Dilation,
            "Erosion2D" => K::Erosion,
            "Unfold" => K::Unfold,
            "Fold" => K::Fold,
            "AdaptiveMaxPool" => K::Adaptive(PoolKind::Max),
            "AdaptiveAveragePool" => K::Adaptive(PoolKind::Average),
            other => return Err(Error::bug(format!("`{other}` is listed as a filter"))),
        };
        Ok(Filter { kind, params: Params::read(config) })
    }
}

/// Two numbers, or one that is used twice.
fn pair<V: Copy>(numbers: &[V], name: &'static str) -> Result<[V; 2]> {
    match *numbers {
        [both] => Ok([both, both]),
        [first, second] => Ok([first, second]),
        _ => Err(Error::malformed(format!("expected one or two numbers, found {}", numbers.len())).at_json(name)),
    }
}

/// Two integers of at least `least`.
fn whole_pair(
    args: &Args<'_>,
    name: &'static str,
    position: Option<usize>,
    default: Option<i64>,
    least: usize,
) -> Result<[usize; 2]> {
    let numbers = match (args.opt::<Numbers>(&[name], position)?, default) {
        (Some(Numbers(numbers)), _) => numbers,
        (None, Some(default)) => vec![default],
        (None, None) => return Err(missing(&[name])),
    };
    let [a, b] = pair(&numbers, name)?;
    let wrong = |n: i64| Error::malformed(format!("expected at least {least}, found {n}")).at_json(name);
    let of = |n: i64| usize::try_from(n).ok().filter(|&n| n >= least).ok_or_else(|| wrong(n));
    Ok([of(a)?, of(b)?])
}

/// A Gaussian kernel of `size` elements, whose sum is 1.
pub(super) fn bell(size: usize, sigma: f64) -> Vec<f64> {
    let middle = (size as f64 - 1.0) / 2.0;
    let weights: Vec<f64> = (0..size).map(|at| (-0.5 * ((at as f64 - middle) / sigma).powi(2)).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}

/// The images as floating point, and their number of channels.
fn numbers(cx: &mut LowerCx<'_>, args: &Args<'_>, takes_one: bool) -> Result<(Images, usize)> {
    let mut images = Images::read(cx, args, takes_one)?;
    let channels = cx.known(images.dims[3], "the channels", images.value)?;
    images.value = cx.to_float(images.value)?;
    Ok((images, channels))
}

fn blur(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let (images, channels) = numbers(cx, args, true)?;
    let [high, wide] = whole_pair(args, "kernel_size", Some(1), Some(3), 1)?;
    let sigma = args.constant(&["sigma"], Some(2))?.map_or(vec![1.0], |sigma| sigma.values);
    let [first, second] = pair(&sigma, "sigma")?;
    // The size of the kernel is a number in the file.
    Limits::check("elements of a blur", high.saturating_mul(wide) as u64, 1 << 16)?;
    // Keras multiplies a column of the second size by a row of the first, and reads the product in rows of the second
    // size.
    let (down, across) = (bell(wide, second), bell(high, first));
    let weights: Vec<f64> = down.iter().flat_map(|a| across.iter().map(move |b| a * b)).collect();
    let kernel = cx.constant(Array::new(ElementType::F32, [high, wide, 1, 1], Data::Float(weights))?)?;
    let dims = [high, wide, 1, channels].map(|n| cx.number(n));
    let kernel = cx.broadcast_to(kernel, &dims)?;
    let kernel = cx.cast_like(kernel, images.value)?;
    let windows = [Window::new(high, 1, 1, Borders::Same)?, Window::new(wide, 1, 1, Borders::Same)?];
    let out = cx.conv(images.value, kernel, &windows, channels)?;
    images.restore(cx, out)
}

fn edges(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    const DOWN: [f64; 9] = [-1.0, -2.0, -1.0, 0.0, 0.0, 0.0, 1.0, 2.0, 1.0];
    let (images, channels) = numbers(cx, args, false)?;
    let mut x = images.value;
    for axis in [1, 2] {
        let before = mirrored(cx, x, axis, Dim::ONE, Dim::ONE, false)?;
        let after = mirrored(cx, x, axis, Dim::ONE, Dim::ONE, true)?;
        let parts: Vec<Value> = before.into_iter().chain([x]).chain(after).collect();
        x = cx.concat(&parts, axis)?;
    }
    let weights: Vec<f64> = (0..9).flat_map(|at| [DOWN[at], DOWN[at % 3 * 3 + at / 3]]).collect();
    let kernel = cx.constant(Array::new(ElementType::F32, [3, 3, 1, 1, 2], Data::Float(weights))?)?;
    let dims = [3, 3, 1, channels, 2].map(|n| cx.number(n));
    let kernel = cx.broadcast_to(kernel, &dims)?;
    let all = channels.checked_mul(2).ok_or_else(|| Error::malformed("too many channels"))?;
    let flat = [3, 3, 1, all].map(|n| cx.number(n));
    let kernel = cx.reshape(kernel, &flat)?;
    let kernel = cx.cast_like(kernel, x)?;
    let windows = [Window::new(3, 1, 1, Borders::Valid)?; 2];
    let out = cx.conv(x, kernel, &windows, channels)?;
    let mut dims = cx.dims_of(out);
    dims.truncate(3);
    dims.extend([channels, 2].map(|n| cx.number(n)));
    let out = cx.reshape(out, &dims)?;
    if images.spatial.format == DataFormat::ChannelsFirst {
        return cx.transpose(out, &[0, 3, 1, 2, 4]);
    }
    Ok(out)
}

/// The middle two of four numbers, which are one for each axis of a tensor.
fn spatial_pair(args: &Args<'_>, names: &[&'static str]) -> Result<[usize; 2]> {
    let Some(Numbers(numbers)) = args.opt(names, None)? else { return Err(missing(names)) };
    let of = |n: i64| usize::try_from(n).map_err(|_| Error::malformed(format!("expected at least 1, found {n}")));
    match numbers[..] {
        [_, a, b, _] => Ok([of(a)?, of(b)?]),
        _ => Err(Error::malformed("expected a number for each of 4 axes").at_json(names[0])),
    }
}

fn morphology(cx: &mut LowerCx<'_>, args: &Args<'_>, grows: bool) -> Result<Value> {
    let format: Option<String> = args.opt(&["data_format"], None)?;
    if format.is_some_and(|format| format != "NHWC") {
        return Err(Error::malformed("expected images with channels last").at_json("data_format"));
    }
    let x = args.need_value(cx, &["input", "value"], Some(0))?;
    let filters = args.need_value(cx, &["filters", "filter", "kernel"], Some(1))?;
    let x = cx.to_float(x)?;
    let mut filters = cx.cast_like(filters, x)?;
    let (dims, of) = (cx.dims_of(x), cx.dims_of(filters));
    let ([_, _, _, channels], &[high, wide, depth]) = (&dims[..], &of[..]) else {
        let (x, filters) = (cx.shape(x), cx.shape(filters));
        return Err(Error::malformed(format!("a filter of shape {filters} does not fit images of shape {x}")));
    };
    if cx.same(*channels, depth).is_none() {
        let (x, filters) = (cx.shape(x), cx.shape(filters));
        return Err(Error::malformed(format!("a filter of shape {filters} does not fit images of shape {x}")));
    }
    let (high, wide) =
        (cx.known(high, "the size of a filter", filters)?, cx.known(wide, "the size of a filter", filters)?);
    Limits::check("elements of a filter", high.saturating_mul(wide) as u64, 1 << 10)?;
    let strides = spatial_pair(args, &["strides"])?;
    let rates = spatial_pair(args, &["dilations", "rates"])?;
    let padding: String = args.need(&["padding"], None)?;
    let borders = match padding.to_lowercase().as_str() {
        "valid" => Borders::Valid,
        "same" => Borders::Same,
        other => return Err(Error::malformed(format!("unknown padding `{other}`")).at_json("padding")),
    };
    let mut x = x;
    if !grows {
        // Erosion is the negated dilation of the negated image, with the filter flipped.
        x = cx.unary(UnaryOp::Neg, x)?;
        filters = cx.reverse(filters, &[0, 1])?;
    }
    let mut outputs = Vec::with_capacity(2);
    let mut pads = vec![Padding::NONE; 4];
    for (side, size) in [high, wide].into_iter().enumerate() {
        let window = Window::new(size, strides[side], rates[side], borders)?;
        let length = dims[side + 1];
        if !cx.at_least(length, Dim::ONE) {
            return Err(Error::malformed("expected images of at least one pixel"));
        }
        let (output, least) = window.output_dim(cx.dims(), length)?;
        if let Some(least) = least {
            cx.at_least(length, least);
        }
        let (low, high) = window.pads_dim(cx.dims(), length)?;
        pads[side + 1] = Padding { low, high, interior: 0 };
        outputs.push(output);
    }
    let x = cx.pad(x, &pads, f64::NEG_INFINITY)?;
    let mut largest: Option<Value> = None;
    for row in 0..high {
        for column in 0..wide {
            let mut ranges = cx.whole(x);
            for (side, place) in [row, column].into_iter().enumerate() {
                let start = place.checked_mul(rates[side]).ok_or_else(|| Error::malformed("too large a rate"))?;
                ranges[side + 1] = Range { start: cx.number(start), len: outputs[side], step: strides[side] as u64 };
            }
            let part = cx.slice(x, &ranges)?;
            let mut of = cx.whole(filters);
            (of[0], of[1]) = (
                Range { start: cx.number(row), len: Dim::ONE, step: 1 },
                Range { start: cx.number(column), len: Dim::ONE, step: 1 },
            );
            let weight = cx.slice(filters, &of)?;
            let weight = cx.insert_axis(weight, 0)?;
            let sum = cx.add(part, weight)?;
            largest = Some(match largest {
                Some(largest) => cx.binary(BinaryOp::Max, largest, sum)?,
                None => sum,
            });
        }
    }
    let largest = largest.ok_or_else(|| Error::malformed("a filter without elements"))?;
    if grows { Ok(largest) } else { cx.unary(UnaryOp::Neg, largest) }
}

/// The windows of `Unfold` and `Fold` along height and width.
fn columns(args: &Args<'_>, first: usize) -> Result<[Window; 2]> {
    let size = whole_pair(args, "kernel_size", Some(first), None, 1)?;
    let dilation = whole_pair(args, "dilation", Some(first + 1), Some(1), 1)?;
    let padding = whole_pair(args, "padding", Some(first + 2), Some(0), 0)?;
    let stride = whole_pair(args, "stride", Some(first + 3), Some(1), 1)?;
    Limits::check("elements of a window", size[0].saturating_mul(size[1]) as u64, 1 << 10)?;
    let window = |side: usize| {
        let borders = Borders::Exact { before: padding[side], after: padding[side] };
        Window::new(size[side], stride[side], dilation[side], borders)
    };
    Ok([window(0)?, window(1)?])
}

/// `[n, c, h, w]` to `[n, c kh kw, windows]`.
fn unfold(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let x = args.need_value(cx, &["x", "input"], Some(0))?;
    let windows = columns(args, 1)?;
    let dims = cx.dims_of(x);
    let &[batch, channels, _, _] = &dims[..] else {
        return Err(Error::malformed(format!("expected images of rank 4, found shape {}", cx.shape(x))));
    };
    let mut pads = vec![Padding::NONE; 4];
    let mut outputs = Vec::with_capacity(2);
    for (side, window) in windows.iter().enumerate() {
        let (output, least) = window.output_dim(cx.dims(), dims[side + 2])?;
        if let Some(least) = least {
            cx.at_least(dims[side + 2], least);
        }
        let (low, high) = window.pads_dim(cx.dims(), dims[side + 2])?;
        pads[side + 2] = Padding { low, high, interior: 0 };
        outputs.push(output);
    }
    let x = cx.pad(x, &pads, 0.0)?;
    // SIZE: the number of elements of a window, which was limited when it was read.
    let mut parts = Vec::with_capacity(windows[0].size * windows[1].size);
    for row in 0..windows[0].size {
        for column in 0..windows[1].size {
            let mut ranges = cx.whole(x);
            for (side, place) in [row, column].into_iter().enumerate() {
                let window = windows[side];
                ranges[side + 2] =
                    Range { start: cx.number(place * window.dilation), len: outputs[side], step: window.stride as u64 };
            }
            let part = cx.slice(x, &ranges)?;
            parts.push(cx.insert_axis(part, 2)?);
        }
    }
    let all = cx.concat(&parts, 2)?;
    let taps = cx.number(windows[0].size * windows[1].size);
    let rows = cx.dims().mul(channels, taps)?;
    let places = cx.dims().mul(outputs[0], outputs[1])?;
    cx.reshape(all, &[batch, rows, places])
}

/// `[n, c kh kw, windows]` to `[n, c, h, w]`: the transpose of [`unfold`].
fn fold(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let x = args.need_value(cx, &["x", "input"], Some(0))?;
    let size = whole_pair(args, "output_size", Some(1), None, 1)?;
    let windows = columns(args, 2)?;
    let shape = cx.shape(x);
    let dims = cx.dims_of(x);
    let &[batch, rows, places] = &dims[..] else {
        return Err(Error::malformed(format!("expected columns of rank 3, found shape {shape}")));
    };
    let taps = windows[0].size * windows[1].size;
    let rows = cx.known(rows, "the rows", x)?;
    let outputs = [windows[0].output(size[0])?, windows[1].output(size[1])?];
    let all = outputs[0].checked_mul(outputs[1]).map(|all| cx.number(all));
    let fits = all.is_some_and(|all| cx.same(places, all).is_some()) && rows.is_multiple_of(taps);
    if !fits {
        let message = format!("columns of shape {shape} do not fit an image of {} by {}", size[0], size[1]);
        return Err(Error::malformed(message));
    }
    let x = cx.to_float(x)?;
    let channels = cx.number(rows / taps);
    let apart = [cx.number(windows[0].size), cx.number(windows[1].size), cx.number(outputs[0]), cx.number(outputs[1])];
    let x = cx.reshape(x, &[batch, channels, apart[0], apart[1], apart[2], apart[3]])?;
    let mut total: Option<Value> = None;
    for row in 0..windows[0].size {
        for column in 0..windows[1].size {
            let mut ranges = cx.whole(x);
            for (axis, place) in [(2, row), (3, column)] {
                ranges[axis] = Range { start: cx.number(place), len: Dim::ONE, step: 1 };
            }
            let part = cx.slice(x, &ranges)?;
            let part = cx.reshape(part, &[batch, channels, apart[2], apart[3]])?;
            let mut pads = vec![Padding::NONE; 4];
            for (side, place) in [row, column].into_iter().enumerate() {
                let window = windows[side];
                let Borders::Exact { before, after } = window.padding else { continue };
                let low = place * window.dilation;
                let reach = outputs[side].saturating_sub(1).saturating_mul(window.stride).saturating_add(low + 1);
                let whole = size[side].saturating_add(before).saturating_add(after);
                let high = whole.saturating_sub(reach);
                let interior = (window.stride - 1) as u64;
                pads[side + 2] = Padding { low: cx.number(low), high: cx.number(high), interior };
            }
            let part = cx.pad(part, &pads, 0.0)?;
            total = Some(match total {
                Some(total) => cx.add(total, part)?,
                None => part,
            });
        }
    }
    let total = total.ok_or_else(|| Error::malformed("a window without elements"))?;
    let mut ranges = cx.whole(total);
    for (side, window) in windows.iter().enumerate() {
        let Borders::Exact { before, .. } = window.padding else { continue };
        ranges[side + 2] = Range { start: cx.number(before), len: cx.number(size[side]), step: 1 };
    }
    cx.slice(total, &ranges)
}

fn adaptive(cx: &mut LowerCx<'_>, args: &Args<'_>, kind: PoolKind) -> Result<Value> {
    let x = args.need_value(cx, &["inputs"], Some(0))?;
    let count = cx.ty(x).rank().checked_sub(2).filter(|count| (1..=3).contains(count));
    let shape = cx.shape(x);
    let count = count.ok_or_else(|| Error::malformed(format!("expected 1 to 3 spatial axes, found shape {shape}")))?;
    let spatial = Spatial { format: format_of(args)?, count };
    let Some(Numbers(sizes)) = args.opt(&["output_size"], Some(1))? else { return Err(missing(&["output_size"])) };
    let sizes = if sizes.len() == 1 { vec![sizes[0]; count] } else { sizes };
    let of = |n: i64| usize::try_from(n).ok().filter(|&n| n > 0);
    let size: Option<Vec<usize>> = sizes.iter().map(|&n| of(n)).collect();
    let size = size.filter(|size| size.len() == count);
    let size = size.ok_or_else(|| Error::malformed("expected a length of at least 1 for each spatial axis"))?;
    let pool = AdaptivePool { kind, spatial, size };
    let call = Call::of([KerasTensor::from(x)]);
    let [out] = &pool.lower(cx, &call)?[..] else { return Err(Error::bug("a pool with several results")) };
    Ok(out.value)
}

impl LayerDef for Filter {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use FilterKind as K;
        let args = Args::new(&self.params, call);
        let value = match self.kind {
            K::Blur => blur(cx, &args)?,
            K::Edges => edges(cx, &args)?,
            K::Dilation => morphology(cx, &args, true)?,
            K::Erosion => morphology(cx, &args, false)?,
            K::Unfold => unfold(cx, &args)?,
            K::Fold => fold(cx, &args)?,
            K::Adaptive(kind) => adaptive(cx, &args, kind)?,
        };
        let value = match args.at(0).and_then(crate::call::Arg::tensor) {
            Some(input) if self.kind == K::Blur => {
                let dtype = value_type(cx.ty(input.value).element);
                to_type(cx, value, dtype)?
            }
            _ => value,
        };
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
        check("GaussianBlur", json!({"kernel_size": [3, 5]}), json!(["f:?,4,6,3"]), json!({}), "float32[?,4,6,3]");
        check("SobelEdges", json!({}), json!(["f:?,4,6,3"]), json!({}), "float32[?,4,6,3,2]");
        let kwargs = json!({"strides": [1, 2, 1, 1], "dilations": [1, 1, 1, 1], "padding": "SAME"});
        check("Dilation2D", json!({}), json!(["f:?,4,6,3", "f:2,2,3"]), kwargs, "float32[?,2,6,3]");
        let windows = json!({"kernel_size": 2, "padding": 1, "stride": 2});
        check("Unfold", windows.clone(), json!(["f:?,3,4,6"]), json!({}), "float32[?,12,12]");
        let mut back = windows;
        back["output_size"] = json!([4, 6]);
        check("Fold", back, json!(["f:?,12,12"]), json!({}), "float32[?,3,4,6]");
        check("AdaptiveMaxPool", json!({"output_size": [2, 3]}), json!(["f:?,4,6,3"]), json!({}), "float32[?,2,3,3]");
    }

    #[test]
    fn refuses() {
        let message = "`kernel_size`: expected at least 1, found 0";
        refused_with("Unfold", json!({"kernel_size": 0}), json!(["f:?,3,4,6"]), message);
        let message = "columns of shape [?,12,11] do not fit an image of 4 by 6";
        refused_with("Fold", json!({"kernel_size": 2, "output_size": [4, 6]}), json!(["f:?,12,11"]), message);
    }
}
