//! Special functions by approximations that are accurate to single precision: inverses of the error function and of the
//! normal distribution, the logarithm of the gamma function and its derivative, modified Bessel functions.
//!
//! Reference: `keras.ops.erfinv`; `tf.math.ndtri`, `tf.math.lgamma`, `tf.math.digamma`, `tf.math.bessel_i0e`.
//! The approximations are those of Cephes, and Lanczos's with `g = 7`.

use super::FromOpConfig;
use super::args::{Args, without_axes};
use super::params::Params;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use std::f64::consts::{PI, SQRT_2};
use tfjs_ir::Value;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_manifest::{Error, Result};

/// An elementwise special function.
#[derive(Clone, Debug, PartialEq)]
pub struct Special {
    /// The function.
    pub kind: SpecialKind,
    /// No known keys.
    pub params: Params,
}

/// The functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecialKind {
    /// The inverse of `erf`.
    ErfInv,
    /// The inverse of `1 - erf`.
    ErfcInv,
    /// The inverse of the normal distribution function.
    NdtrI,
    /// The logarithm of the absolute value of the gamma function.
    LGamma,
    /// Its derivative.
    Digamma,
    /// The logarithm of the beta function of the last axis.
    LBeta,
    /// The modified Bessel function of order 0.
    BesselI0,
    /// The same divided by `exp(|x|)`.
    BesselI0E,
    /// The modified Bessel function of order 1.
    BesselI1,
    /// The same divided by `exp(|x|)`.
    BesselI1E,
}

impl FromOpConfig for Special {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use SpecialKind as K;
        let kind = match class {
            "Erfinv" => K::ErfInv,
            "Erfcinv" => K::ErfcInv,
            "Ndtri" => K::NdtrI,
            "Lgamma" => K::LGamma,
            "Digamma" => K::Digamma,
            "Lbeta" => K::LBeta,
            "I0" => K::BesselI0,
            "BesselI0e" => K::BesselI0E,
            "BesselI1" => K::BesselI1,
            "BesselI1e" => K::BesselI1E,
            other => return Err(Error::bug(format!("`{other}` is listed as a special function"))),
        };
        Ok(Special { kind, params: Params::read(config) })
    }
}

/// `c0 x^n + c1 x^(n - 1) + ..`
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(super) fn polynomial(cx: &mut LowerCx<'_>, x: Value, coefficients: &[f64]) -> Result<Value> {
    let mut value = cx.scalar_like(x, 0.0)?;
    for (i, &c) in coefficients.iter().enumerate() {
        if i > 0 {
            value = cx.mul(value, x)?;
        }
        value = cx.binary_scalar(BinaryOp::Add, value, c)?;
    }
    Ok(value)
}

/// A sum of Chebyshev polynomials, the highest first.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(super) fn chebyshev(cx: &mut LowerCx<'_>, x: Value, coefficients: &[f64]) -> Result<Value> {
    let mut last = [cx.scalar_like(x, 0.0)?; 3];
    for &c in coefficients {
        let product = cx.mul(x, last[0])?;
        let less = cx.sub(product, last[1])?;
        let next = cx.binary_scalar(BinaryOp::Add, less, c)?;
        last = [next, last[0], last[1]];
    }
    let difference = cx.sub(last[0], last[2])?;
    cx.binary_scalar(BinaryOp::Mul, difference, 0.5)
}

/// The coefficients of numerator and denominator, highest power first.
pub(super) type Fraction = (&'static [f64], &'static [f64]);

