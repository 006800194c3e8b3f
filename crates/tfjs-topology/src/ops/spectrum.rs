//! Spectra: Fourier transforms, short-time transforms, framing and overlap-add.
//!
//! A complex tensor is a pair of its real and its imaginary part. A transform is a product with a matrix of cosines and
//! one of sines, whose angles are exact: `2 pi (j k mod n) / n`.
//!
//! Reference: `keras.ops.fft`, `keras.ops.rfft`, `keras.ops.stft` and their relatives; `tf.signal.frame`.

use super::FromOpConfig;
use super::args::{Args, missing};
use super::pad::mirrored;
use super::params::Params;
use super::tapers;
use crate::call::{Arg, Call};
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use serde_json::Value as Json;
use std::f64::consts::PI;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::layout::{Padding, Range};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// An operation on the last axis, or the last two, as time or frequency.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// The operation.
    pub kind: SpectrumKind,
    /// `fft_length`, `sequence_length`, `sequence_stride`, `window`, `center`, `length`.
    pub params: Params,
}

/// The operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpectrumKind {
    /// The Fourier transform of complex numbers.
    Fft,
    /// The Fourier transform over the last two axes.
    Fft2,
    /// The inverse Fourier transform over the last two axes.
    InverseFft2,
    /// The Fourier transform of real numbers: the first half, of which the second is the mirror image.
    RealFft,
    /// The inverse Fourier transform to real numbers, of the first half of a spectrum.
    InverseRealFft,
    /// The spectra of frames.
    Stft,
    /// The sequence for the spectra of its frames.
    InverseStft,
    /// Splits into frames, which may overlap, along a new axis.
    Frames,
    /// Adds overlapping frames.
    OverlapAdd,
}

impl FromOpConfig for Spectrum {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use SpectrumKind as K;
        let kind = match class {
            "FFT" => K::Fft,
            "FFT2" => K::Fft2,
            "IFFT2" => K::InverseFft2,
            "RFFT" => K::RealFft,
            "IRFFT" => K::InverseRealFft,
            "STFT" => K::Stft,
            "ISTFT" => K::InverseStft,
            "ExtractSequences" => K::Frames,
            "OverlapAdd" => K::OverlapAdd,
            other => return Err(Error::bug(format!("`{other}` is listed as an operation on spectra"))),
        };
        Ok(Spectrum { kind, params: Params::read(config) })
    }
}

/// A complex tensor.
#[derive(Clone, Copy)]
pub(super) struct Complex {
    pub(super) real: Value,
    pub(super) imaginary: Value,
}

/// `cos` and `sin` of `2 pi j k / n`, `[rows, columns]` each.
fn waves(cx: &mut LowerCx<'_>, rows: Dim, columns: Dim, n: Dim) -> Result<(Value, Value)> {
    let (j, k) =
        (cx.iota(0, &[rows, Dim::ONE], ElementType::I64)?, cx.iota(1, &[Dim::ONE, columns], ElementType::I64)?);
    let turns = cx.mul(j, k)?;
    let length = cx.size(n, ElementType::I64)?;
    let turns = cx.binary(BinaryOp::Mod, turns, length)?;
    let (turns, length) = (cx.cast(turns, ElementType::F32)?, cx.cast(length, ElementType::F32)?);
    let share = cx.div(turns, length)?;
    let angle = cx.binary_scalar(BinaryOp::Mul, share, 2.0 * PI)?;
    Ok((cx.unary(UnaryOp::Cos, angle)?, cx.unary(UnaryOp::Sin, angle)?))
}

/// The product of the last axis with a matrix.
pub(super) fn times(cx: &mut LowerCx<'_>, x: Value, matrix: Value) -> Result<Value> {
    if cx.ty(x).rank() == 1 {
        cx.mixes_batch();
    }
    let matrix = cx.cast_like(matrix, x)?;
    cx.matmul(x, matrix)
}

pub(super) fn last_dim(cx: &LowerCx<'_>, x: Value) -> Result<Dim> {
    let last = cx.axis(-1, x)?;
    Ok(cx.ty(x).dims[last])
}

