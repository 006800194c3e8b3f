//! Complex tensors of TensorFlow: a tensor with its imaginary part beside it. Only spectra make them, and few operations
//! take them; see [`takes_complex`](crate::layer::LayerDef::takes_complex).

use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::Value;
use tfjs_ir::prim::elementwise::UnaryOp;
use tfjs_manifest::Result;

/// The distance of each number from 0.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn size(cx: &mut LowerCx<'_>, x: &KerasTensor) -> Result<Value> {
    let Some(imaginary) = x.imaginary else { return cx.unary(UnaryOp::Abs, x.value) };
    let (a, b) = (cx.mul(x.value, x.value)?, cx.mul(imaginary, imaginary)?);
    let sum = cx.add(a, b)?;
    cx.unary(UnaryOp::Sqrt, sum)
}

/// The tensor with its imaginary part negated.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn conjugate(cx: &mut LowerCx<'_>, x: &KerasTensor) -> Result<KerasTensor> {
    let imaginary = x.imaginary.map(|part| cx.unary(UnaryOp::Neg, part)).transpose()?;
    Ok(KerasTensor { imaginary, ..KerasTensor::from(x.value) })
}

/// Real numbers as complex ones.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for text.
pub(crate) fn of_real(cx: &mut LowerCx<'_>, x: Value) -> Result<KerasTensor> {
    let x = cx.to_float(x)?;
    let (dims, kind) = (cx.dims_of(x), cx.ty(x).element);
    let zeros = cx.full(kind, &dims, 0.0)?;
    Ok(KerasTensor { imaginary: Some(zeros), ..KerasTensor::from(x) })
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
