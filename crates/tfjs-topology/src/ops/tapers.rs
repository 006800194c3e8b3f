//! Window functions by their length, which may be computed from the shape of a tensor: Hann, Hamming, Kaiser, Vorbis.
//!
//! Reference: `tf.signal.hann_window`, `tf.signal.kaiser_window` and their relatives.

use super::FromOpConfig;
use super::args::{Args, missing};
use super::params::Params;
use super::{sizes, special};
use crate::call::{Arg, Call};
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::types::ValueType;
use std::f64::consts::PI;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::layout::Range;
use tfjs_ir::prim::reduce::RunningOp;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// A window function.
#[derive(Clone, Debug, PartialEq)]
pub struct Taper {
    /// The function.
    pub kind: TaperKind,
    /// `window_length`, `periodic`, `beta`.
    pub params: Params,
}

/// The functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaperKind {
    /// A cosine from 0 to 1.
    Hann,
    /// A cosine from 0.08 to 1.
    Hamming,
    /// A Bessel function.
    Kaiser,
    /// The roots of running sums of Kaiser's window, so that overlapping squares add up to 1.
    KaiserDerived,
    /// The sine of a squared sine, with the same property.
    Vorbis,
}

impl FromOpConfig for Taper {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let kind = match class {
            "HannWindow" => TaperKind::Hann,
            "HammingWindow" => TaperKind::Hamming,
            "KaiserWindow" => TaperKind::Kaiser,
            "KaiserBesselDerivedWindow" => TaperKind::KaiserDerived,
            "VorbisWindow" => TaperKind::Vorbis,
            other => return Err(Error::bug(format!("`{other}` is listed as a window function"))),
        };
        Ok(Taper { kind, params: Params::read(config) })
    }
}

/// Whether the default window applies: `window_fn` is absent. A null means no window.
///
/// # Errors
/// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a function.
pub(super) fn is_default(args: &Args<'_>, call: &Call<KerasTensor>) -> Result<bool> {
    args.inert(&["window_fn"]);
    match call.kwarg("window_fn") {
        None => Ok(true),
        Some(Arg::Const(value)) if value.is_null() => Ok(false),
        Some(_) => {
            let message = "a `window_fn` other than the default is a Python function, which is not in the file; multiply \
                           frames by the window instead";
            Err(Error::unsupported(message))
        }
    }
}

/// The window 1 where the length is 1, for which the formulas divide by 0.
fn or_one(cx: &mut LowerCx<'_>, window: Value, length: Value) -> Result<Value> {
    let alone = cx.compare_scalar(CompareOp::Eq, length, 1.0)?;
    let one = cx.scalar_like(window, 1.0)?;
    cx.select(alone, one, window)
}

/// `share + (share - 1) cos(2 pi i / n)`. `n` is one less than the length if that is odd or the window is not periodic.
pub(super) fn raised_cosine(cx: &mut LowerCx<'_>, length: Dim, share: f64, periodic: bool) -> Result<Value> {
    let all = cx.size(length, ElementType::I64)?;
    let less = if periodic { cx.binary_scalar(BinaryOp::Mod, all, 2.0)? } else { cx.scalar(ElementType::I64, 1.0)? };
    let turn = cx.sub(all, less)?;
    let turn = cx.cast(turn, ElementType::F32)?;
    let place = cx.iota(0, &[length], ElementType::F32)?;
    let place = cx.div(place, turn)?;
    let angle = cx.binary_scalar(BinaryOp::Mul, place, 2.0 * PI)?;
    let cos = cx.unary(UnaryOp::Cos, angle)?;
    let swing = cx.binary_scalar(BinaryOp::Mul, cos, share - 1.0)?;
    let window = cx.binary_scalar(BinaryOp::Add, swing, share)?;
    or_one(cx, window, all)
}

/// `I0(beta sqrt(1 - t^2)) / I0(beta)` for `t` from -1 to 1.
fn kaiser(cx: &mut LowerCx<'_>, length: Dim, beta: f64) -> Result<Value> {
    let all = cx.size(length, ElementType::I64)?;
    let less = cx.binary_scalar(BinaryOp::Sub, all, 1.0)?;
    let less = cx.cast(less, ElementType::F32)?;
    let half = cx.binary_scalar(BinaryOp::Mul, less, 0.5)?;
    let place = cx.iota(0, &[length], ElementType::F32)?;
    let place = cx.sub(place, half)?;
    let share = cx.div(place, half)?;
    let square = cx.mul(share, share)?;
    let one = cx.scalar(ElementType::F32, 1.0)?;
    let rest = cx.sub(one, square)?;
    let rest = cx.binary_scalar(BinaryOp::Max, rest, 0.0)?;
    let root = cx.unary(UnaryOp::Sqrt, rest)?;
    let x = cx.binary_scalar(BinaryOp::Mul, root, beta)?;
    let beta = cx.scalar(ElementType::F32, beta)?;
    // Divided by exp(x) and exp(beta), neither of which overflows then.
    let (above, below) = (special::bessel(cx, x, false)?, special::bessel(cx, beta, false)?);
    let ratio = cx.div(above, below)?;
    let difference = cx.sub(x, beta)?;
    let power = cx.unary(UnaryOp::Exp, difference)?;
    let window = cx.mul(ratio, power)?;
    or_one(cx, window, all)
}