/// The last axis truncated or padded with zeros to a length.
pub(super) fn fitted(cx: &mut LowerCx<'_>, x: Value, length: Dim) -> Result<Value> {
    let from = last_dim(cx, x)?;
    if from == length {
        return Ok(x);
    }
    let kept = cx.dims().min(from, length)?;
    let more = cx.dims().sub(length, kept)?;
    let x = cx.columns(x, Dim::ZERO, kept)?;
    let mut padding = vec![Padding::NONE; cx.ty(x).rank()];
    if let Some(last) = padding.last_mut() {
        last.high = more;
    }
    cx.pad(x, &padding, 0.0)
}

impl Complex {
    pub(super) fn map(
        self,
        cx: &mut LowerCx<'_>,
        f: impl Fn(&mut LowerCx<'_>, Value) -> Result<Value>,
    ) -> Result<Self> {
        Ok(Complex { real: f(cx, self.real)?, imaginary: f(cx, self.imaginary)? })
    }

    /// Reads the two tensors in the first argument.
    fn read(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Self> {
        args.inert(&["x"]);
        let pair = args.at(0).or_else(|| args.keyword(&["x"]));
        let Some(Arg::List(parts)) = pair else {
            return Err(Error::malformed("expected a real and an imaginary part"));
        };
        let [Some(real), Some(imaginary)] = [0, 1].map(|place| parts.get(place).and_then(Arg::tensor)) else {
            return Err(Error::malformed("expected a real and an imaginary part"));
        };
        let (real, imaginary) = (cx.to_float(real.value)?, cx.to_float(imaginary.value)?);
        let (a, b) = (cx.dims_of(real), cx.dims_of(imaginary));
        let same = a.len() == b.len() && a.iter().zip(&b).all(|(&a, &b)| cx.same(a, b).is_some());
        if !same || parts.len() != 2 || a.is_empty() {
            let (a, b) = (cx.shape(real), cx.shape(imaginary));
            return Err(Error::malformed(format!("shapes {a} and {b} are not a real and an imaginary part")));
        }
        Ok(Complex { real, imaginary })
    }

    /// The inverse transform along the last `axes` axes: the conjugate of the transform of the conjugate, divided by
    /// the number of elements.
    pub(super) fn inverse(self, cx: &mut LowerCx<'_>, axes: usize) -> Result<Self> {
        let turned = self.conjugate(cx)?;
        let turned = turned.transformed_over(cx, axes)?;
        let x = turned.conjugate(cx)?;
        let dims = cx.dims_of(x.real);
        let first = dims.len().saturating_sub(axes);
        let elements = cx.dims().product(&dims[first..])?;
        let elements = cx.size(elements, ElementType::I64)?;
        let elements = cx.cast_like(elements, x.real)?;
        x.map(cx, |cx, part| cx.div(part, elements))
    }

    /// The Fourier transform along the last axis.
    pub(super) fn transformed(self, cx: &mut LowerCx<'_>) -> Result<Self> {
        let n = last_dim(cx, self.real)?;
        let (cos, sin) = waves(cx, n, n, n)?;
        let (a, b) = (times(cx, self.real, cos)?, times(cx, self.imaginary, sin)?);
        let (c, d) = (times(cx, self.imaginary, cos)?, times(cx, self.real, sin)?);
        Ok(Complex { real: cx.add(a, b)?, imaginary: cx.sub(c, d)? })
    }

    /// The Fourier transform along the last `axes` axes.
    pub(super) fn transformed_over(self, cx: &mut LowerCx<'_>, axes: usize) -> Result<Self> {
        let mut x = self;
        for back in 1..=axes as i64 {
            let axis = cx.axis(-back, x.real)?;
            x = x.over_axis(cx, axis, Complex::transformed)?;
        }
        Ok(x)
    }

    /// Applies a function of the last axis to another axis.
    pub(super) fn over_axis(
        self,
        cx: &mut LowerCx<'_>,
        axis: usize,
        function: impl FnOnce(Self, &mut LowerCx<'_>) -> Result<Self>,
    ) -> Result<Self> {
        let last = cx.axis(-1, self.real)?;
        if axis == last {
            return function(self, cx);
        }
        if axis == 0 {
            cx.mixes_batch();
        }
        let mut order: Vec<usize> = (0..=last).collect();
        order.swap(axis, last);
        let turned = self.map(cx, |cx, x| cx.transpose(x, &order))?;
        function(turned, cx)?.map(cx, |cx, x| cx.transpose(x, &order))
    }

    fn conjugate(self, cx: &mut LowerCx<'_>) -> Result<Self> {
        Ok(Complex { real: self.real, imaginary: cx.unary(UnaryOp::Neg, self.imaginary)? })
    }

    fn results(self) -> Vec<Value> {
        vec![self.real, self.imaginary]
    }
}

/// The first half of the spectrum of real numbers, which are truncated or padded with zeros to `length`.
pub(super) fn real_fft(cx: &mut LowerCx<'_>, x: Value, length: Dim) -> Result<Complex> {
    let x = fitted(cx, x, length)?;
    let half = cx.dims().div_floor(length, 2)?;
    let columns = cx.dims().add(half, Dim::ONE)?;
    let (cos, sin) = waves(cx, length, columns, length)?;
    let (real, negative) = (times(cx, x, cos)?, times(cx, x, sin)?);
    Ok(Complex { real, imaginary: cx.unary(UnaryOp::Neg, negative)? })
}

/// The `length` real numbers with this first half of a spectrum.
pub(super) fn inverse_real_fft(cx: &mut LowerCx<'_>, spectrum: Complex, length: Dim) -> Result<Value> {
    let half = cx.dims().div_floor(length, 2)?;
    let rows = cx.dims().add(half, Dim::ONE)?;
    let spectrum = spectrum.map(cx, |cx, x| fitted(cx, x, rows))?;
    let (cos, sin) = waves(cx, rows, length, length)?;
    // Every row except the first, and the last for an even length, also represents its mirror image.
    let row = cx.iota(0, &[rows, Dim::ONE], ElementType::I64)?;
    let double = cx.binary_scalar(BinaryOp::Mul, row, 2.0)?;
    let all = cx.size(length, ElementType::I64)?;
    let (first, middle) = (cx.compare_scalar(CompareOp::Eq, double, 0.0)?, cx.compare(CompareOp::Eq, double, all)?);
    let alone = cx.binary(BinaryOp::Or, first, middle)?;
    let (one, two) = (cx.scalar(ElementType::F32, 1.0)?, cx.scalar(ElementType::F32, 2.0)?);
    let weight = cx.select(alone, one, two)?;
    let all = cx.cast(all, ElementType::F32)?;
    let weight = cx.div(weight, all)?;
    let (cos, sin) = (cx.mul(cos, weight)?, cx.mul(sin, weight)?);
    let (a, b) = (times(cx, spectrum.real, cos)?, times(cx, spectrum.imaginary, sin)?);
    cx.sub(a, b)
}

/// Frames of the last axis, `[.., frames, length]`; an incomplete last frame is dropped.
pub(super) fn frames(cx: &mut LowerCx<'_>, x: Value, length: usize, step: usize) -> Result<Value> {
    let last = cx.axis(-1, x)?;
    let n = cx.ty(x).dims[last];
    let size = cx.number(length);
    let more = cx.dims().sub(n, size)?;
    let steps = cx.dims().div_floor(more, step as u64)?;
    let count = cx.dims().add(steps, Dim::ONE)?;
    let count = cx.dims().max(count, Dim::ZERO)?;
    if last == 0 {
        cx.mixes_batch();
    }
    let start = cx.iota(0, &[count, Dim::ONE], ElementType::I64)?;
    let start = cx.binary_scalar(BinaryOp::Mul, start, step as f64)?;
    let place = cx.iota(1, &[Dim::ONE, size], ElementType::I64)?;
    let place = cx.add(start, place)?;
    cx.gather(x, place, last, Bounds::Clamp)
}

/// As [`frames`], along another axis, which the number of the frame and the place in it replace. With a padding value, there
/// is a frame at every step, and that value follows the end.
fn frames_along(
    cx: &mut LowerCx<'_>,
    x: Value,
    axis: usize,
    [length, step]: [usize; 2],
    padding: Option<f64>,
) -> Result<Value> {
    let last = cx.axis(-1, x)?;
    let order: Vec<usize> = (0..=last).filter(|&other| other != axis).chain([axis]).collect();
    let x = cx.transpose(x, &order)?;
    let framed = match padding {
        Some(value) => {
            let n = cx.ty(x).dims[last];
            let total = reach_of_all(cx, n, length, step)?;
            // SIZE: the rank.
            let mut margins = vec![Padding::NONE; last + 1];
            margins[last].high = cx.dims().sub(total, n)?;
            let x = if total == n { x } else { cx.pad(x, &margins, value)? };
            frames(cx, x, length, step)?
        }
        None => frames(cx, x, length, step)?,
    };
    let back: Vec<usize> = (0..axis).chain([last, last + 1]).chain(axis..last).collect();
    cx.transpose(framed, &back)
}

/// The end of the last of the frames that begin at every step, or of the signal.
fn reach_of_all(cx: &mut LowerCx<'_>, n: Dim, length: usize, step: usize) -> Result<Dim> {
    let count = cx.dims().div_ceil(n, step as u64)?;
    let (way, size) = (cx.number(step), cx.number(length));
    let reach = cx.dims().mul(count, way)?;
    let reach = cx.dims().add(reach, size)?;
    let reach = cx.dims().sub(reach, way)?;
    cx.dims().max(reach, n)
}

/// As [`frames`], with a frame at every step: zeros follow the end.
pub(super) fn frames_of_all(cx: &mut LowerCx<'_>, x: Value, length: usize, step: usize) -> Result<Value> {
    let n = last_dim(cx, x)?;
    let total = reach_of_all(cx, n, length, step)?;
    let x = fitted(cx, x, total)?;
    frames(cx, x, length, step)
}

/// Adds overlapping frames `[.., frames, length]`.
pub(super) fn overlapped(cx: &mut LowerCx<'_>, x: Value, step: usize) -> Result<Value> {
    let last = cx.axis(-1, x)?;
    cx.axis(-2, x)?;
    let dims = cx.dims_of(x);
    let (count, length) = (dims[last - 1], dims[last]);
    let steps = cx.dims().sub(count, Dim::ONE)?;
    let steps = cx.dims().max(steps, Dim::ZERO)?;
    let width = cx.number(step);
    let way = cx.dims().mul(steps, width)?;
    let total = cx.dims().add(way, length)?;
    if last == 1 {
        cx.mixes_batch();
    }
    let start = cx.iota(0, &[count, Dim::ONE], ElementType::I64)?;
    let start = cx.binary_scalar(BinaryOp::Mul, start, step as f64)?;
    let place = cx.iota(1, &[Dim::ONE, length], ElementType::I64)?;
    let place = cx.add(start, place)?;
    let mut out = dims[..last - 1].to_vec();
    out.push(total);
    let kind = cx.ty(x).element;
    let zeros = cx.full(kind, &out, 0.0)?;
    cx.scatter_add(zeros, place, x, last - 1)
}

/// How a sequence is split into frames.
struct Cut {
    /// The length of a frame; the window covers its middle.
    length: usize,
    /// The distance from one frame to the next.
    step: usize,
    /// The window `[length]`; `None` for ones.
    window: Option<Value>,
    /// Whether half a frame is padded at each end.
    center: bool,
}

/// A parameter that is at least 1.
pub(super) fn positive(args: &Args<'_>, names: &[&'static str], position: Option<usize>) -> Result<usize> {
    let number: usize = args.need(names, position)?;
    if number == 0 { Err(Error::malformed("expected at least 1, found 0").at_json(names[0])) } else { Ok(number) }
}

impl Cut {
    fn read(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Self> {
        let (window_size, step) =
            (positive(args, &["sequence_length"], Some(1))?, positive(args, &["sequence_stride"], Some(2))?);
        let length = positive(args, &["fft_length"], Some(3))?;
        if length < window_size {
            return Err(Error::malformed("expected an `fft_length` of at least `sequence_length`"));
        }
        let center = args.or(&["center"], None, true)?;
        let window = match args.json(&["window"], None)? {
            Some(Json::String(name)) => Some(periodic(cx, name, window_size)?),
            None => None,
            Some(_) => Some(args.need_value(cx, &["window"], None)?),
        };
        let window = match window {
            Some(window) => {
                let dims = cx.dims_of(window);
                if dims.len() != 1 || cx.known_dim(dims[0]) != Some(window_size) {
                    let shape = cx.shape(window);
                    let message = format!("expected a window of {window_size} elements, found shape {shape}");
                    return Err(Error::malformed(message));
                }
                let low = (length - window_size) / 2;
                let (low, high) = (cx.number(low), cx.number(length - window_size - low));
                let window = cx.to_float(window)?;
                Some(cx.pad(window, &[Padding { low, high, interior: 0 }], 0.0)?)
            }
            None => None,
        };
        Ok(Cut { length, step, window, center })
    }

    fn spectra(&self, cx: &mut LowerCx<'_>, mut x: Value) -> Result<Complex> {
        let last = cx.axis(-1, x)?;
        let length = cx.number(self.length);
        if self.center {
            let half = cx.number(self.length / 2);
            let before = mirrored(cx, x, last, half, Dim::ONE, false)?;
            let after = mirrored(cx, x, last, half, Dim::ONE, true)?;
            let parts: Vec<Value> = before.into_iter().chain([x]).chain(after).collect();
            x = cx.concat(&parts, last)?;
        }
        let mut cut = frames(cx, x, self.length, self.step)?;
        if let Some(window) = self.window {
            let window = cx.cast_like(window, cut)?;
            cut = cx.mul(cut, window)?;
        }
        real_fft(cx, cut, length)
    }

    /// The window that inverts the framing: the window divided by the sum of the squares of all windows at each
    /// element.
    fn inverse_window(&self, cx: &mut LowerCx<'_>, window: Value) -> Result<Value> {
        let overlaps = self.length.div_ceil(self.step);
        let total = overlaps.checked_mul(self.step).ok_or_else(|| Error::malformed("too long a `sequence_stride`"))?;
        let more = cx.number(total - self.length);
        let squares = cx.mul(window, window)?;
        let squares = cx.pad(squares, &[Padding { low: Dim::ZERO, high: more, interior: 0 }], 0.0)?;
        let dims = [cx.number(overlaps), cx.number(self.step)];
        let squares = cx.reshape(squares, &dims)?;
        let sum = cx.reduce(ReduceOp::Sum, squares, &[0], true)?;
        let sum = cx.broadcast_to(sum, &dims)?;
        let all = cx.number(total);
        let sum = cx.reshape(sum, &[all])?;
        let length = cx.number(self.length);
        let sum = cx.columns(sum, Dim::ZERO, length)?;
        cx.div(window, sum)
    }

    fn sequence(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, spectra: Complex) -> Result<Value> {
        let length = cx.number(self.length);
        let mut cut = inverse_real_fft(cx, spectra, length)?;
        if let Some(window) = self.window {
            let window = self.inverse_window(cx, window)?;
            let window = cx.cast_like(window, cut)?;
            cut = cx.mul(cut, window)?;
        }
        let whole = overlapped(cx, cut, self.step)?;
        let total = last_dim(cx, whole)?;
        let half = if self.center { cx.number(self.length / 2) } else { Dim::ZERO };
        let end = match args.opt::<usize>(&["length"], None)? {
            Some(length) => {
                let length = cx.number(length);
                cx.dims().add(half, length)?
            }
            None => cx.dims().sub(total, half)?,
        };
        let end = cx.dims().min(end, total)?;
        let kept = cx.dims().sub(end, half)?;
        let kept = cx.dims().max(kept, Dim::ZERO)?;
        let start = cx.dims().min(half, total)?;
        let last = cx.ty(whole).rank() - 1;
        cx.slice_axis(whole, last, Range { start, len: kept, step: 1 })
    }
}

/// A periodic cosine window, as TensorFlow makes it.
pub(super) fn periodic(cx: &mut LowerCx<'_>, name: &str, length: usize) -> Result<Value> {
    let share = match name {
        "hann" => 0.5,
        "hamming" => 0.54,
        other => return Err(Error::malformed(format!("there is no window `{other}`")).at_json("window")),
    };
    let length = cx.number(length);
    tapers::raised_cosine(cx, length, share, true)
}

impl LayerDef for Spectrum {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use SpectrumKind as K;
        let args = Args::new(&self.params, call);
        let subject = |cx: &mut LowerCx<'_>, names: &[&'static str]| {
            let x = args.numbers(cx, names)?.value;
            if cx.ty(x).rank() == 0 { Err(Error::malformed("expected a sequence, found a number")) } else { Ok(x) }
        };
        let results = match self.kind {
            K::Fft => Complex::read(cx, &args)?.transformed(cx)?.results(),
            K::Fft2 => Complex::read(cx, &args)?.transformed_over(cx, 2)?.results(),
            K::InverseFft2 => {
                let x = Complex::read(cx, &args)?;
                cx.axis(-2, x.real)?;
                x.inverse(cx, 2)?.results()
            }
            K::RealFft => {
                let x = subject(cx, &[])?;
                let x = cx.to_float(x)?;
                let length = match args.json(&["fft_length"], Some(1))? {
                    Some(_) => named_length(cx, &args)?,
                    None => last_dim(cx, x)?,
                };
                real_fft(cx, x, length)?.results()
            }
            K::InverseRealFft => {
                let x = Complex::read(cx, &args)?;
                let length = match args.json(&["fft_length"], Some(1))? {
                    Some(_) => named_length(cx, &args)?,
                    None => {
                        let half = last_dim(cx, x.real)?;
                        let half = cx.dims().sub(half, Dim::ONE)?;
                        let two = cx.number(2);
                        cx.dims().mul(half, two)?
                    }
                };
                if !cx.at_least(length, Dim::ONE) {
                    return Err(Error::malformed("expected a spectrum of at least two elements"));
                }
                vec![inverse_real_fft(cx, x, length)?]
            }
            K::Stft => {
                let x = subject(cx, &[])?;
                let x = cx.to_float(x)?;
                Cut::read(cx, &args)?.spectra(cx, x)?.results()
            }
            K::InverseStft => {
                let x = Complex::read(cx, &args)?;
                cx.axis(-2, x.real)?;
                let cut = Cut::read(cx, &args)?;
                vec![cut.sequence(cx, &args, x)?]
            }
            K::Frames => {
                let x = subject(cx, &["signal"])?;
                let length = positive(&args, &["sequence_length", "frame_length"], Some(1))?;
                let step = positive(&args, &["sequence_stride", "frame_step"], Some(2))?;
                let padding = args.or(&["pad_value"], Some(4), 0.0)?;
                let padding = args.or(&["pad_end"], Some(3), false)?.then_some(padding);
                let axis = cx.axis(args.or(&["axis"], Some(5), -1)?, x)?;
                vec![frames_along(cx, x, axis, [length, step], padding)?]
            }
            K::OverlapAdd => {
                let x = subject(cx, &["signal"])?;
                let step = positive(&args, &["frame_step"], Some(1))?;
                vec![overlapped(cx, x, step)?]
            }
        };
        args.finish(cx);
        Ok(results.into_iter().map(KerasTensor::from).collect())
    }
}

/// The length in `fft_length`: a number, or a list of one.
fn named_length(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Dim> {
    match args.sizes(cx, &["fft_length"], Some(1))?.as_deref() {
        Some(&[length]) if cx.at_least(length, Dim::ONE) => Ok(length),
        Some(_) => Err(Error::malformed("expected one length of at least 1").at_json("fft_length")),
        None => Err(missing(&["fft_length"])),
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, check_all, refused, refused_with};
    use serde_json::json;

    #[test]
    fn shapes() {
        let pair = || json!([["f:?,8", "f:?,8"]]);
        check_all("FFT", json!({}), pair(), json!({}), &["float32[?,8]"; 2]);
        check_all("RFFT", json!({"fft_length": 6}), json!(["f:?,8"]), json!({}), &["float32[?,4]"; 2]);
        check("IRFFT", json!({}), pair(), json!({}), "float32[?,14]");
        let cut = json!({"sequence_length": 4, "sequence_stride": 2, "fft_length": 4});
        check_all("STFT", cut.clone(), json!(["f:?,20"]), json!({}), &["float32[?,11,3]"; 2]);
        check("ISTFT", cut, json!([["f:?,11,3", "f:?,11,3"]]), json!({}), "float32[?,20]");
        let cut = json!({"sequence_length": 3, "sequence_stride": 2});
        check("ExtractSequences", cut.clone(), json!(["f:?,8"]), json!({}), "float32[?,3,3]");
        let padded = json!({"pad_end": true, "pad_value": 5.0, "axis": 1});
        check("ExtractSequences", cut, json!(["f:?,8,2"]), padded, "float32[?,4,3,2]");
    }

    #[test]
    fn refuses() {
        refused("FFT", json!(["f:?,8"]), "expected a real and an imaginary part");
        let message = "shapes [?,8] and [?,7] are not a real and an imaginary part";
        refused("FFT", json!([["f:?,8", "f:?,7"]]), message);
        let cut = json!({"sequence_length": 0, "sequence_stride": 2});
        refused_with("ExtractSequences", cut, json!(["f:?,8"]), "`sequence_length`: expected at least 1, found 0");
    }
}
