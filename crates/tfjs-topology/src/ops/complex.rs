//! Complex tensors of TensorFlow: a tensor with a second one for its imaginary part. Only spectra create them, and few
//! operations accept them; see [`takes_complex`](crate::layer::LayerDef::takes_complex).

use super::FromOpConfig;
use super::args::Args;
use super::params::Params;
use super::spectrum::{
    Complex, fitted, frames, frames_of_all, inverse_real_fft, overlapped, periodic, positive, real_fft,
};
use super::tapers;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::elementwise::UnaryOp;
use tfjs_ir::prim::layout::Range;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result};

/// An operation that creates or accepts complex tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct ComplexSpectrum {
    /// The operation.
    pub kind: ComplexKind,
    /// `frame_length`, `frame_step`, `fft_length`, `pad_end`.
    pub params: Params,
}

/// The operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComplexKind {
    /// Combines a real and an imaginary part.
    OfParts,
    /// Transforms frames to spectra.
    Stft,
    /// Transforms the spectra of frames to a sequence.
    InverseStft,
    /// The Fourier transform of complex numbers, or its inverse.
    Fft {
        /// The number of last axes that are transformed.
        axes: usize,
        /// Whether it is the inverse transform.
        inverse: bool,
    },
    /// The Fourier transform of real numbers.
    OfReal {
        /// The number of last axes that are transformed.
        axes: usize,
    },
    /// The inverse transform to real numbers.
    ToReal {
        /// The number of last axes that are transformed.
        axes: usize,
    },
    /// Combines absolute values and angles.
    Polar,
    /// Combines the two elements of the last axis.
    OfPairs,
    /// The real and the imaginary part as the two elements of a new last axis.
    ToPairs,
    /// Exchanges the halves of axes, so that the middle of a spectrum is the frequency 0, or back.
    Shift {
        /// Whether it is the way back.
        back: bool,
    },
}

impl FromOpConfig for ComplexSpectrum {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use ComplexKind as K;
        let kind = match class {
            "ComplexOfParts" => K::OfParts,
            "ComplexStft" => K::Stft,
            "ComplexInverseStft" => K::InverseStft,
            "ComplexFft" => K::Fft { axes: 1, inverse: false },
            "ComplexInverseFft" => K::Fft { axes: 1, inverse: true },
            "ComplexFft2" => K::Fft { axes: 2, inverse: false },
            "ComplexInverseFft2" => K::Fft { axes: 2, inverse: true },
            "ComplexFft3" => K::Fft { axes: 3, inverse: false },
            "ComplexInverseFft3" => K::Fft { axes: 3, inverse: true },
            "ComplexOfReal" => K::OfReal { axes: 1 },
            "ComplexOfReal2" => K::OfReal { axes: 2 },
            "ComplexOfReal3" => K::OfReal { axes: 3 },
            "RealOfComplex" => K::ToReal { axes: 1 },
            "RealOfComplex2" => K::ToReal { axes: 2 },
            "RealOfComplex3" => K::ToReal { axes: 3 },
            "Polar" => K::Polar,
            "ViewAsComplex" => K::OfPairs,
            "ViewAsReal" => K::ToPairs,
            "FFTShift" => K::Shift { back: false },
            "IFFTShift" => K::Shift { back: true },
            other => return Err(Error::bug(format!("`{other}` is listed as an operation on complex tensors"))),
        };
        Ok(ComplexSpectrum { kind, params: Params::read(config) })
    }
}

/// The absolute value of each number.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn size(cx: &mut LowerCx<'_>, x: &KerasTensor) -> Result<Value> {
    let Some(imaginary) = x.imaginary else { return cx.unary(UnaryOp::Abs, x.value) };
    let (a, b) = (cx.mul(x.value, x.value)?, cx.mul(imaginary, imaginary)?);
    let sum = cx.add(a, b)?;
    cx.unary(UnaryOp::Sqrt, sum)
}

