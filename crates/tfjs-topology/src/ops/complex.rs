//! Complex tensors of TensorFlow: a tensor with a second one for its imaginary part. Only spectra create them, and few
//! operations accept them; see [`takes_complex`](crate::layer::LayerDef::takes_complex).

use super::FromOpConfig;
use super::args::Args;
use super::params::Params;
use super::spectrum::{
    Complex, fitted, frames, inverse_real_fft, last_dim, named_length, overlapped, periodic, positive, real_fft,
};
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use serde_json::Value as Json;
use tfjs_ir::prim::elementwise::UnaryOp;
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
        /// Whether it is the inverse transform.
        inverse: bool,
    },
    /// The same over the last two axes.
    Fft2 {
        /// Whether it is the inverse transform.
        inverse: bool,
    },
    /// The Fourier transform of real numbers.
    OfReal,
    /// The inverse transform to real numbers.
    ToReal,
}

impl FromOpConfig for ComplexSpectrum {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use ComplexKind as K;
        let kind = match class {
            "ComplexOfParts" => K::OfParts,
            "ComplexStft" => K::Stft,
            "ComplexInverseStft" => K::InverseStft,
            "ComplexFft" => K::Fft { inverse: false },
            "ComplexInverseFft" => K::Fft { inverse: true },
            "ComplexFft2" => K::Fft2 { inverse: false },
            "ComplexInverseFft2" => K::Fft2 { inverse: true },
            "ComplexOfReal" => K::OfReal,
            "RealOfComplex" => K::ToReal,
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
    args.inert(&["window_fn"]);
    // A window function other than the default cannot be stored in a file; a null can.
    let window = match call.kwarg("window_fn") {
        Some(_) => None,
        None => Some(periodic(cx, "hann", length)?),
    };
    Ok((length, step, transform, window))
}

/// The spectra of frames, as TensorFlow computes them.
fn spectra(cx: &mut LowerCx<'_>, args: &Args<'_>, call: &Call<KerasTensor>, mut x: Value) -> Result<Complex> {
    let (length, step, transform, window) = cut(cx, args, call)?;
    if args.or(&["pad_end"], None, false)? {
        // A frame begins at every step, and zeros follow the end.
        let n = last_dim(cx, x)?;
        let count = cx.dims().div_ceil(n, step as u64)?;
        let (step, length) = (cx.number(step), cx.number(length));
        let way = cx.dims().mul(count, step)?;
        let reach = cx.dims().add(way, length)?;
        let reach = cx.dims().sub(reach, step)?;
        let total = cx.dims().max(reach, n)?;
        x = fitted(cx, x, total)?;
    }
    let mut cut = frames(cx, x, length, step)?;
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

impl LayerDef for ComplexSpectrum {
    fn takes_complex(&self) -> bool {
        use ComplexKind as K;
        matches!(self.kind, K::InverseStft | K::Fft { .. } | K::Fft2 { .. } | K::ToReal)
    }

    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use ComplexKind as K;
        let args = Args::new(&self.params, call);
        let sequence = |cx: &mut LowerCx<'_>| {
            let x = args.numbers(cx, &["signals"])?.value;
            cx.axis(-1, x)?;
            cx.to_float(x)
        };
        let length = |cx: &mut LowerCx<'_>| match args.opt::<Json>(&["fft_length"], Some(1))? {
            Some(_) => named_length(cx, &args).map(Some),
            None => Ok(None),
        };
        let tensor = match self.kind {
            K::OfParts => {
                let real = args.need_value(cx, &["real"], Some(0))?;
                let imaginary = args.need_value(cx, &["imag"], Some(1))?;
                let (real, imaginary) = (cx.to_float(real)?, cx.to_float(imaginary)?);
                let imaginary = cx.cast_like(imaginary, real)?;
                let (a, b) = (cx.dims_of(real), cx.dims_of(imaginary));
                if a.len() != b.len() || !a.iter().zip(&b).all(|(&a, &b)| cx.same(a, b).is_some()) {
                    let (a, b) = (cx.shape(real), cx.shape(imaginary));
                    return Err(Error::malformed(format!("shapes {a} and {b} are not a real and an imaginary part")));
                }
                Complex { real, imaginary }.tensor()
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
            K::Fft { inverse: false } => Complex::of_tensor(cx, &args)?.transformed(cx)?.tensor(),
            K::Fft { inverse: true } => Complex::of_tensor(cx, &args)?.inverse(cx, false)?.tensor(),
            K::Fft2 { inverse } => {
                let x = Complex::of_tensor(cx, &args)?;
                cx.axis(-2, x.real)?;
                if inverse { x.inverse(cx, true)?.tensor() } else { x.transformed_twice(cx)?.tensor() }
            }
            K::OfReal => {
                let x = sequence(cx)?;
                let own = last_dim(cx, x)?;
                let length = length(cx)?.unwrap_or(own);
                real_fft(cx, x, length)?.tensor()
            }
            K::ToReal => {
                let x = Complex::of_tensor(cx, &args)?;
                let half = last_dim(cx, x.real)?;
                let half = cx.dims().sub(half, Dim::ONE)?;
                let two = cx.number(2);
                let whole = cx.dims().mul(half, two)?;
                let length = length(cx)?.unwrap_or(whole);
                if !cx.at_least(length, Dim::ONE) {
                    return Err(Error::malformed("expected a spectrum of at least two elements"));
                }
                inverse_real_fft(cx, x, length)?.into()
            }
        };
        args.finish(cx);
        Ok(vec![tensor])
    }
}

#[cfg(test)]
mod tests {
    use crate::lower::testing::{Layer, check_type, functional};
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
