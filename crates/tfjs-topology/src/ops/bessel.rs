//! Bessel functions of orders 0 and 1: J, Y and K. Near 0 they are polynomials and logarithms; far from it, J and Y are
//! waves whose amplitude and phase are polynomials, and K falls exponentially.
//!
//! Reference: `tf.math.special.bessel_j0` and its relatives; the approximations in single precision of Cephes.

use super::FromOpConfig;
use super::args::Args;
use super::elementary::where_or;
use super::params::Params;
use super::special::{self, chebyshev, polynomial};
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use std::f64::consts::{FRAC_2_PI, FRAC_PI_4};
use tfjs_ir::Value;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_manifest::{Error, Result};

/// A Bessel function of each element.
#[derive(Clone, Debug, PartialEq)]
pub struct Bessel {
    /// The function.
    pub kind: BesselKind,
    /// Whether its order is 1 instead of 0.
    pub first_order: bool,
    /// No known keys.
    pub params: Params,
}

/// The functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BesselKind {
    /// The first kind.
    J,
    /// The second kind.
    Y,
    /// The modified function of the second kind.
    K,
    /// The same multiplied by `exp(x)`.
    ScaledK,
}

impl FromOpConfig for Bessel {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use BesselKind as K;
        let (kind, first_order) = match class {
            "BesselJ0" => (K::J, false),
            "BesselJ1" => (K::J, true),
            "BesselY0" => (K::Y, false),
            "BesselY1" => (K::Y, true),
            "BesselK0" => (K::K, false),
            "BesselK1" => (K::K, true),
            "BesselK0e" => (K::ScaledK, false),
            "BesselK1e" => (K::ScaledK, true),
            other => return Err(Error::bug(format!("`{other}` is listed as a Bessel function"))),
        };
        Ok(Bessel { kind, first_order, params: Params::read(config) })
    }
}

const K0_NEAR: &[f64] = &[
    1.904_516_377_220_209e-9,
    2.534_791_079_026_149_4e-7,
    2.286_212_103_119_452e-5,
    0.001_264_615_411_446_926,
    0.035_979_936_515_361_5,
    0.344_289_899_924_628_5,
    -0.535_327_393_233_902_8,
];
const K0_FAR: &[f64] = &[
    -1.697_534_509_389_06e-9,
    8.574_034_017_414_225e-9,
    -4.660_489_897_687_948e-8,
    2.766_813_639_445_015e-7,
    -1.831_755_522_719_119_5e-6,
    1.394_981_371_887_65e-5,
    -0.000_128_495_495_816_278_02,
    0.001_569_883_885_730_053_3,
    -0.031_448_101_311_964_5,
    2.440_303_082_065_955_5,
];
const K1_NEAR: &[f64] = &[
    -2.213_387_630_734_726e-8,
    -2.433_406_141_565_968_4e-6,
    -0.000_173_028_895_751_305_2,
    -0.006_975_723_859_639_864,
    -0.122_611_180_822_657_15,
    -0.353_155_960_776_544_9,
    1.525_300_227_338_947_8,
];
const K1_FAR: &[f64] = &[
    2.015_049_755_197_033e-9,
    -1.034_576_246_567_809_7e-8,
    5.741_084_125_450_049_5e-8,
    -3.501_960_603_087_812_6e-7,
    2.406_484_947_837_217e-6,
    -1.936_197_974_166_083e-5,
    0.000_195_215_518_471_351_62,
    -0.002_857_816_859_622_779,
    0.103_923_736_576_817_24,
    2.720_626_190_484_442_7,
];
const J0_NEAR: &[f64] = &[
    -6.068_350_350_393_235e-8,
    6.388_945_720_783_375e-6,
    -0.000_396_964_634_251_094,
    0.013_329_134_225_190_03,
    -0.172_915_068_024_072_4,
];
const Y0_NEAR: &[f64] = &[
    9.454_583_683_980_369e-8,
    -9.413_212_653_797_057e-6,
    0.000_534_448_670_721_427_3,
    -0.015_842_892_898_213_16,
    0.170_758_464_373_356_8,
];
const MODULUS_0: &[f64] = &[
    -0.068_389_996_693_188_1,
    0.186_494_936_137_950_2,
    -0.214_500_748_034_673_9,
    0.119_754_936_947_354,
    -0.003_560_281_861_530_129,
    -0.049_693_826_552_966_2,
    -3.355_424_622_293_709e-6,
    0.797_884_571_762_144,
];
const PHASE_0: &[f64] = &[
    32.420_778_169_882_47,
    -36.305_926_305_184_34,
    17.562_214_821_090_99,
    -4.974_978_466_280_903,
    1.001_973_420_681_837,
    -0.193_990_694_179_130_8,
    0.064_905_987_926_546_66,
    -0.124_999_218_487_273_8,
];
const J1_NEAR: &[f64] = &[
    -4.878_788_132_172_128e-9,
    6.009_061_827_883_699e-7,
    -4.541_343_896_997_497e-5,
    0.001_937_383_947_804_541,
    -0.034_055_373_846_158_24,
];
const Y1_NEAR: &[f64] = &[
    8.061_978_323_326_852e-9,
    -9.496_460_629_917_016e-7,
    6.719_543_806_674_249e-5,
    -0.002_641_785_726_447_862,
    0.042_023_699_465_000_99,
];
const MODULUS_1: &[f64] = &[
    0.069_139_427_412_658_01,
    -0.228_480_150_005_335_9,
    0.313_823_845_549_969_7,
    -0.210_230_242_040_387_5,
    0.005_435_364_690_523_026,
    0.149_338_958_508_949_8,
    4.976_029_650_847_191e-6,
    0.797_884_545_307_384_8,
];
const PHASE_1: &[f64] = &[
    -44.970_141_419_195_56,
    50.734_656_540_893_19,
    -24.857_741_087_203_4,
    7.222_973_196_770_24,
    -1.544_842_782_180_211,
    0.350_378_769_165_333_4,
    -0.163_798_677_694_120_2,
    0.374_998_950_908_082_1,
];