/// The complex conjugate.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn conjugate(cx: &mut LowerCx<'_>, x: &KerasTensor) -> Result<KerasTensor> {
    let imaginary = x.imaginary.map(|part| cx.unary(UnaryOp::Neg, part)).transpose()?;
    Ok(KerasTensor { imaginary, ..KerasTensor::from(x.value) })
}

/// Converts real numbers to complex ones.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for text.
pub(crate) fn of_real(cx: &mut LowerCx<'_>, x: Value) -> Result<KerasTensor> {
    let x = cx.to_float(x)?;
    let (dims, kind) = (cx.dims_of(x), cx.ty(x).element);
    let zeros = cx.full(kind, &dims, 0.0)?;
    Ok(KerasTensor { imaginary: Some(zeros), ..KerasTensor::from(x) })
}

impl Complex {
    /// The complex tensor in the first argument.
    fn of_tensor(cx: &LowerCx<'_>, args: &Args<'_>) -> Result<Self> {
        let x = args.subject(&["stfts"])?;
        let imaginary = x.imaginary.ok_or_else(|| Error::malformed("expected a complex tensor"))?;
        cx.axis(-1, x.value)?;
        Ok(Complex { real: x.value, imaginary })
    }

    fn tensor(self) -> KerasTensor {
        KerasTensor { imaginary: Some(self.imaginary), ..KerasTensor::from(self.real) }
    }
}

/// How TensorFlow splits a sequence into frames: their length, the step, the length of the transform, and the window.
fn cut(
    cx: &mut LowerCx<'_>,
    args: &Args<'_>,
    call: &Call<KerasTensor>,
) -> Result<(usize, usize, usize, Option<Value>)> {
    let length = positive(args, &["frame_length"], Some(1))?;
    let step = positive(args, &["frame_step"], Some(2))?;
    // The next power of two.
    let whole = length.checked_next_power_of_two();
    let transform = args.opt::<usize>(&["fft_length"], Some(3))?.or(whole).filter(|&n| n > 0);
    let transform = transform.ok_or_else(|| Error::malformed("expected an `fft_length` of at least 1"))?;
    // A window function other than the default cannot be stored in a file; a null can.
    let window = if tapers::is_default(args, call)? { Some(periodic(cx, "hann", length)?) } else { None };
    Ok((length, step, transform, window))
}

/// The spectra of frames, as TensorFlow computes them.
fn spectra(cx: &mut LowerCx<'_>, args: &Args<'_>, call: &Call<KerasTensor>, x: Value) -> Result<Complex> {
    let (length, step, transform, window) = cut(cx, args, call)?;
    let mut cut = match args.or(&["pad_end"], None, false)? {
        true => frames_of_all(cx, x, length, step)?,
        false => frames(cx, x, length, step)?,
    };
    if let Some(window) = window {
        let window = cx.cast_like(window, cut)?;
        cut = cx.mul(cut, window)?;
    }
    let transform = cx.number(transform);
    real_fft(cx, cut, transform)
}

/// The sequence for the spectra of its frames, as TensorFlow computes it.
fn sequence_of(cx: &mut LowerCx<'_>, args: &Args<'_>, call: &Call<KerasTensor>, spectra: Complex) -> Result<Value> {
    let (length, step, transform, window) = cut(cx, args, call)?;
    let (length, transform) = (cx.number(length), cx.number(transform));
    let cut = inverse_real_fft(cx, spectra, transform)?;
    let mut cut = fitted(cx, cut, length)?;
    if let Some(window) = window {
        let window = cx.cast_like(window, cut)?;
        cut = cx.mul(cut, window)?;
    }
    overlapped(cx, cut, step)
}

/// The lengths in `fft_length`, one for each axis; `None` if it is absent.
fn lengths(cx: &mut LowerCx<'_>, args: &Args<'_>, axes: usize) -> Result<Option<Vec<Dim>>> {
    match args.sizes(cx, &["fft_length"], Some(1))? {
        Some(lengths) if lengths.len() == axes && lengths.iter().all(|&n| cx.at_least(n, Dim::ONE)) => {
            Ok(Some(lengths))
        }
        Some(_) if axes == 1 => Err(Error::malformed("expected one length of at least 1").at_json("fft_length")),
        Some(_) => Err(Error::malformed(format!("expected {axes} lengths of at least 1")).at_json("fft_length")),
        None => Ok(None),
    }
}

