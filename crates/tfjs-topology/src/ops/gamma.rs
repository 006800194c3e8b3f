//! Functions beside the gamma function: its incomplete integrals and those of the beta function, and the sums that are its
//! derivatives.
//!
//! Reference: `tf.math.igamma`, `tf.math.betainc`, `tf.math.zeta`, `tf.math.polygamma`. The methods are those of Cephes
//! and of *Numerical Recipes*: series, continued fractions and a quadrature, of as many terms as single precision needs.

use super::FromOpConfig;
use super::args::{Args, without_axes};
use super::elementary::where_or;
use super::params::Params;
use super::special::{digamma, lgamma, polynomial};
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use std::f64::consts::PI;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Array, Builder, Data, ElementType, Loop, Value};
use tfjs_manifest::{Error, Result};

/// A function of two or three numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Gamma {
    /// The function.
    pub kind: GammaKind,
    /// No known keys.
    pub params: Params,
}

/// The functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GammaKind {
    /// The lower incomplete gamma function, divided by the gamma function.
    Lower,
    /// The upper one: 1 minus the lower one.
    Upper,
    /// The incomplete beta function, divided by the beta function.
    Beta,
    /// The sum of `(q + k)^-x` for `k = 0, 1, ..`.
    Zeta,
    /// A derivative of the logarithm of the gamma function: of order 1 and more.
    Polygamma,
}

impl FromOpConfig for Gamma {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use GammaKind as K;
        let kind = match class {
            "Igamma" => K::Lower,
            "Igammac" => K::Upper,
            "Betainc" => K::Beta,
            "Zeta" => K::Zeta,
            "Polygamma" => K::Polygamma,
            other => return Err(Error::bug(format!("`{other}` is listed beside the gamma function"))),
        };
        Ok(Gamma { kind, params: Params::read(config) })
    }
}