const MIDDLE: Fraction = (
    &[
        -59.963_350_101_410_79,
        98.001_075_418_599_97,
        -56.676_285_746_907_03,
        13.931_260_938_727_968,
        -1.239_165_838_673_812_5,
    ],
    &[
        1.0,
        1.954_488_583_381_417_6,
        4.676_279_128_988_815,
        86.360_242_139_089_05,
        -225.462_687_854_119_37,
        200.260_212_380_060_67,
        -82.037_225_616_833_34,
        15.905_622_512_621_17,
        -1.183_316_211_213_3,
    ],
);
const TAIL: Fraction = (
    &[
        4.055_448_923_059_625,
        31.525_109_459_989_388,
        57.162_819_224_642_13,
        44.080_507_389_320_08,
        14.684_956_192_885_803,
        2.186_633_068_507_902_5,
        -0.140_256_079_171_354_5,
        -0.035_042_462_682_784_82,
        -0.000_857_456_785_154_685_4,
    ],
    &[
        1.0,
        15.779_988_325_646_675,
        45.390_763_512_887_92,
        41.317_203_825_467_2,
        15.042_538_569_290_75,
        2.504_649_462_083_094,
        -0.142_182_922_854_787_8,
        -0.038_080_640_769_157_83,
        -0.000_933_259_480_895_457_4,
    ],
);
const FAR_TAIL: Fraction = (
    &[
        3.237_748_917_769_460_5,
        6.915_228_890_689_842,
        3.938_810_252_924_744_3,
        1.333_034_608_158_075_4,
        0.201_485_389_549_179_08,
        0.012_371_663_481_782_003,
        0.000_301_581_553_508_235_4,
        2.658_069_746_867_376e-6,
        6.239_745_391_849_833e-9,
    ],
    &[
        1.0,
        6.024_270_393_647_42,
        3.679_835_638_561_608_6,
        1.377_020_994_890_813_2,
        0.216_236_993_594_496_63,
        0.013_420_400_608_854_318,
        0.000_328_014_464_682_127_7,
        2.892_478_647_453_807e-6,
        6.790_194_080_099_813e-9,
    ],
);

/// A fraction of polynomials.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(super) fn fraction(cx: &mut LowerCx<'_>, x: Value, (above, below): Fraction) -> Result<Value> {
    let (above, below) = (polynomial(cx, x, above)?, polynomial(cx, x, below)?);
    cx.div(above, below)
}

/// The inverse of the normal distribution function, of `p` with `rest = 1 - p`.
fn ndtri(cx: &mut LowerCx<'_>, p: Value, rest: Value) -> Result<Value> {
    // exp(-2)
    const EDGE: f64 = 0.135_335_283_236_612_7;
    let low = cx.binary(BinaryOp::Min, p, rest)?;
    let middle = {
        let y = cx.sub(p, rest)?;
        let y = cx.binary_scalar(BinaryOp::Mul, y, 0.5)?;
        let square = cx.mul(y, y)?;
        let ratio = fraction(cx, square, MIDDLE)?;
        let cube = cx.mul(y, square)?;
        let more = cx.mul(cube, ratio)?;
        let sum = cx.add(y, more)?;
        // sqrt(2 pi)
        cx.binary_scalar(BinaryOp::Mul, sum, 2.506_628_274_631_000_7)?
    };
    let tail = {
        let log = cx.unary(UnaryOp::Log, low)?;
        let double = cx.binary_scalar(BinaryOp::Mul, log, -2.0)?;
        let x = cx.unary(UnaryOp::Sqrt, double)?;
        let log = cx.unary(UnaryOp::Log, x)?;
        let share = cx.div(log, x)?;
        let first = cx.sub(x, share)?;
        let one = cx.scalar_like(x, 1.0)?;
        let z = cx.div(one, x)?;
        let (near, far) = (fraction(cx, z, TAIL)?, fraction(cx, z, FAR_TAIL)?);
        let is_near = cx.compare_scalar(CompareOp::Lt, x, 8.0)?;
        let ratio = cx.select(is_near, near, far)?;
        let second = cx.mul(z, ratio)?;
        let size = cx.sub(first, second)?;
        let negative = cx.unary(UnaryOp::Neg, size)?;
        let below = cx.compare(CompareOp::Lt, p, rest)?;
        cx.select(below, negative, size)?
    };
    let is_middle = cx.compare_scalar(CompareOp::Gt, low, EDGE)?;
    let value = cx.select(is_middle, middle, tail)?;
    let (first, last) = (cx.compare_scalar(CompareOp::Eq, p, 0.0)?, cx.compare_scalar(CompareOp::Eq, rest, 0.0)?);
    let (least, most) = (cx.scalar_like(p, f64::NEG_INFINITY)?, cx.scalar_like(p, f64::INFINITY)?);
    let value = cx.select(first, least, value)?;
    cx.select(last, most, value)
}

