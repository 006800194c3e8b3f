//! How alike images are: the signal-to-noise ratio and the structural similarity, at one or several scales.
//!
//! Reference: `tf.image.psnr`, `tf.image.ssim`, `tf.image.ssim_multiscale`; `keras.ops.psnr`, `keras.ops.image.ssim`.

use super::FromOpConfig;
use super::args::{Args, flat};
use super::filters::bell;
use super::gather::merged;
use super::image::format_of;
use super::params::Params;
use crate::call::Call;
use crate::config::{Config, DataFormat};
use crate::layer::LayerDef;
use crate::layers::spatial::channels_to_end;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::elementwise::{BinaryOp, UnaryOp};
use tfjs_ir::prim::layout::Range;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::prim::window::PoolOp;
use tfjs_ir::window::{Padding, Window};
use tfjs_ir::{Array, Data, Dim, ElementType, Value};
use tfjs_manifest::{Error, Limits, Result};

/// The weights of the scales of `tf.image.ssim_multiscale`, as published by Wang et al.
const SCALES: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

/// A comparison of two images.
#[derive(Clone, Debug, PartialEq)]
pub struct Quality {
    /// The measure.
    pub kind: QualityKind,
    /// `max_val`, `filter_size`, `filter_sigma`, `k1`, `k2`, `power_factors`, `return_index_map`, `data_format`.
    pub params: Params,
}

/// The measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QualityKind {
    /// The peak signal-to-noise ratio of each pair of images.
    PeakOfEach,
    /// The peak signal-to-noise ratio of all elements together.
    PeakOfAll,
    /// The structural similarity of each pair of images.
    Similarity,
    /// [`Similarity`](QualityKind::Similarity) with the data format and default maximum of Keras.
    KerasSimilarity,
    /// The structural similarity at several scales.
    Multiscale,
}

impl FromOpConfig for Quality {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use QualityKind as K;
        let kind = match class {
            "PSNROfEach" => K::PeakOfEach,
            "PSNR" => K::PeakOfAll,
            "SSIMOfEach" => K::Similarity,
            "SSIM" => K::KerasSimilarity,
            "SSIMMultiscale" => K::Multiscale,
            other => return Err(Error::bug(format!("`{other}` is listed as a measure of images"))),
        };
        Ok(Quality { kind, params: Params::read(config) })
    }
}

/// `10 log10(max^2 / mean squared difference)` over some axes.
fn peak(cx: &mut LowerCx<'_>, args: &Args<'_>, a: Value, b: Value, axes: &[usize]) -> Result<Value> {
    let most = args.need_value(cx, &["max_val"], Some(2))?;
    let most = cx.cast_like(most, a)?;
    let difference = cx.sub(a, b)?;
    let squares = cx.mul(difference, difference)?;
    let mean = cx.reduce(ReduceOp::Mean, squares, axes, false)?;
    let decibels = 10.0 / std::f64::consts::LN_10;
    let (high, low) = (cx.unary(UnaryOp::Log, most)?, cx.unary(UnaryOp::Log, mean)?);
    let high = cx.binary_scalar(BinaryOp::Mul, high, 2.0 * decibels)?;
    let low = cx.binary_scalar(BinaryOp::Mul, low, decibels)?;
    cx.sub(high, low)
}

/// A structural similarity: the averages of its windows and its constants.
struct Similarity {
    size: usize,
    sigma: f64,
    /// The constants that keep its two quotients finite.
    steady: [Value; 2],
}

impl Similarity {
    /// `filter` is the position of the argument `filter_size`.
    fn read(cx: &mut LowerCx<'_>, args: &Args<'_>, like: Value, filter: usize) -> Result<Self> {
        let most = match args.value(cx, &["max_val"], Some(2))? {
            Some(most) => cx.cast_like(most, like)?,
            None => cx.scalar_like(like, 1.0)?,
        };
        let size: usize = args.or(&["filter_size"], Some(filter), 11)?;
        // The weights of a window are a constant of this length.
        Limits::check("elements of a row of a window", size as u64, 1 << 10)?;
        if size == 0 {
            return Err(Error::malformed("expected at least 1, found 0").at_json("filter_size"));
        }
        let sigma = args.or(&["filter_sigma"], Some(filter + 1), 1.5)?;
        let mut steady = [most; 2];
        for (constant, (name, place, default)) in
            steady.iter_mut().zip([("k1", filter + 2, 0.01), ("k2", filter + 3, 0.03)])
        {
            let share = cx.binary_scalar(BinaryOp::Mul, most, args.or(&[name], Some(place), default)?)?;
            *constant = cx.mul(share, share)?;
        }
        Ok(Similarity { size, sigma, steady })
    }

