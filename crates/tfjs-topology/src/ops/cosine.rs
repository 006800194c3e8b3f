//! Cosine transforms of the last axis, and what is made of them: the modified transform of overlapping frames, and the
//! cepstral coefficients of mel spectra. A transform is a product with a matrix of cosines whose angles are exact.
//!
//! Reference: `tf.signal.dct`, `tf.signal.idct`, `tf.signal.mdct`, `tf.signal.inverse_mdct`,
//! `tf.signal.mfccs_from_log_mel_spectrograms`.

use super::FromOpConfig;
use super::args::Args;
use super::params::Params;
use super::spectrum::{fitted, frames, frames_of_all, last_dim, overlapped, positive, times};
use super::tapers;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use std::f64::consts::{FRAC_1_SQRT_2, PI};
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// An operation by a cosine transform.
#[derive(Clone, Debug, PartialEq)]
pub struct Cosine {
    /// The operation.
    pub kind: CosineKind,
    /// `type`, `n`, `norm`; `frame_length`, `window_fn`, `pad_end`.
    pub params: Params,
}

/// The operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CosineKind {
    /// The transform of type 1, 2, 3 or 4.
    Transform,
    /// Its inverse, up to a factor: the transform of type 1, 3, 2 or 4.
    Inverse,
    /// The transform of type 4 of windowed frames, each of which is folded to half its length.
    Modified,
    /// The sequence for the modified transform of its frames.
    InverseModified,
    /// The coefficients of the logarithms of mel spectra.
    Cepstrum,
}

impl FromOpConfig for Cosine {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let kind = match class {
            "DCT" => CosineKind::Transform,
            "IDCT" => CosineKind::Inverse,
            "MDCT" => CosineKind::Modified,
            "InverseMDCT" => CosineKind::InverseModified,
            "MelCepstrum" => CosineKind::Cepstrum,
            other => return Err(Error::bug(format!("`{other}` is listed as a cosine transform"))),
        };
        Ok(Cosine { kind, params: Params::read(config) })
    }
}

/// The types of the transform, by the numbers of the literature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    One,
    Two,
    Three,
    Four,
}

impl Type {
    fn read(args: &Args<'_>) -> Result<Self> {
        Ok(match args.or::<i64>(&["type"], Some(1), 2)? {
            1 => Type::One,
            2 => Type::Two,
            3 => Type::Three,
            4 => Type::Four,
            other => return Err(Error::malformed(format!("expected 1, 2, 3 or 4, found {other}")).at_json("type")),
        })
    }

    fn inverse(self) -> Self {
        match self {
            Type::Two => Type::Three,
            Type::Three => Type::Two,
            other => other,
        }
    }
}

/// Whether the transform is orthonormal.
fn is_orthonormal(args: &Args<'_>, position: Option<usize>) -> Result<bool> {
    match args.opt::<String>(&["norm"], position)?.as_deref() {
        None => Ok(false),
        Some("ortho") => Ok(true),
        Some(other) => Err(Error::malformed(format!("unknown `norm` `{other}`"))),
    }
}

/// `2 x + 1` of integers.
fn odd(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let double = cx.binary_scalar(BinaryOp::Mul, x, 2.0)?;
    cx.binary_scalar(BinaryOp::Add, double, 1.0)
}