/// `1 - x`
fn one_minus(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let one = cx.scalar_like(x, 1.0)?;
    cx.sub(one, x)
}

const LANCZOS_G: f64 = 7.0;
const LANCZOS_BASE: f64 = 0.999_999_999_999_809_9;
const LANCZOS: [f64; 8] = [
    676.520_368_121_885_1,
    -1_259.139_216_722_402_8,
    771.323_428_777_653_1,
    -176.615_029_162_140_6,
    12.507_343_278_686_905,
    -0.138_571_095_265_720_12,
    9.984_369_578_019_572e-6,
    1.505_632_735_149_311_6e-7,
];

/// Common terms of the gamma function and its derivative, for `x >= 0.5` or its reflection.
struct Lanczos {
    /// Whether the reflection is used.
    mirrored: Value,
    /// `x - 1`
    z: Value,
    /// `z + 7.5`
    t: Value,
    /// Its logarithm.
    log_t: Value,
}

impl Lanczos {
    fn of(cx: &mut LowerCx<'_>, x: Value) -> Result<Self> {
        let mirrored = cx.compare_scalar(CompareOp::Lt, x, 0.5)?;
        let negative = cx.unary(UnaryOp::Neg, x)?;
        let less = cx.binary_scalar(BinaryOp::Sub, x, 1.0)?;
        let z = cx.select(mirrored, negative, less)?;
        let middle = LANCZOS_G + 0.5;
        let t = cx.binary_scalar(BinaryOp::Add, z, middle)?;
        let share = cx.binary_scalar(BinaryOp::Div, z, middle)?;
        let log = cx.unary(UnaryOp::Log1p, share)?;
        let log_t = cx.binary_scalar(BinaryOp::Add, log, middle.ln())?;
        Ok(Lanczos { mirrored, z, t, log_t })
    }

    /// The sum of fractions, and its derivative.
    fn sums(&self, cx: &mut LowerCx<'_>) -> Result<(Value, Value)> {
        let (mut sum, mut slope) = (cx.scalar_like(self.z, LANCZOS_BASE)?, cx.scalar_like(self.z, 0.0)?);
        for (place, &c) in LANCZOS.iter().enumerate() {
            let below = cx.binary_scalar(BinaryOp::Add, self.z, place as f64 + 1.0)?;
            let c = cx.scalar_like(self.z, c)?;
            let part = cx.div(c, below)?;
            sum = cx.add(sum, part)?;
            let part = cx.div(part, below)?;
            slope = cx.sub(slope, part)?;
        }
        Ok((sum, slope))
    }
}

/// The logarithm of the absolute value of the gamma function.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(super) fn lgamma(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let lanczos = Lanczos::of(cx, x)?;
    let (sum, _) = lanczos.sums(cx)?;
    let log_sum = cx.unary(UnaryOp::Log, sum)?;
    let half = cx.binary_scalar(BinaryOp::Add, lanczos.z, 0.5)?;
    let ratio = cx.div(lanczos.t, lanczos.log_t)?;
    let factor = cx.sub(half, ratio)?;
    let main = cx.mul(factor, lanczos.log_t)?;
    let main = cx.binary_scalar(BinaryOp::Add, main, 0.5 * (2.0 * PI).ln())?;
    let value = cx.add(main, log_sum)?;
    // For the reflection, subtract the result from log(pi / |sin(pi x)|).
    let size = cx.unary(UnaryOp::Abs, x)?;
    let whole = cx.unary(UnaryOp::Floor, size)?;
    let part = cx.sub(size, whole)?;
    let rest = one_minus(cx, part)?;
    let near = cx.binary(BinaryOp::Min, part, rest)?;
    let angle = cx.binary_scalar(BinaryOp::Mul, near, PI)?;
    let sine = cx.unary(UnaryOp::Sin, angle)?;
    let log_sine = cx.unary(UnaryOp::Log, sine)?;
    let log_pi = cx.scalar_like(x, PI.ln())?;
    let mirror = cx.sub(log_pi, log_sine)?;
    let mirror = cx.sub(mirror, value)?;
    let value = cx.select(lanczos.mirrored, mirror, value)?;
    // The result for an infinity is infinity.
    let infinite = cx.compare_scalar(CompareOp::Eq, size, f64::INFINITY)?;
    cx.select(infinite, size, value)
}