/// The transform of real numbers over the last axes: the first half of the last axis, and all of the others.
fn of_reals(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value, axes: usize) -> Result<Complex> {
    cx.axis(-(axes as i64), x)?;
    let dims = cx.dims_of(x);
    let own = || dims[dims.len().saturating_sub(axes)..].to_vec();
    let lengths = lengths(cx, args, axes)?.unwrap_or_else(own);
    let Some((&last, others)) = lengths.split_last() else { return Err(Error::bug("a transform over no axes")) };
    let mut spectrum = real_fft(cx, x, last)?;
    for (back, &length) in others.iter().rev().enumerate() {
        let axis = cx.axis(-2 - back as i64, x)?;
        spectrum = spectrum.over_axis(cx, axis, |x, cx| x.map(cx, |cx, x| fitted(cx, x, length))?.transformed(cx))?;
    }
    Ok(spectrum)
}

/// The inverse of [`of_reals`].
fn to_reals(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Complex, axes: usize) -> Result<Value> {
    cx.axis(-(axes as i64), x.real)?;
    let lengths = match lengths(cx, args, axes)? {
        Some(lengths) => lengths,
        None => {
            let dims = cx.dims_of(x.real);
            let mut lengths = dims[dims.len().saturating_sub(axes)..].to_vec();
            if let Some(half) = lengths.last_mut() {
                let less = cx.dims().sub(*half, Dim::ONE)?;
                let two = cx.number(2);
                *half = cx.dims().mul(less, two)?;
            }
            lengths
        }
    };
    let Some((&last, others)) = lengths.split_last() else { return Err(Error::bug("a transform over no axes")) };
    if !cx.at_least(last, Dim::ONE) {
        return Err(Error::malformed("expected a spectrum of at least two elements"));
    }
    let mut spectrum = x;
    for (back, &length) in others.iter().rev().enumerate() {
        let axis = cx.axis(-2 - back as i64, x.real)?;
        spectrum = spectrum.over_axis(cx, axis, |x, cx| x.map(cx, |cx, x| fitted(cx, x, length))?.inverse(cx, 1))?;
    }
    inverse_real_fft(cx, spectrum, last)
}

/// Exchanges the halves of axes. The first half is the longer one, and after the exchange the second half is.
fn shifted(cx: &mut LowerCx<'_>, x: Value, axes: &[usize], back: bool) -> Result<Value> {
    let mut x = x;
    for &axis in axes {
        let n = cx.dims_of(x)[axis];
        let shorter = cx.dims().div_floor(n, 2)?;
        let longer = cx.dims().sub(n, shorter)?;
        let (first, second) = if back { (shorter, longer) } else { (longer, shorter) };
        if axis == 0 {
            cx.mixes_batch();
        }
        if [first, second].contains(&Dim::ZERO) {
            continue;
        }
        let low = cx.slice_axis(x, axis, Range { start: Dim::ZERO, len: first, step: 1 })?;
        let high = cx.slice_axis(x, axis, Range { start: first, len: second, step: 1 })?;
        x = cx.concat(&[high, low], axis)?;
    }
    Ok(x)
}

/// The two elements of the last axis as parts of a complex number.
fn of_pairs(cx: &mut LowerCx<'_>, x: Value) -> Result<Complex> {
    let x = cx.to_float(x)?;
    let two = cx.number(2);
    let last = cx.axis(-1, x)?;
    let length = cx.dims_of(x)[last];
    if cx.same(length, two).is_none() {
        let shape = cx.shape(x);
        return Err(Error::malformed(format!("expected a last axis of 2 elements, found shape {shape}")));
    }
    let mut part = |start| {
        let one = cx.columns(x, start, Dim::ONE)?;
        cx.remove_axis(one, last)
    };
    Ok(Complex { real: part(Dim::ZERO)?, imaginary: part(Dim::ONE)? })
}