/// The transform of the last axis. With `n` elements, `y_k` is twice the sum of
///
/// * type 1: `x_j cos(pi j k / (n - 1))`, where the first and the last element count half;
/// * type 2: `x_j cos(pi (2 j + 1) k / 2 n)`;
/// * type 3: `x_j cos(pi j (2 k + 1) / 2 n)`, where the first element counts half;
/// * type 4: `x_j cos(pi (2 j + 1) (2 k + 1) / 4 n)`.
///
/// If orthonormal, the factor is `sqrt(2 / n)` instead of 2, and `sqrt(1 / n)` at index 0 of types 2 and 3.
fn transformed(cx: &mut LowerCx<'_>, x: Value, of: Type, orthonormal: bool) -> Result<Value> {
    let n = last_dim(cx, x)?;
    let (row, column) = (cx.iota(0, &[n, Dim::ONE], ElementType::I64)?, cx.iota(1, &[Dim::ONE, n], ElementType::I64)?);
    let length = cx.size(n, ElementType::I64)?;
    // The cosine of `2 pi a b / whole`.
    let (a, b, factor) = match of {
        Type::One => (row, column, 2.0),
        Type::Two => (odd(cx, row)?, column, 4.0),
        Type::Three => (row, odd(cx, column)?, 4.0),
        Type::Four => (odd(cx, row)?, odd(cx, column)?, 8.0),
    };
    let turn = match of {
        Type::One => cx.binary_scalar(BinaryOp::Sub, length, 1.0)?,
        _ => length,
    };
    let whole = cx.binary_scalar(BinaryOp::Mul, turn, factor)?;
    let turns = cx.mul(a, b)?;
    let turns = cx.binary(BinaryOp::Mod, turns, whole)?;
    let (turns, whole) = (cx.cast(turns, ElementType::F32)?, cx.cast(whole, ElementType::F32)?);
    let share = cx.div(turns, whole)?;
    let angle = cx.binary_scalar(BinaryOp::Mul, share, 2.0 * PI)?;
    let cos = cx.unary(UnaryOp::Cos, angle)?;
    let scale = if orthonormal {
        let length = cx.cast(length, ElementType::F32)?;
        let two = cx.scalar(ElementType::F32, 2.0)?;
        let square = cx.div(two, length)?;
        cx.unary(UnaryOp::Sqrt, square)?
    } else {
        cx.scalar(ElementType::F32, 2.0)?
    };
    // What the elements at the ends count less.
    let (place, less) = match (of, orthonormal) {
        (Type::One, _) => {
            let last = cx.compare(CompareOp::Eq, row, turn)?;
            let first = cx.compare_scalar(CompareOp::Eq, row, 0.0)?;
            (Some(cx.binary(BinaryOp::Or, first, last)?), 0.5)
        }
        (Type::Two, true) => (Some(cx.compare_scalar(CompareOp::Eq, column, 0.0)?), FRAC_1_SQRT_2),
        (Type::Three, true) => (Some(cx.compare_scalar(CompareOp::Eq, row, 0.0)?), FRAC_1_SQRT_2),
        (Type::Three, false) => (Some(cx.compare_scalar(CompareOp::Eq, row, 0.0)?), 0.5),
        (Type::Two, false) | (Type::Four, _) => (None, 1.0),
    };
    let scale = match place {
        Some(place) => {
            let less = cx.binary_scalar(BinaryOp::Mul, scale, less)?;
            cx.select(place, less, scale)?
        }
        None => scale,
    };
    let matrix = cx.mul(cos, scale)?;
    times(cx, x, matrix)
}

/// The transform with the arguments `type`, `n`, `axis` and `norm`.
fn transform(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value, inverse: bool) -> Result<Value> {
    let of = Type::read(args)?;
    let of = if inverse { of.inverse() } else { of };
    if args.or::<i64>(&["axis"], Some(3), -1)? != -1 {
        return Err(Error::malformed("expected the last axis, -1").at_json("axis"));
    }
    let orthonormal = is_orthonormal(args, Some(4))?;
    let x = match args.opt::<usize>(&["n"], Some(2))? {
        Some(0) => return Err(Error::malformed("expected at least 1, found 0").at_json("n")),
        Some(n) => {
            let n = cx.number(n);
            fitted(cx, x, n)?
        }
        None => x,
    };
    if of == Type::One {
        if orthonormal {
            return Err(Error::malformed("a cosine transform of type 1 has no `norm`"));
        }
        let (n, two) = (last_dim(cx, x)?, cx.number(2));
        if !cx.at_least(n, two) {
            return Err(Error::malformed("expected at least two elements for a cosine transform of type 1"));
        }
    }
    transformed(cx, x, of, orthonormal)
}

/// Multiplies frames by the window in `window_fn`: Vorbis's if it is absent, a constant if it is null.
fn windowed(cx: &mut LowerCx<'_>, args: &Args<'_>, call: &Call<KerasTensor>, frames: Value) -> Result<Value> {
    if !tapers::is_default(args, call)? {
        return cx.binary_scalar(BinaryOp::Mul, frames, FRAC_1_SQRT_2);
    }
    let length = last_dim(cx, frames)?;
    let window = tapers::vorbis(cx, length)?;
    let window = cx.cast_like(window, frames)?;
    cx.mul(frames, window)
}

/// Equal parts of the last axis, whose length they divide.
fn parts<const N: usize>(cx: &mut LowerCx<'_>, x: Value) -> Result<[Value; N]> {
    let n = last_dim(cx, x)?;
    let part = cx.dims().div_floor(n, N as u64)?;
    let mut start = Dim::ZERO;
    let mut found = [x; N];
    for each in &mut found {
        *each = cx.columns(x, start, part)?;
        start = cx.dims().add(start, part)?;
    }
    Ok(found)
}

fn turned(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let last = cx.axis(-1, x)?;
    cx.reverse(x, &[last])
}