/// The derivative of [`lgamma`].
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(super) fn digamma(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let lanczos = Lanczos::of(cx, x)?;
    let (sum, slope) = lanczos.sums(cx)?;
    let share = cx.div(slope, sum)?;
    let g = cx.scalar_like(x, LANCZOS_G)?;
    let less = cx.div(g, lanczos.t)?;
    let value = cx.add(lanczos.log_t, share)?;
    let value = cx.sub(value, less)?;
    // For the reflection, subtract pi / tan(pi x), which is undefined at integers.
    let up = cx.binary_scalar(BinaryOp::Add, x, 0.5)?;
    let whole = cx.unary(UnaryOp::Floor, up)?;
    let near = cx.sub(x, whole)?;
    let angle = cx.binary_scalar(BinaryOp::Mul, near, PI)?;
    let (sine, cosine) = (cx.unary(UnaryOp::Sin, angle)?, cx.unary(UnaryOp::Cos, angle)?);
    let cotangent = cx.div(cosine, sine)?;
    let turn = cx.binary_scalar(BinaryOp::Mul, cotangent, PI)?;
    let mirror = cx.sub(value, turn)?;
    let value = cx.select(lanczos.mirrored, mirror, value)?;
    let (at_whole, below) = (cx.compare(CompareOp::Eq, x, whole)?, cx.compare_scalar(CompareOp::Le, x, 0.0)?);
    let pole = cx.binary(BinaryOp::And, at_whole, below)?;
    let nothing = cx.scalar_like(x, f64::NAN)?;
    cx.select(pole, nothing, value)
}

fn lbeta(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let last = cx.axis(-1, x)?;
    let each = lgamma(cx, x)?;
    let each = cx.reduce(ReduceOp::Sum, each, &[last], true)?;
    let sum = cx.reduce(ReduceOp::Sum, x, &[last], true)?;
    let all = lgamma(cx, sum)?;
    let value = cx.sub(each, all)?;
    without_axes(cx, value, &[last], false)
}

const I0_NEAR: &[f64] = &[
    -1.300_025_009_986_248e-8,
    6.046_995_022_541_919e-8,
    -2.670_793_853_940_612e-7,
    1.117_387_539_120_103_7e-6,
    -4.416_738_358_458_750_6e-6,
    1.644_844_807_072_889_7e-5,
    -5.754_195_010_082_104e-5,
    1.885_028_850_958_416_6e-4,
    -5.763_755_745_385_824e-4,
    1.639_475_616_941_335_7e-3,
    -4.324_309_995_050_576e-3,
    1.054_646_039_459_499_8e-2,
    -2.373_741_480_589_947e-2,
    4.930_528_423_967_071e-2,
    -9.490_109_704_804_764e-2,
    1.716_209_015_222_087_7e-1,
    -3.046_826_723_431_984e-1,
    6.767_952_744_094_761e-1,
];
const I0_FAR: &[f64] = &[
    3.396_232_025_708_386_5e-9,
    2.266_668_990_498_178e-8,
    2.048_918_589_469_063_7e-7,
    2.891_370_520_834_756_5e-6,
    6.889_758_346_916_824e-5,
    3.369_116_478_255_694e-3,
    8.044_904_110_141_088e-1,
];
const I1_NEAR: &[f64] = &[
    9.381_537_386_495_772e-9,
    -4.445_059_128_796_328e-8,
    2.003_294_753_552_135_3e-7,
    -8.568_720_264_695_455e-7,
    3.470_251_308_137_678_5e-6,
    -1.327_316_365_603_943_6e-5,
    4.781_565_107_550_054e-5,
    -1.617_608_158_258_967_4e-4,
    5.122_859_561_685_758e-4,
    -1.513_572_450_631_253_2e-3,
    4.156_422_944_312_888e-3,
    -1.056_408_489_462_619_7e-2,
    2.472_644_903_062_651_6e-2,
    -5.294_598_120_809_499e-2,
    1.026_436_586_898_471e-1,
    -1.764_165_183_578_340_6e-1,
    2.525_871_864_436_336_5e-1,
];
const I1_FAR: &[f64] = &[
    -3.835_380_385_964_237e-9,
    -2.631_468_846_889_519_5e-8,
    -2.512_236_237_870_209e-7,
    -3.882_564_808_877_69e-6,
    -1.105_889_387_626_237_2e-4,
    -9.761_097_491_361_469e-3,
    7.785_762_350_182_801e-1,
];