/// Operands in one floating-point type and shape.
fn operands<const N: usize>(cx: &mut LowerCx<'_>, args: &Args<'_>, names: [&'static str; N]) -> Result<[Value; N]> {
    let mut found = Vec::with_capacity(names.len());
    for (place, name) in names.into_iter().enumerate() {
        let x = args.need_value(cx, &[name], Some(place))?;
        let x = cx.to_float(x)?;
        found.push(cx.cast(x, ElementType::F32)?);
    }
    let mut dims = Vec::new();
    for &x in &found {
        let of_x = cx.dims_of(x);
        if !of_x.is_empty() && !dims.is_empty() && of_x.len() != dims.len() {
            cx.mixes_batch();
        }
        dims = cx.broadcast_shapes(&dims, &of_x)?;
    }
    for x in &mut found {
        *x = cx.broadcast_to(*x, &dims)?;
    }
    <[Value; N]>::try_from(found).map_err(|_| Error::bug("as many operands as names"))
}

/// Terms of the series and of the continued fractions.
const TERMS: usize = 80;
/// From here on, the quadrature is used, because the series need more terms.
const LARGE: f64 = 80.0;
/// Smaller than every denominator of a continued fraction.
const TINY: f64 = 1e-30;

/// `x`, or a tiny number instead of 0.
fn not_zero(b: &mut Builder, x: Value) -> Result<Value> {
    let size = b.unary(UnaryOp::Abs, x)?;
    let zero = b.compare_scalar(CompareOp::Lt, size, TINY)?;
    let tiny = b.scalar(b.ty(x).element, TINY)?;
    b.select(zero, tiny, x)
}

/// A step of Lentz's method for a continued fraction: `d = 1 / (1 + a d)`, `c = 1 + a / c`, and the value times both,
/// where 1 may be another number.
fn lentz(b: &mut Builder, [value, c, d]: [Value; 3], above: Value, below: Value) -> Result<[Value; 3]> {
    let product = b.mul(above, d)?;
    let d = b.add(product, below)?;
    let d = not_zero(b, d)?;
    let ratio = b.div(above, c)?;
    let c = b.add(ratio, below)?;
    let c = not_zero(b, c)?;
    let one = b.scalar(b.ty(d).element, 1.0)?;
    let d = b.div(one, d)?;
    let factor = b.mul(c, d)?;
    Ok([b.mul(value, factor)?, c, d])
}

/// The sum of `x^k / ((a + 1) .. (a + k))`, for `x` up to about `a`.
fn series(cx: &mut LowerCx<'_>, a: Value, x: Value) -> Result<Value> {
    let dims = cx.dims_of(x);
    let one = cx.full(ElementType::F32, &dims, 1.0)?;
    let length = cx.number(TERMS);
    let steps = cx.iota(0, &[length], ElementType::F32)?;
    let carries = [one, one];
    let over = Loop { carries: &carries, sequences: &[steps], invariants: &[a, x], length, axis: 0, reverse: false };
    let (finals, _) = cx.scan(over, |b, carries, elements, fixed| {
        let place = b.binary_scalar(BinaryOp::Add, elements[0], 1.0)?;
        let below = b.add(fixed[0], place)?;
        let ratio = b.div(fixed[1], below)?;
        let term = b.mul(carries[1], ratio)?;
        Ok((vec![b.add(carries[0], term)?, term], Vec::new()))
    })?;
    Ok(finals[0])
}

/// The continued fraction of the upper function, for `x` from about `a` on.
fn continued(cx: &mut LowerCx<'_>, a: Value, x: Value) -> Result<Value> {
    let dims = cx.dims_of(x);
    let less = cx.sub(x, a)?;
    let first = cx.binary_scalar(BinaryOp::Add, less, 1.0)?;
    let one = cx.scalar(ElementType::F32, 1.0)?;
    let d = cx.div(one, first)?;
    let c = cx.full(ElementType::F32, &dims, 1.0 / TINY)?;
    let length = cx.number(TERMS);
    let steps = cx.iota(0, &[length], ElementType::F32)?;
    let carries = [d, c, d];
    let over =
        Loop { carries: &carries, sequences: &[steps], invariants: &[a, first], length, axis: 0, reverse: false };
    let (finals, _) = cx.scan(over, |b, carries, elements, fixed| {
        let place = b.binary_scalar(BinaryOp::Add, elements[0], 1.0)?;
        let rest = b.sub(fixed[0], place)?;
        let above = b.mul(rest, place)?;
        let double = b.binary_scalar(BinaryOp::Mul, place, 2.0)?;
        let below = b.add(fixed[1], double)?;
        Ok((lentz(b, [carries[0], carries[1], carries[2]], above, below)?.to_vec(), Vec::new()))
    })?;
    Ok(finals[0])
}

/// `log(1 + x) - x`, exact near 0.
fn log_less(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    const NEAR: f64 = 0.25;
    let near = {
        let x = cx.binary_scalar(BinaryOp::Max, x, -NEAR)?;
        let x = cx.binary_scalar(BinaryOp::Min, x, NEAR)?;
        // -x^2 (1 / 2 - x / 3 + x^2 / 4 ..)
        let series: Vec<f64> = (2..14).rev().map(|k| if k % 2 == 0 { -1.0 } else { 1.0 } / f64::from(k)).collect();
        let sum = polynomial(cx, x, &series)?;
        let square = cx.mul(x, x)?;
        cx.mul(square, sum)?
    };
    let log = cx.unary(UnaryOp::Log1p, x)?;
    let far = cx.sub(log, x)?;
    let size = cx.unary(UnaryOp::Abs, x)?;
    let is_near = cx.compare_scalar(CompareOp::Lt, size, NEAR)?;
    cx.select(is_near, near, far)
}

/// `x^a exp(-x) / gamma(a)`. By Stirling's formula for all but small `a`, so that large numbers do not cancel.
fn density(cx: &mut LowerCx<'_>, a: Value, x: Value) -> Result<Value> {
    const EDGE: f64 = 8.0;
    let small = {
        let log = cx.unary(UnaryOp::Log, x)?;
        let power = cx.mul(a, log)?;
        let exponent = cx.sub(power, x)?;
        let of_a = lgamma(cx, a)?;
        let exponent = cx.sub(exponent, of_a)?;
        cx.unary(UnaryOp::Exp, exponent)?
    };
    let large = {
        let a = cx.binary_scalar(BinaryOp::Max, a, EDGE)?;
        let less = cx.sub(x, a)?;
        let share = cx.div(less, a)?;
        let share = cx.binary_scalar(BinaryOp::Max, share, -1.0)?;
        let difference = log_less(cx, share)?;
        let exponent = cx.mul(difference, a)?;
        // 1 / 12 a - 1 / 360 a^3
        let one = cx.scalar(ElementType::F32, 1.0)?;
        let inverse = cx.div(one, a)?;
        let square = cx.mul(inverse, inverse)?;
        let correction = polynomial(cx, square, &[-1.0 / 360.0, 1.0 / 12.0])?;
        let correction = cx.mul(correction, inverse)?;
        let exponent = cx.sub(exponent, correction)?;
        let power = cx.unary(UnaryOp::Exp, exponent)?;
        let scale = cx.binary_scalar(BinaryOp::Mul, a, 0.5 / PI)?;
        let scale = cx.unary(UnaryOp::Sqrt, scale)?;
        cx.mul(power, scale)?
    };
    let is_small = cx.compare_scalar(CompareOp::Lt, a, EDGE)?;
    cx.select(is_small, small, large)
}

/// Places and weights of the Gauss-Legendre quadrature of 18 places between 0 and 1.
const PLACES: [f64; 18] = [
    0.004_217_415_789_534_551,
    0.022_088_025_214_301_088,
    0.053_698_766_751_222_15,
    0.098_147_520_513_738_43,
    0.154_156_478_469_823_4,
    0.220_114_584_463_026_23,
    0.294_124_419_268_578_7,
    0.374_056_887_154_247_23,
    0.457_612_493_479_132_35,
    0.542_387_506_520_867_6,
    0.625_943_112_845_752_8,
    0.705_875_580_731_421_3,
    0.779_885_415_536_973_8,
    0.845_843_521_530_176_6,
    0.901_852_479_486_261_6,
    0.946_301_233_248_777_9,
    0.977_911_974_785_698_9,
    0.995_782_584_210_465_5,
];
const WEIGHTS: [f64; 18] = [
    0.010_808_006_763_242_065,
    0.024_857_274_447_484_61,
    0.038_212_865_127_444_62,
    0.050_471_022_053_143_494,
    0.061_277_603_355_739_18,
    0.070_321_457_335_325_31,
    0.077_342_337_563_132_61,
    0.082_138_241_872_916_36,
    0.084_571_191_481_571_81,
    0.084_571_191_481_571_81,
    0.082_138_241_872_916_36,
    0.077_342_337_563_132_61,
    0.070_321_457_335_325_31,
    0.061_277_603_355_739_18,
    0.050_471_022_053_143_494,
    0.038_212_865_127_444_62,
    0.024_857_274_447_484_61,
    0.010_808_006_763_242_065,
];

/// A vector of constants.
fn constants(cx: &mut LowerCx<'_>, numbers: &[f64]) -> Result<Value> {
    cx.constant(Array::new(ElementType::F32, [numbers.len()], Data::Float(numbers.to_vec()))?)
}

/// The lower and the upper function for large `a`: the integral of the density between `x` and where it vanishes, with
/// its factor by Stirling's formula.
fn of_large(cx: &mut LowerCx<'_>, a: Value, x: Value) -> Result<[Value; 2]> {
    let a = cx.binary_scalar(BinaryOp::Sub, a, 1.0)?;
    let root = cx.unary(UnaryOp::Sqrt, a)?;
    let less = cx.sub(x, a)?;
    let is_above = cx.compare_scalar(CompareOp::Gt, less, 0.0)?;
    let mut end = |of_mean: f64, of_x: f64, op: BinaryOp| {
        let (near, far) =
            (cx.binary_scalar(BinaryOp::Mul, root, of_mean)?, cx.binary_scalar(BinaryOp::Mul, root, of_x)?);
        let far = cx.add(less, far)?;
        cx.binary(op, near, far)
    };
    // Counted from the mean.
    let (high, low) = (end(11.5, 6.0, BinaryOp::Max)?, end(-7.5, -5.0, BinaryOp::Min)?);
    let negative = cx.unary(UnaryOp::Neg, a)?;
    let low = cx.binary(BinaryOp::Max, low, negative)?;
    let end = cx.select(is_above, high, low)?;
    let width = cx.sub(end, less)?;
    let last = cx.ty(x).rank();
    let (places, weights) = (constants(cx, &PLACES)?, constants(cx, &WEIGHTS)?);
    let (from, step) = (cx.insert_axis(less, last)?, cx.insert_axis(width, last)?);
    let mean = cx.insert_axis(a, last)?;
    let way = cx.mul(step, places)?;
    let place = cx.add(from, way)?;
    let share = cx.div(place, mean)?;
    // Not below 0 by rounding.
    let share = cx.binary_scalar(BinaryOp::Max, share, -1.0)?;
    let difference = log_less(cx, share)?;
    let exponent = cx.mul(difference, mean)?;
    let density = cx.unary(UnaryOp::Exp, exponent)?;
    let density = cx.mul(density, weights)?;
    let sum = cx.reduce(ReduceOp::Sum, density, &[last], true)?;
    let sum = without_axes(cx, sum, &[last], false)?;
    let area = cx.mul(sum, width)?;
    let whole = cx.binary_scalar(BinaryOp::Mul, a, 2.0 * PI)?;
    let scale = cx.unary(UnaryOp::Rsqrt, whole)?;
    let area = cx.mul(area, scale)?;
    let correction = cx.scalar(ElementType::F32, -1.0 / 12.0)?;
    let correction = cx.div(correction, a)?;
    let correction = cx.unary(UnaryOp::Exp, correction)?;
    let area = cx.mul(area, correction)?;
    // Above the mean this is the upper function, below it the negative of the lower one.
    let one = cx.scalar(ElementType::F32, 1.0)?;
    let negative = cx.unary(UnaryOp::Neg, area)?;
    let (rest, more) = (cx.sub(one, area)?, cx.add(one, area)?);
    Ok([cx.select(is_above, rest, negative)?, cx.select(is_above, area, more)?])
}

/// The lower or the upper incomplete gamma function.
fn incomplete_gamma(cx: &mut LowerCx<'_>, [a, x]: [Value; 2], upper: bool) -> Result<Value> {
    let one = cx.scalar(ElementType::F32, 1.0)?;
    let factor = density(cx, a, x)?;
    let lower = {
        let sum = series(cx, a, x)?;
        let product = cx.mul(sum, factor)?;
        cx.div(product, a)?
    };
    let higher = {
        let fraction = continued(cx, a, x)?;
        cx.mul(fraction, factor)?
    };
    let (below_one, below_a) = (cx.compare_scalar(CompareOp::Lt, x, 1.0)?, cx.compare(CompareOp::Lt, x, a)?);
    let by_series = cx.binary(BinaryOp::Or, below_one, below_a)?;
    let large_a = cx.binary_scalar(BinaryOp::Max, a, LARGE)?;
    let [large_lower, large_upper] = of_large(cx, large_a, x)?;
    let is_large = cx.compare_scalar(CompareOp::Ge, a, LARGE)?;
    let (near, large, limit) = if upper {
        let rest = cx.sub(one, lower)?;
        (cx.select(by_series, rest, higher)?, large_upper, 0.0)
    } else {
        let rest = cx.sub(one, higher)?;
        (cx.select(by_series, lower, rest)?, large_lower, 1.0)
    };
    let value = cx.select(is_large, large, near)?;
    // The limits: all of the integral for an infinite `x`, nothing of it for 0 or an infinite `a`.
    let end = cx.compare_scalar(CompareOp::Eq, x, f64::INFINITY)?;
    let limit_value = cx.scalar(ElementType::F32, limit)?;
    let value = cx.select(end, limit_value, value)?;
    let (start, endless) =
        (cx.compare_scalar(CompareOp::Eq, x, 0.0)?, cx.compare_scalar(CompareOp::Eq, a, f64::INFINITY)?);
    let nothing = cx.binary(BinaryOp::Or, start, endless)?;
    let nothing_value = cx.scalar(ElementType::F32, 1.0 - limit)?;
    let value = cx.select(nothing, nothing_value, value)?;
    let (above, not_negative) = (cx.compare_scalar(CompareOp::Gt, a, 0.0)?, cx.compare_scalar(CompareOp::Ge, x, 0.0)?);
    let inside = cx.binary(BinaryOp::And, above, not_negative)?;
    where_or(cx, inside, value, f64::NAN)
}

/// The continued fraction of the incomplete beta function, for `x` below about the mean of the distribution.
fn beta_fraction(cx: &mut LowerCx<'_>, a: Value, b: Value, x: Value) -> Result<Value> {
    let dims = cx.dims_of(x);
    let one = cx.full(ElementType::F32, &dims, 1.0)?;
    let sum = cx.add(a, b)?;
    let next = cx.binary_scalar(BinaryOp::Add, a, 1.0)?;
    let d = {
        let product = cx.mul(sum, x)?;
        let ratio = cx.div(product, next)?;
        let rest = cx.sub(one, ratio)?;
        let rest = not_zero(cx, rest)?;
        cx.div(one, rest)?
    };
    let length = cx.number(TERMS);
    let steps = cx.iota(0, &[length], ElementType::F32)?;
    let carries = [d, one, d];
    let over =
        Loop { carries: &carries, sequences: &[steps], invariants: &[a, b, x, sum], length, axis: 0, reverse: false };
    let (finals, _) = cx.scan(over, |builder, carries, elements, fixed| {
        let (&[a, b, x, sum], cx) = (fixed, builder) else { return Err(Error::bug("a fraction without its numbers")) };
        let one = cx.scalar(ElementType::F32, 1.0)?;
        let place = cx.add(elements[0], one)?;
        let double = cx.add(place, place)?;
        let end = cx.add(a, double)?;
        let (before, after) = (cx.sub(end, one)?, cx.add(end, one)?);
        // m (b - m) x / ((a + 2 m - 1) (a + 2 m))
        let rest = cx.sub(b, place)?;
        let even = cx.mul(rest, place)?;
        let even = cx.mul(even, x)?;
        let even = cx.div(even, before)?;
        let even = cx.div(even, end)?;
        // -(a + m) (a + b + m) x / ((a + 2 m) (a + 2 m + 1))
        let (of_a, of_both) = (cx.add(a, place)?, cx.add(sum, place)?);
        let odd = cx.mul(of_a, x)?;
        let odd = cx.div(odd, end)?;
        let odd = cx.mul(odd, of_both)?;
        let odd = cx.div(odd, after)?;
        let odd = cx.unary(UnaryOp::Neg, odd)?;
        let step = lentz(cx, [carries[0], carries[1], carries[2]], even, one)?;
        Ok((lentz(cx, step, odd, one)?.to_vec(), Vec::new()))
    })?;
    Ok(finals[0])
}

fn incomplete_beta(cx: &mut LowerCx<'_>, [a, b, x]: [Value; 3]) -> Result<Value> {
    let one = cx.scalar(ElementType::F32, 1.0)?;
    let rest = cx.sub(one, x)?;
    let mean = {
        let above = cx.binary_scalar(BinaryOp::Add, a, 1.0)?;
        let sum = cx.add(above, b)?;
        let below = cx.binary_scalar(BinaryOp::Add, sum, 1.0)?;
        cx.div(above, below)?
    };
    // Above the mean, the other end is computed.
    let turned = cx.compare(CompareOp::Ge, x, mean)?;
    let (first, second) = (cx.select(turned, b, a)?, cx.select(turned, a, b)?);
    let place = cx.select(turned, rest, x)?;
    let factor = {
        let (low, high) = (cx.unary(UnaryOp::Log, x)?, cx.unary(UnaryOp::Neg, x)?);
        let high = cx.unary(UnaryOp::Log1p, high)?;
        let (of_a, of_b) = (cx.mul(a, low)?, cx.mul(b, high)?);
        let powers = cx.add(of_a, of_b)?;
        let sum = cx.add(a, b)?;
        let (all, of_a, of_b) = (lgamma(cx, sum)?, lgamma(cx, a)?, lgamma(cx, b)?);
        let more = cx.sub(all, of_a)?;
        let more = cx.sub(more, of_b)?;
        let exponent = cx.add(powers, more)?;
        cx.unary(UnaryOp::Exp, exponent)?
    };
    let fraction = beta_fraction(cx, first, second, place)?;
    let value = cx.mul(factor, fraction)?;
    let value = cx.div(value, first)?;
    let other = cx.sub(one, value)?;
    let value = cx.select(turned, other, value)?;
    // At the ends, the value is that of `x`.
    let (first, last) = (cx.compare_scalar(CompareOp::Eq, x, 0.0)?, cx.compare_scalar(CompareOp::Eq, x, 1.0)?);
    let at_end = cx.binary(BinaryOp::Or, first, last)?;
    let value = cx.select(at_end, x, value)?;
    let mut inside = cx.compare_scalar(CompareOp::Ge, x, 0.0)?;
    for (number, op, edge) in [(x, CompareOp::Le, 1.0), (a, CompareOp::Gt, 0.0), (b, CompareOp::Gt, 0.0)] {
        let more = cx.compare_scalar(op, number, edge)?;
        inside = cx.binary(BinaryOp::And, inside, more)?;
    }
    where_or(cx, inside, value, f64::NAN)
}

/// Terms of the sum that are added one by one.
const SUMMED: usize = 10;
/// The coefficients of the Euler-Maclaurin formula for the others.
const TAIL: [f64; 6] =
    [1.0 / 12.0, -1.0 / 720.0, 1.0 / 30_240.0, -1.0 / 1_209_600.0, 1.0 / 47_900_160.0, -5.284_190_138_687_493e-10];

/// `zeta(x, q)` for `x > 1` and `q > 0`.
fn zeta_of_positive(cx: &mut LowerCx<'_>, x: Value, q: Value) -> Result<Value> {
    let negative = cx.unary(UnaryOp::Neg, x)?;
    let mut sum = cx.binary(BinaryOp::Pow, q, negative)?;
    for k in 1..SUMMED {
        let base = cx.binary_scalar(BinaryOp::Add, q, k as f64)?;
        let term = cx.binary(BinaryOp::Pow, base, negative)?;
        sum = cx.add(sum, term)?;
    }
    let base = cx.binary_scalar(BinaryOp::Add, q, SUMMED as f64)?;
    let term = cx.binary(BinaryOp::Pow, base, negative)?;
    let less = cx.binary_scalar(BinaryOp::Sub, x, 1.0)?;
    let share = cx.div(base, less)?;
    let share = cx.binary_scalar(BinaryOp::Add, share, 0.5)?;
    let mut rest = cx.mul(term, share)?;
    // x (x + 1) .. (x + 2 j) / base^(2 j + 1)
    let mut power = cx.mul(term, x)?;
    power = cx.div(power, base)?;
    for (j, &c) in TAIL.iter().enumerate() {
        if j > 0 {
            for more in [2 * j - 1, 2 * j] {
                let factor = cx.binary_scalar(BinaryOp::Add, x, more as f64)?;
                let factor = cx.div(factor, base)?;
                power = cx.mul(power, factor)?;
            }
        }
        let part = cx.binary_scalar(BinaryOp::Mul, power, c)?;
        rest = cx.add(rest, part)?;
    }
    // Terms of an infinite base are 0.
    let nothing = cx.compare_scalar(CompareOp::Eq, term, 0.0)?;
    let sum_of_all = cx.add(sum, rest)?;
    cx.select(nothing, sum, sum_of_all)
}

/// Whether each number is whole, and whether it is even.
fn whole_and_even(cx: &mut LowerCx<'_>, x: Value) -> Result<(Value, Value)> {
    let floor = cx.unary(UnaryOp::Floor, x)?;
    let whole = cx.compare(CompareOp::Eq, x, floor)?;
    let rest = cx.binary_scalar(BinaryOp::Mod, x, 2.0)?;
    Ok((whole, cx.compare_scalar(CompareOp::Eq, rest, 0.0)?))
}

/// `zeta(x, q)`. For negative `q` and whole `x`, the terms of negative numbers are those of two other sums.
fn zeta(cx: &mut LowerCx<'_>, [x, q]: [Value; 2]) -> Result<Value> {
    let floor = cx.unary(UnaryOp::Floor, q)?;
    let part = cx.sub(q, floor)?;
    let below = cx.compare_scalar(CompareOp::Lt, q, 0.0)?;
    let one = cx.scalar(ElementType::F32, 1.0)?;
    let first = cx.select(below, part, q)?;
    // What is not selected must not be NaN, because its gradient would be.
    let exponent_above = cx.compare_scalar(CompareOp::Gt, x, 1.0)?;
    let exponent = where_or(cx, exponent_above, x, 2.0)?;
    let positive = zeta_of_positive(cx, exponent, first)?;
    let (rest, mirrored) = (cx.sub(one, part)?, cx.sub(one, q)?);
    let (rest, mirrored) = (cx.select(below, rest, one)?, cx.select(below, mirrored, one)?);
    let (all, others) = (zeta_of_positive(cx, exponent, rest)?, zeta_of_positive(cx, exponent, mirrored)?);
    let difference = cx.sub(all, others)?;
    let (whole, even) = whole_and_even(cx, x)?;
    let (plus, minus) = (cx.add(positive, difference)?, cx.sub(positive, difference)?);
    let reflected = cx.select(even, plus, minus)?;
    let value = cx.select(below, reflected, positive)?;
    let nothing = cx.scalar(ElementType::F32, f64::NAN)?;
    let pole = cx.scalar(ElementType::F32, f64::INFINITY)?;
    let not_whole = cx.unary(UnaryOp::Not, whole)?;
    let undefined = cx.binary(BinaryOp::And, below, not_whole)?;
    let value = cx.select(undefined, nothing, value)?;
    // At 0 and below, whole numbers are poles, which are symmetric for even `x`.
    let (at_whole, not_above) = (cx.compare(CompareOp::Eq, q, floor)?, cx.compare_scalar(CompareOp::Le, q, 0.0)?);
    let at_pole = cx.binary(BinaryOp::And, at_whole, not_above)?;
    let side = cx.binary(BinaryOp::And, whole, even)?;
    let of_pole = cx.select(side, pole, nothing)?;
    let value = cx.select(at_pole, of_pole, value)?;
    let (at_one, above) = (cx.compare_scalar(CompareOp::Eq, x, 1.0)?, cx.compare_scalar(CompareOp::Ge, x, 1.0)?);
    let value = cx.select(at_one, pole, value)?;
    where_or(cx, above, value, f64::NAN)
}

/// `(-1)^(n + 1) n! zeta(n + 1, x)`, for whole `n`; the digamma function for 0.
fn polygamma(cx: &mut LowerCx<'_>, [n, x]: [Value; 2]) -> Result<Value> {
    let next = cx.binary_scalar(BinaryOp::Add, n, 1.0)?;
    let log = lgamma(cx, next)?;
    let factorial = cx.unary(UnaryOp::Exp, log)?;
    let sum = zeta(cx, [next, x])?;
    let size = cx.mul(factorial, sum)?;
    let negative = cx.unary(UnaryOp::Neg, size)?;
    let (whole, even) = whole_and_even(cx, n)?;
    let value = cx.select(even, negative, size)?;
    let first = digamma(cx, x)?;
    let is_first = cx.compare_scalar(CompareOp::Eq, n, 0.0)?;
    let value = cx.select(is_first, first, value)?;
    let not_negative = cx.compare_scalar(CompareOp::Ge, n, 0.0)?;
    let inside = cx.binary(BinaryOp::And, whole, not_negative)?;
    where_or(cx, inside, value, f64::NAN)
}

impl LayerDef for Gamma {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use GammaKind as K;
        let args = Args::new(&self.params, call);
        let value = match self.kind {
            K::Lower | K::Upper => {
                let operands = operands(cx, &args, ["a", "x"])?;
                incomplete_gamma(cx, operands, self.kind == K::Upper)?
            }
            K::Beta => {
                let operands = operands(cx, &args, ["a", "b", "x"])?;
                incomplete_beta(cx, operands)?
            }
            K::Zeta => {
                let operands = operands(cx, &args, ["x", "q"])?;
                zeta(cx, operands)?
            }
            K::Polygamma => {
                let operands = operands(cx, &args, ["a", "x"])?;
                polygamma(cx, operands)?
            }
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
        check("Igamma", json!({}), json!(["f:?,3"]), json!({"x": "f:3"}), "float32[?,3]");
        check("Igammac", json!({}), json!([2.5]), json!({"x": "f:?,3"}), "float32[?,3]");
        check("Betainc", json!({}), json!([2, 0.5, "f:?,3"]), json!({}), "float32[?,3]");
        check("Zeta", json!({}), json!(["f:?,1", "f:?,3"]), json!({}), "float32[?,3]");
        check("Polygamma", json!({}), json!([1, "f:?,3"]), json!({}), "float32[?,3]");
    }

    #[test]
    fn refuses() {
        refused("Igamma", json!(["f:?,3"]), "missing `x`");
        refused("Zeta", json!(["f:?,3", "f:?,4"]), "shapes [?,3] and [?,4] do not broadcast");
    }
}