/// Two real tensors of one shape.
fn two(cx: &mut LowerCx<'_>, args: &Args<'_>, names: [&'static str; 2], what: &str) -> Result<(Value, Value)> {
    let a = args.need_value(cx, &names[..1], Some(0))?;
    let b = args.need_value(cx, &names[1..], Some(1))?;
    let (a, b) = (cx.to_float(a)?, cx.to_float(b)?);
    let b = cx.cast_like(b, a)?;
    let dims = (cx.dims_of(a), cx.dims_of(b));
    if dims.0.len() != dims.1.len() || !dims.0.iter().zip(&dims.1).all(|(&a, &b)| cx.same(a, b).is_some()) {
        let (a, b) = (cx.shape(a), cx.shape(b));
        return Err(Error::malformed(format!("shapes {a} and {b} are not {what}")));
    }
    Ok((a, b))
}

impl LayerDef for ComplexSpectrum {
    fn takes_complex(&self) -> bool {
        use ComplexKind as K;
        matches!(self.kind, K::InverseStft | K::Fft { .. } | K::ToReal { .. } | K::ToPairs | K::Shift { .. })
    }

    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use ComplexKind as K;
        let args = Args::new(&self.params, call);
        let sequence = |cx: &mut LowerCx<'_>| {
            let x = args.numbers(cx, &["signals"])?.value;
            cx.axis(-1, x)?;
            cx.to_float(x)
        };
        let tensor = match self.kind {
            K::OfParts => {
                let (real, imaginary) = two(cx, &args, ["real", "imag"], "a real and an imaginary part")?;
                Complex { real, imaginary }.tensor()
            }
            K::Polar => {
                let (size, angle) = two(cx, &args, ["abs_", "angle"], "absolute values and angles")?;
                let (cosine, sine) = (cx.unary(UnaryOp::Cos, angle)?, cx.unary(UnaryOp::Sin, angle)?);
                Complex { real: cx.mul(size, cosine)?, imaginary: cx.mul(size, sine)? }.tensor()
            }
            K::OfPairs => {
                let x = args.numbers(cx, &[])?.value;
                of_pairs(cx, x)?.tensor()
            }
            K::ToPairs => {
                let x = args.numbers(cx, &[])?;
                let x = if x.imaginary.is_some() { x.clone() } else { of_real(cx, x.value)? };
                let end = cx.ty(x.value).rank();
                let parts = [Some(x.value), x.imaginary].into_iter().flatten();
                let parts = parts.map(|part| cx.insert_axis(part, end)).collect::<Result<Vec<_>>>()?;
                cx.concat(&parts, end)?.into()
            }
            K::Shift { back } => {
                let x = args.numbers(cx, &[])?;
                let axes = args.axes(cx, &["axes"], Some(1), x.value)?;
                let axes = axes.unwrap_or_else(|| (0..cx.ty(x.value).rank()).collect());
                let imaginary = x.imaginary.map(|part| shifted(cx, part, &axes, back)).transpose()?;
                KerasTensor { imaginary, ..KerasTensor::from(shifted(cx, x.value, &axes, back)?) }
            }
            K::Stft => {
                let x = sequence(cx)?;
                spectra(cx, &args, call, x)?.tensor()
            }
            K::InverseStft => {
                let spectra = Complex::of_tensor(cx, &args)?;
                cx.axis(-2, spectra.real)?;
                sequence_of(cx, &args, call, spectra)?.into()
            }
            K::Fft { axes, inverse } => {
                let x = Complex::of_tensor(cx, &args)?;
                cx.axis(-(axes as i64), x.real)?;
                if inverse { x.inverse(cx, axes)?.tensor() } else { x.transformed_over(cx, axes)?.tensor() }
            }
            K::OfReal { axes } => {
                let x = sequence(cx)?;
                of_reals(cx, &args, x, axes)?.tensor()
            }
            K::ToReal { axes } => {
                let x = Complex::of_tensor(cx, &args)?;
                to_reals(cx, &args, x, axes)?.into()
            }
        };
        args.finish(cx);
        Ok(vec![tensor])
    }
}