    /// The average of each window, with weights of a Gaussian: along the height, then along the width.
    fn average(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        let dims = cx.dims_of(x);
        let (before, channels) = (dims.len() - 3, dims[dims.len() - 1]);
        let channels = cx.known(channels, "the channels", x)?;
        let mut out = merged(cx, x, before)?;
        for (high, wide) in [(self.size, 1), (1, self.size)] {
            let weights = Data::Float(bell(self.size, self.sigma));
            let kernel = cx.constant(Array::new(ElementType::F32, [high, wide, 1, 1], weights)?)?;
            let kernel = cx.cast_like(kernel, out)?;
            let of_all = [high, wide, 1, channels].map(|n| cx.number(n));
            let kernel = cx.broadcast_to(kernel, &of_all)?;
            let windows = [Window::new(high, 1, 1, Padding::Valid)?, Window::new(wide, 1, 1, Padding::Valid)?];
            out = cx.conv(out, kernel, &windows, channels)?;
        }
        let dims: Vec<Dim> = dims[..before].iter().copied().chain(cx.dims_of(out).into_iter().skip(1)).collect();
        cx.reshape(out, &dims)
    }

    /// The similarity of each window, and the part of it that is not of the luminance.
    fn of_windows(&self, cx: &mut LowerCx<'_>, a: Value, b: Value) -> Result<(Value, Value)> {
        let (mean, other) = (self.average(cx, a)?, self.average(cx, b)?);
        let product = cx.mul(mean, other)?;
        let product = cx.binary_scalar(BinaryOp::Mul, product, 2.0)?;
        let (mean, other) = (cx.mul(mean, mean)?, cx.mul(other, other)?);
        let squares = cx.add(mean, other)?;
        let [first, second] = self.steady;
        let (above, below) = (cx.add(product, first)?, cx.add(squares, first)?);
        let luminance = cx.div(above, below)?;
        let both = cx.mul(a, b)?;
        let both = self.average(cx, both)?;
        let both = cx.binary_scalar(BinaryOp::Mul, both, 2.0)?;
        let (a, b) = (cx.mul(a, a)?, cx.mul(b, b)?);
        let each = cx.add(a, b)?;
        let each = self.average(cx, each)?;
        let (above, below) = (cx.sub(both, product)?, cx.sub(each, squares)?);
        let (above, below) = (cx.add(above, second)?, cx.add(below, second)?);
        let structure = cx.div(above, below)?;
        Ok((cx.mul(luminance, structure)?, structure))
    }
}

/// The mean over height and width.
fn spatial_mean(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let rank = cx.ty(x).rank();
    cx.reduce(ReduceOp::Mean, x, &[rank - 3, rank - 2], false)
}

fn channel_mean(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let last = cx.axis(-1, x)?;
    cx.reduce(ReduceOp::Mean, x, &[last], false)
}

/// Images of half the size: means of 2 by 2 pixels, after an odd length was made even by repeating its last pixels.
fn halved(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let dims = cx.dims_of(x);
    let before = dims.len() - 3;
    let mut out = merged(cx, x, before)?;
    for axis in [1, 2] {
        let length = cx.known(cx.dims_of(out)[axis], "the size of images at several scales", out)?;
        if length % 2 == 1 {
            let start = cx.number(length - 1);
            let last = cx.slice_axis(out, axis, Range { start, len: Dim::ONE, step: 1 })?;
            out = cx.concat(&[out, last], axis)?;
        }
    }
    let out = cx.pool(PoolOp::Mean, out, &[Window::new(2, 2, 1, Padding::Valid)?; 2])?;
    let dims: Vec<Dim> = dims[..before].iter().copied().chain(cx.dims_of(out).into_iter().skip(1)).collect();
    cx.reshape(out, &dims)
}

/// The product over the scales of powers of the similarities.
fn multiscale(cx: &mut LowerCx<'_>, args: &Args<'_>, mut a: Value, mut b: Value) -> Result<Value> {
    let powers = args.constant(&["power_factors"], Some(3))?.map_or(SCALES.to_vec(), |powers| powers.values);
    let similarity = Similarity::read(cx, args, a, 4)?;
    let mut total: Option<Value> = None;
    for (scale, &power) in powers.iter().enumerate() {
        if scale > 0 {
            (a, b) = (halved(cx, a)?, halved(cx, b)?);
        }
        let (whole, structure) = similarity.of_windows(cx, a, b)?;
        // Only the last scale has the luminance.
        let part = spatial_mean(cx, if scale + 1 == powers.len() { whole } else { structure })?;
        let part = cx.binary_scalar(BinaryOp::Max, part, 0.0)?;
        let part = cx.binary_scalar(BinaryOp::Pow, part, power)?;
        total = Some(match total {
            Some(total) => cx.mul(total, part)?,
            None => part,
        });
    }
    let total = total.ok_or_else(|| Error::malformed("expected at least one scale").at_json("power_factors"))?;
    channel_mean(cx, total)
}