/// A modified Bessel function divided by `exp(|x|)`.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(super) fn bessel(cx: &mut LowerCx<'_>, x: Value, first_order: bool) -> Result<Value> {
    let (near, far) = if first_order { (I1_NEAR, I1_FAR) } else { (I0_NEAR, I0_FAR) };
    let size = cx.unary(UnaryOp::Abs, x)?;
    let half = cx.binary_scalar(BinaryOp::Mul, size, 0.5)?;
    let half = cx.binary_scalar(BinaryOp::Sub, half, 2.0)?;
    let mut near = chebyshev(cx, half, near)?;
    if first_order {
        near = cx.mul(near, size)?;
    }
    let top = cx.scalar_like(x, 32.0)?;
    let share = cx.div(top, size)?;
    let share = cx.binary_scalar(BinaryOp::Sub, share, 2.0)?;
    let far = chebyshev(cx, share, far)?;
    let root = cx.unary(UnaryOp::Sqrt, size)?;
    let far = cx.div(far, root)?;
    let is_near = cx.compare_scalar(CompareOp::Le, size, 8.0)?;
    let value = cx.select(is_near, near, far)?;
    if !first_order {
        return Ok(value);
    }
    let negative = cx.unary(UnaryOp::Neg, value)?;
    let below = cx.compare_scalar(CompareOp::Lt, x, 0.0)?;
    cx.select(below, negative, value)
}

impl Special {
    fn compute(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        use SpecialKind as K;
        match self.kind {
            K::NdtrI => {
                let rest = one_minus(cx, x)?;
                ndtri(cx, x, rest)
            }
            K::ErfInv => {
                let up = cx.binary_scalar(BinaryOp::Add, x, 1.0)?;
                let down = one_minus(cx, x)?;
                let (p, rest) =
                    (cx.binary_scalar(BinaryOp::Mul, up, 0.5)?, cx.binary_scalar(BinaryOp::Mul, down, 0.5)?);
                let value = ndtri(cx, p, rest)?;
                let value = cx.binary_scalar(BinaryOp::Div, value, SQRT_2)?;
                // 1 + x would lose the digits of a small number.
                let size = cx.unary(UnaryOp::Abs, x)?;
                let small = cx.compare_scalar(CompareOp::Lt, size, 1e-3)?;
                let linear = cx.binary_scalar(BinaryOp::Mul, x, PI.sqrt() / 2.0)?;
                cx.select(small, linear, value)
            }
            K::ErfcInv => {
                let p = cx.binary_scalar(BinaryOp::Mul, x, 0.5)?;
                let rest = one_minus(cx, p)?;
                let value = ndtri(cx, p, rest)?;
                cx.binary_scalar(BinaryOp::Div, value, -SQRT_2)
            }
            K::LGamma => lgamma(cx, x),
            K::Digamma => digamma(cx, x),
            K::LBeta => lbeta(cx, x),
            K::BesselI0E => bessel(cx, x, false),
            K::BesselI1E => bessel(cx, x, true),
            K::BesselI0 | K::BesselI1 => {
                let value = bessel(cx, x, self.kind == K::BesselI1)?;
                let size = cx.unary(UnaryOp::Abs, x)?;
                let power = cx.unary(UnaryOp::Exp, size)?;
                cx.mul(value, power)
            }
        }
    }
}

impl LayerDef for Special {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let x = args.numbers(cx, &[])?.value;
        let x = cx.to_float(x)?;
        let value = self.compute(cx, x)?;
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused};
    use serde_json::json;

    #[test]
    fn types() {
        check("Erfinv", json!({}), json!(["f:?,3"]), json!({}), "float32[?,3]");
        check("I0", json!({}), json!(["i:?,3"]), json!({}), "float32[?,3]");
        check("Lbeta", json!({}), json!(["f:?,3"]), json!({}), "float32[?]");
        refused("Lgamma", json!([1.5]), "expected a tensor as the first argument");
    }
}