#[cfg(test)]
mod tests {
    use crate::lower::testing::{Layer, check_type, functional};
    use crate::ops::testing::{check, refused_with};
    use crate::producer::Family;
    use serde_json::{Value, json};

    fn call<'a>(name: &'a str, function: &str, of: &str, kwargs: Value) -> Layer<'a> {
        (name, "TFOpLambda", json!({"function": function}), json!([[of, 0, 0, kwargs]]))
    }

    fn spectra() -> Layer<'static> {
        call("s", "signal.stft", "x", json!({"frame_length": 16, "frame_step": 8}))
    }

    #[test]
    fn what_takes_complex_tensors() {
        let inputs = [("x", json!([null, 40]))];
        check_type(&inputs, &[spectra(), call("y", "math.abs", "s", json!({}))], "f32[batch,4,9]");
        let back = call("y", "signal.inverse_stft", "s", json!({"frame_length": 16, "frame_step": 8}));
        check_type(&inputs, &[spectra(), back], "f32[batch,40]");
    }

    #[test]
    fn shapes() {
        check("Polar", json!({}), json!(["f:?,3", "f:?,3"]), json!({}), "float32[?,3]");
        check("ViewAsComplex", json!({}), json!(["f:?,3,2"]), json!({}), "float32[?,3]");
        check("ViewAsReal", json!({}), json!(["f:?,3"]), json!({}), "float32[?,3,2]");
        check("ComplexOfReal2", json!({"fft_length": [5, 4]}), json!(["f:?,3,6"]), json!({}), "float32[?,5,3]");
        check("ComplexOfReal3", json!({}), json!(["f:?,3,6,8"]), json!({}), "float32[?,3,6,5]");
        check("FFTShift", json!({}), json!(["f:?,?,3"]), json!({"axes": [-1, 1]}), "float32[?,?,3]");
        check("IFFTShift", json!({}), json!(["i:?,1"]), json!({}), "int32[?,1]");
    }

    #[test]
    fn refuses() {
        let message = "expected a last axis of 2 elements, found shape [?,3]";
        refused_with("ViewAsComplex", json!({}), json!(["f:?,3"]), message);
        let message = "shapes [?,3] and [?,4] are not absolute values and angles";
        refused_with("Polar", json!({}), json!(["f:?,3", "f:?,4"]), message);
        let message = "`fft_length`: expected 2 lengths of at least 1";
        refused_with("ComplexOfReal2", json!({"fft_length": [5]}), json!(["f:?,3,6"]), message);
        refused_with("ComplexFft3", json!({}), json!(["f:?,3"]), "expected a complex tensor");
        let inputs = [("x", json!([null, 40]))];
        let own = call("s", "signal.stft", "x", json!({"frame_length": 16, "frame_step": 8, "window_fn": "ones"}));
        let message = "layer `s`: a `window_fn` other than the default is a Python function, which is not in the file; \
                       multiply frames by the window instead";
        assert_eq!(functional(Family::Keras2, &inputs, &[own]).unwrap_err().to_string(), message);
    }

    #[test]
    fn others_are_never_given_one() {
        let inputs = [("x", json!([null, 40]))];
        let refused = |layers: &[Layer<'_>]| functional(Family::Keras2, &inputs, layers).unwrap_err().to_string();
        let message = "a complex tensor is not supported here: take its `abs`, `real`, `imag` or `angle` first";
        let square = call("y", "math.square", "s", json!({"name": null}));
        assert_eq!(refused(&[spectra(), square]), format!("layer `y`: {message}"));
        let dense = ("y", "Dense", json!({"units": 2}), json!([[["s", 0, 0, {}]]]));
        assert_eq!(refused(&[spectra(), dense]), format!("layer `y`: {message}"));
        assert_eq!(refused(&[spectra()]), "value `s`: an output of complex numbers is not supported");
    }
}