/// Where one approximation ends and the other begins.
const EDGE: f64 = 2.0;

/// The amplitude of a wave, and its phase.
fn wave(cx: &mut LowerCx<'_>, x: Value, first_order: bool) -> Result<(Value, Value)> {
    let (modulus, phase, start) = match first_order {
        false => (MODULUS_0, PHASE_0, -FRAC_PI_4),
        true => (MODULUS_1, PHASE_1, -3.0 * FRAC_PI_4),
    };
    let one = cx.scalar_like(x, 1.0)?;
    let inverse = cx.div(one, x)?;
    let root = cx.unary(UnaryOp::Rsqrt, x)?;
    let modulus = polynomial(cx, inverse, modulus)?;
    let amplitude = cx.mul(root, modulus)?;
    let square = cx.mul(inverse, inverse)?;
    let phase = polynomial(cx, square, phase)?;
    let phase = cx.mul(phase, inverse)?;
    let phase = cx.binary_scalar(BinaryOp::Add, phase, start)?;
    Ok((amplitude, cx.add(phase, x)?))
}

/// `(x^2 - zero) p(x^2)`: a polynomial with an exact zero.
fn with_zero(cx: &mut LowerCx<'_>, x: Value, zero: f64, coefficients: &[f64]) -> Result<Value> {
    let square = cx.mul(x, x)?;
    let rest = polynomial(cx, square, coefficients)?;
    let factor = cx.binary_scalar(BinaryOp::Sub, square, zero)?;
    cx.mul(factor, rest)
}

/// J near 0.
fn first_kind_near(cx: &mut LowerCx<'_>, x: Value, first_order: bool) -> Result<Value> {
    if first_order {
        let value = with_zero(cx, x, 14.681_970_642_123_893, J1_NEAR)?;
        return cx.mul(value, x);
    }
    let value = with_zero(cx, x, 5.783_185_962_946_785, J0_NEAR)?;
    let square = cx.mul(x, x)?;
    let less = cx.binary_scalar(BinaryOp::Mul, square, -0.25)?;
    let tangent = cx.binary_scalar(BinaryOp::Add, less, 1.0)?;
    let tiny = cx.compare_scalar(CompareOp::Lt, x, 1e-3)?;
    cx.select(tiny, tangent, value)
}

fn first_kind(cx: &mut LowerCx<'_>, x: Value, first_order: bool) -> Result<Value> {
    let size = cx.unary(UnaryOp::Abs, x)?;
    let (low, high) = (cx.binary_scalar(BinaryOp::Min, size, EDGE)?, cx.binary_scalar(BinaryOp::Max, size, EDGE)?);
    let near = first_kind_near(cx, low, first_order)?;
    let (amplitude, phase) = wave(cx, high, first_order)?;
    let cosine = cx.unary(UnaryOp::Cos, phase)?;
    let far = cx.mul(amplitude, cosine)?;
    let is_near = cx.compare_scalar(CompareOp::Le, size, EDGE)?;
    let value = cx.select(is_near, near, far)?;
    if !first_order {
        return Ok(value);
    }
    let negative = cx.unary(UnaryOp::Neg, value)?;
    let below = cx.compare_scalar(CompareOp::Lt, x, 0.0)?;
    cx.select(below, negative, value)
}