/// The two images as floating point. TensorFlow scales integers and their maximum alike, which changes no measure.
fn images(cx: &mut LowerCx<'_>, args: &Args<'_>, kind: QualityKind) -> Result<[Value; 2]> {
    use QualityKind as K;
    let a = args.need_value(cx, &["img1", "a", "image1", "x1"], Some(0))?;
    let b = args.need_value(cx, &["img2", "b", "image2", "x2"], Some(1))?;
    let of_keras = matches!(kind, K::PeakOfAll | K::KerasSimilarity);
    if of_keras && !(cx.ty(a).element.is_float() && cx.ty(b).element.is_float()) {
        return Err(Error::unsupported("pixels of integers are not supported"));
    }
    let a = if of_keras { a } else { cx.cast(a, ElementType::F32)? };
    let mut pair = [a, cx.cast_like(b, a)?];
    if kind == K::PeakOfAll {
        return Ok(pair);
    }
    for image in &mut pair {
        let rank = cx.ty(*image).rank();
        if rank < 3 || (kind == K::KerasSimilarity && rank > 4) {
            let shape = cx.shape(*image);
            return Err(Error::malformed(format!("expected images, found shape {shape}")));
        }
        if kind == K::KerasSimilarity && rank == 4 && format_of(args)? == DataFormat::ChannelsFirst {
            *image = channels_to_end(cx, *image)?;
        }
    }
    let (of_a, of_b) = (cx.dims_of(pair[0]), cx.dims_of(pair[1]));
    let fits = of_a.iter().rev().zip(of_b.iter().rev()).take(3).all(|(&a, &b)| cx.same(a, b).is_some());
    if !fits {
        let (a, b) = (cx.shape(pair[0]), cx.shape(pair[1]));
        return Err(Error::malformed(format!("images of shapes {a} and {b} cannot be compared")));
    }
    if of_a.len() < 4 || of_b.len() < 4 {
        cx.mixes_batch();
    }
    Ok(pair)
}

impl LayerDef for Quality {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use QualityKind as K;
        let args = Args::new(&self.params, call);
        let [a, b] = images(cx, &args, self.kind)?;
        let value = match self.kind {
            K::PeakOfAll => {
                let (a, b) = (flat(cx, a)?, flat(cx, b)?);
                peak(cx, &args, a, b, &[0])?
            }
            K::PeakOfEach => {
                let rank = cx.ty(a).rank().max(cx.ty(b).rank());
                peak(cx, &args, a, b, &[rank - 3, rank - 2, rank - 1])?
            }
            K::Similarity | K::KerasSimilarity => {
                let similarity = Similarity::read(cx, &args, a, 3)?;
                let (whole, _) = similarity.of_windows(cx, a, b)?;
                let whole = channel_mean(cx, whole)?;
                if args.or(&["return_index_map"], Some(7), false)? {
                    whole
                } else {
                    let rank = cx.ty(whole).rank();
                    cx.reduce(ReduceOp::Mean, whole, &[rank - 2, rank - 1], false)?
                }
            }
            K::Multiscale => multiscale(cx, &args, a, b)?,
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
        let pair = || json!(["f:?,12,?,3", "f:?,12,?,3"]);
        check("PSNR", json!({"max_val": 1.0}), pair(), json!({}), "float32[]");
        check("PSNROfEach", json!({}), json!(["i:?,8,8,3", "i:?,8,8,3", 255]), json!({}), "float32[?]");
        check("SSIM", json!({}), json!(["f:12,12,3", "f:12,12,3"]), json!({}), "float32[]");
        let first = json!({"data_format": "channels_first", "filter_size": 3});
        check("SSIM", first, json!(["f:?,3,12,12", "f:?,3,12,12"]), json!({}), "float32[?]");
        check("SSIMOfEach", json!({}), pair(), json!({"max_val": 1.0, "filter_size": 5}), "float32[?]");
        let kwargs = json!({"max_val": 1.0, "filter_size": 5, "return_index_map": true});
        check("SSIMOfEach", json!({}), json!(["f:?,12,13,3", "f:1,12,13,3"]), kwargs, "float32[?,8,9]");
        let kwargs = json!({"max_val": 1.0, "filter_size": 3, "power_factors": [0.5, 0.5]});
        check("SSIMMultiscale", json!({}), json!(["f:?,7,8,3", "f:?,7,8,3"]), kwargs, "float32[?]");
    }

    #[test]
    fn refuses() {
        let message = "images of shapes [?,8,8,3] and [?,8,8,1] cannot be compared";
        refused_with("SSIMOfEach", json!({}), json!(["f:?,8,8,3", "f:?,8,8,1", 1.0]), message);
        let message = "the size of images at several scales must be known, found shape [?,?,8,3]";
        let config = json!({"filter_size": 1});
        refused_with("SSIMMultiscale", config, json!(["f:?,?,8,3", "f:?,?,8,3", 1.0]), message);
        let message = "`filter_size`: expected at least 1, found 0";
        refused_with("SSIM", json!({"filter_size": 0}), json!(["f:?,8,8,3", "f:?,8,8,3"]), message);
        refused_with(
            "PSNR",
            json!({"max_val": 1.0}),
            json!(["i:?,3", "i:?,3"]),
            "pixels of integers are not supported",
        );
    }
}