fn kaiser_derived(cx: &mut LowerCx<'_>, length: Dim, beta: f64) -> Result<Value> {
    let half = cx.dims().div_floor(length, 2)?;
    let more = cx.dims().add(half, Dim::ONE)?;
    let window = kaiser(cx, more, beta)?;
    let sums = cx.cumulative(RunningOp::Sum, window, 0, false, false)?;
    let first = cx.slice_axis(sums, 0, Range { start: Dim::ZERO, len: half, step: 1 })?;
    let total = cx.slice_axis(sums, 0, Range { start: half, len: Dim::ONE, step: 1 })?;
    let share = cx.div(first, total)?;
    let rise = cx.unary(UnaryOp::Sqrt, share)?;
    let fall = cx.reverse(rise, &[0])?;
    cx.concat(&[rise, fall], 0)
}

/// `sin(pi / 2 sin^2(pi (i + 1 / 2) / n))`
pub(super) fn vorbis(cx: &mut LowerCx<'_>, length: Dim) -> Result<Value> {
    let all = cx.size(length, ElementType::I64)?;
    let all = cx.cast(all, ElementType::F32)?;
    let place = cx.iota(0, &[length], ElementType::F32)?;
    let place = cx.binary_scalar(BinaryOp::Add, place, 0.5)?;
    let share = cx.div(place, all)?;
    let angle = cx.binary_scalar(BinaryOp::Mul, share, PI)?;
    let sine = cx.unary(UnaryOp::Sin, angle)?;
    let square = cx.mul(sine, sine)?;
    let angle = cx.binary_scalar(BinaryOp::Mul, square, PI / 2.0)?;
    cx.unary(UnaryOp::Sin, angle)
}

impl LayerDef for Taper {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use TaperKind as K;
        let args = Args::new(&self.params, call);
        let length = match args.sizes(cx, &["window_length"], Some(0))?.as_deref() {
            Some(&[length]) if cx.at_least(length, Dim::ONE) => length,
            Some(_) => return Err(Error::malformed("expected one length of at least 1").at_json("window_length")),
            None => return Err(missing(&["window_length"])),
        };
        let place = if self.kind == K::Vorbis { 1 } else { 2 };
        if sizes::dtype(&args, &["dtype"], Some(place))?.is_some_and(|dtype| dtype != ValueType::Float) {
            return Err(Error::malformed("expected a floating-point type").at_json("dtype"));
        }
        cx.mixes_batch();
        let value = match self.kind {
            K::Hann | K::Hamming => {
                let share = if self.kind == K::Hann { 0.5 } else { 0.54 };
                raised_cosine(cx, length, share, args.or(&["periodic"], Some(1), true)?)?
            }
            K::Kaiser => kaiser(cx, length, args.or(&["beta"], Some(1), 12.0)?)?,
            K::KaiserDerived => kaiser_derived(cx, length, args.or(&["beta"], Some(1), 12.0)?)?,
            K::Vorbis => vorbis(cx, length)?,
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
        check("KaiserWindow", json!({}), json!([7]), json!({"beta": 8.0}), "float32[7]");
        check("KaiserBesselDerivedWindow", json!({}), json!([7]), json!({}), "float32[6]");
        check("VorbisWindow", json!({}), json!([]), json!({"window_length": 8}), "float32[8]");
        check("HannWindow", json!({}), json!([8]), json!({"periodic": false, "dtype": "float32"}), "float32[8]");
    }

    #[test]
    fn refuses() {
        let message = "`window_length`: expected one length of at least 1";
        refused_with("HammingWindow", json!({"window_length": 0}), json!([]), message);
        refused_with("HammingWindow", json!({}), json!([]), "missing `window_length`");
        let config = json!({"window_length": 4, "dtype": "int32"});
        refused_with("KaiserWindow", config, json!([]), "`dtype`: expected a floating-point type");
    }
}