fn modified(cx: &mut LowerCx<'_>, args: &Args<'_>, call: &Call<KerasTensor>, x: Value) -> Result<Value> {
    let length = positive(args, &["frame_length"], Some(1))?;
    if length % 4 != 0 {
        let message = format!("expected a multiple of 4, found {length}");
        return Err(Error::malformed(message).at_json("frame_length"));
    }
    let cut = match args.or(&["pad_end"], None, false)? {
        true => frames_of_all(cx, x, length, length / 2)?,
        false => frames(cx, x, length, length / 2)?,
    };
    let cut = windowed(cx, args, call, cut)?;
    // The quarters a, b, c, d are folded to (-c' - d, a - b'), where ' is the reverse.
    let [a, b, c, d] = parts(cx, cut)?;
    let (b, c) = (turned(cx, b)?, turned(cx, c)?);
    let c = cx.unary(UnaryOp::Neg, c)?;
    let (first, second) = (cx.sub(c, d)?, cx.sub(a, b)?);
    let last = cx.axis(-1, first)?;
    let folded = cx.concat(&[first, second], last)?;
    let orthonormal = is_orthonormal(args, None)?;
    transformed(cx, folded, Type::Four, orthonormal)
}

fn inverse_modified(cx: &mut LowerCx<'_>, args: &Args<'_>, call: &Call<KerasTensor>, x: Value) -> Result<Value> {
    cx.axis(-2, x)?;
    let half = last_dim(cx, x)?;
    let half = cx.known(half, "the last axis of a modified cosine transform", x)?;
    if half == 0 || half % 2 != 0 {
        return Err(Error::malformed(format!("expected an even number of coefficients, found {half}")));
    }
    let orthonormal = is_orthonormal(args, None)?;
    let mut folded = transformed(cx, x, Type::Four, orthonormal)?;
    if !orthonormal {
        folded = cx.binary_scalar(BinaryOp::Mul, folded, 0.5 / half as f64)?;
    }
    let [a, b] = parts(cx, folded)?;
    let (back, first) = (turned(cx, b)?, turned(cx, a)?);
    let (back, first, a) = (cx.unary(UnaryOp::Neg, back)?, cx.unary(UnaryOp::Neg, first)?, cx.unary(UnaryOp::Neg, a)?);
    let last = cx.axis(-1, a)?;
    let cut = cx.concat(&[b, back, first, a], last)?;
    let cut = windowed(cx, args, call, cut)?;
    overlapped(cx, cut, half)
}

impl LayerDef for Cosine {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use CosineKind as K;
        let args = Args::new(&self.params, call);
        let x = args.numbers(cx, &["signals", "mdcts", "log_mel_spectrograms"])?.value;
        cx.axis(-1, x)?;
        let x = cx.to_float(x)?;
        let value = match self.kind {
            K::Transform | K::Inverse => transform(cx, &args, x, self.kind == K::Inverse)?,
            K::Modified => modified(cx, &args, call, x)?,
            K::InverseModified => inverse_modified(cx, &args, call, x)?,
            K::Cepstrum => {
                // The factor of HTK, which is that of the orthonormal transform except at index 0.
                let y = transformed(cx, x, Type::Two, false)?;
                let n = last_dim(cx, x)?;
                let n = cx.size(n, ElementType::I64)?;
                let n = cx.cast_like(n, y)?;
                let double = cx.binary_scalar(BinaryOp::Mul, n, 2.0)?;
                let scale = cx.unary(UnaryOp::Rsqrt, double)?;
                cx.mul(y, scale)?
            }
        };
        args.finish(cx);
        Ok(vec![value.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused_with};
    use serde_json::json;

    #[test]
    fn shapes() {
        check("DCT", json!({}), json!(["f:?,8"]), json!({"type": 4, "n": 6}), "float32[?,6]");
        check("IDCT", json!({}), json!(["f:?,?"]), json!({"norm": "ortho"}), "float32[?,?]");
        check("MDCT", json!({}), json!(["f:?,20"]), json!({"frame_length": 8}), "float32[?,4,4]");
        let padded = json!({"frame_length": 8, "pad_end": true, "window_fn": null});
        check("MDCT", json!({}), json!(["f:?,18"]), padded, "float32[?,5,4]");
        check("InverseMDCT", json!({}), json!(["f:?,3,4"]), json!({}), "float32[?,16]");
        check("MelCepstrum", json!({}), json!(["f:?,5,7"]), json!({}), "float32[?,5,7]");
    }

    #[test]
    fn refuses() {
        let refused = |op: &str, config, x: &str, message: &str| refused_with(op, config, json!([x]), message);
        refused("DCT", json!({"type": 5}), "f:?,8", "`type`: expected 1, 2, 3 or 4, found 5");
        refused("DCT", json!({"n": 0}), "f:?,8", "`n`: expected at least 1, found 0");
        refused("DCT", json!({"axis": 1}), "f:?,8", "`axis`: expected the last axis, -1");
        let message = "a cosine transform of type 1 has no `norm`";
        refused("IDCT", json!({"type": 1, "norm": "ortho"}), "f:?,8", message);
        let message = "expected at least two elements for a cosine transform of type 1";
        refused("DCT", json!({"type": 1}), "f:?,1", message);
        refused("MDCT", json!({"frame_length": 6}), "f:?,20", "`frame_length`: expected a multiple of 4, found 6");
        refused("InverseMDCT", json!({}), "f:?,4,3", "expected an even number of coefficients, found 3");
    }
}