fn second_kind(cx: &mut LowerCx<'_>, x: Value, first_order: bool) -> Result<Value> {
    let (low, high) = (cx.binary_scalar(BinaryOp::Min, x, EDGE)?, cx.binary_scalar(BinaryOp::Max, x, EDGE)?);
    let log = cx.unary(UnaryOp::Log, low)?;
    let first = first_kind_near(cx, low, first_order)?;
    let product = cx.mul(log, first)?;
    let near = if first_order {
        let one = cx.scalar_like(x, 1.0)?;
        let pole = cx.div(one, low)?;
        let product = cx.sub(product, pole)?;
        let product = cx.binary_scalar(BinaryOp::Mul, product, FRAC_2_PI)?;
        let smooth = with_zero(cx, low, 4.665_393_301_856_689, Y1_NEAR)?;
        let smooth = cx.mul(smooth, low)?;
        cx.add(smooth, product)?
    } else {
        let product = cx.binary_scalar(BinaryOp::Mul, product, FRAC_2_PI)?;
        let smooth = with_zero(cx, low, 0.432_214_556_865_108_35, Y0_NEAR)?;
        cx.add(smooth, product)?
    };
    let (amplitude, phase) = wave(cx, high, first_order)?;
    let sine = cx.unary(UnaryOp::Sin, phase)?;
    let far = cx.mul(amplitude, sine)?;
    let is_near = cx.compare_scalar(CompareOp::Le, x, EDGE)?;
    let value = cx.select(is_near, near, far)?;
    // TensorFlow computes NaN for order 1 at 0 itself.
    let op = if first_order { CompareOp::Lt } else { CompareOp::Le };
    let outside = cx.compare_scalar(op, x, 0.0)?;
    let pole = cx.scalar_like(x, f64::NEG_INFINITY)?;
    cx.select(outside, pole, value)
}

fn modified(cx: &mut LowerCx<'_>, x: Value, first_order: bool, scaled: bool) -> Result<Value> {
    let (low, high) = (cx.binary_scalar(BinaryOp::Min, x, EDGE)?, cx.binary_scalar(BinaryOp::Max, x, EDGE)?);
    let half = cx.binary_scalar(BinaryOp::Mul, low, 0.5)?;
    let log = cx.unary(UnaryOp::Log, half)?;
    let growing = special::bessel(cx, low, first_order)?;
    let power = cx.unary(UnaryOp::Exp, low)?;
    let growing = cx.mul(growing, power)?;
    let product = cx.mul(growing, log)?;
    let square = cx.mul(low, low)?;
    let square = cx.binary_scalar(BinaryOp::Sub, square, 2.0)?;
    let near = if first_order {
        let smooth = chebyshev(cx, square, K1_NEAR)?;
        let smooth = cx.div(smooth, low)?;
        cx.add(smooth, product)?
    } else {
        let smooth = chebyshev(cx, square, K0_NEAR)?;
        cx.sub(smooth, product)?
    };
    let near = if scaled { cx.mul(near, power)? } else { near };
    let eight = cx.scalar_like(x, 8.0)?;
    let share = cx.div(eight, high)?;
    let share = cx.binary_scalar(BinaryOp::Sub, share, 2.0)?;
    let far = chebyshev(cx, share, if first_order { K1_FAR } else { K0_FAR })?;
    let root = cx.unary(UnaryOp::Rsqrt, high)?;
    let mut far = cx.mul(far, root)?;
    if !scaled {
        let negative = cx.unary(UnaryOp::Neg, high)?;
        let power = cx.unary(UnaryOp::Exp, negative)?;
        far = cx.mul(far, power)?;
    }
    let is_near = cx.compare_scalar(CompareOp::Le, x, EDGE)?;
    let value = cx.select(is_near, near, far)?;
    let outside = cx.compare_scalar(CompareOp::Le, x, 0.0)?;
    let inside = cx.unary(UnaryOp::Not, outside)?;
    where_or(cx, inside, value, f64::INFINITY)
}

impl LayerDef for Bessel {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use BesselKind as K;
        let args = Args::new(&self.params, call);
        let x = args.numbers(cx, &[])?.value;
        let x = cx.to_float(x)?;
        let value = match self.kind {
            K::J => first_kind(cx, x, self.first_order)?,
            K::Y => second_kind(cx, x, self.first_order)?,
            K::K | K::ScaledK => modified(cx, x, self.first_order, self.kind == K::ScaledK)?,
        };
        args.finish(cx);
        Ok(vec![value.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused};
    use serde_json::json;

    #[test]
    fn types() {
        check("BesselJ0", json!({}), json!(["f:?,3"]), json!({}), "float32[?,3]");
        check("BesselY1", json!({}), json!(["f:?,3"]), json!({}), "float32[?,3]");
        check("BesselK1e", json!({}), json!(["i:?,3"]), json!({}), "float32[?,3]");
        refused("BesselK0", json!(["s:?,3"]), "expected numbers, found strings");
    }
}
