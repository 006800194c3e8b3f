//! Resampling of an axis of images: how each output is computed from the elements of the axis.
//!
//! Output `o` of `outputs` is at position `(o + 0.5) * inputs / outputs - 0.5` among the `inputs` elements. Positions
//! are computed in single precision, as in TensorFlow, because rounding decides which neighbour is the nearest.
//!
//! Reference: <https://www.tensorflow.org/api_docs/python/tf/image/resize>.

use crate::lower::LowerCx;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// The interpolation of new elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Interpolation {
    /// The nearest element.
    Nearest,
    /// Linear between the two nearest.
    Bilinear,
    /// Linear between the two nearest, with output `o` at `o * inputs / outputs`: TensorFlow.js.
    BilinearFromCorner,
    /// Keys's cubic over the four nearest.
    Bicubic,
    /// The mean of the elements that an output covers.
    Area,
    /// A Lanczos window over 6 elements.
    Lanczos3,
    /// A Lanczos window over 10 elements.
    Lanczos5,
    /// A Gaussian over 3 elements.
    Gaussian,
    /// Mitchell and Netravali's cubic over the four nearest.
    MitchellCubic,
}

impl Interpolation {
    /// The interpolation with this name in Keras.
    pub fn of_name(name: &str) -> Option<Self> {
        Some(match name.to_lowercase().as_str() {
            "nearest" => Interpolation::Nearest,
            "bilinear" => Interpolation::Bilinear,
            "bicubic" => Interpolation::Bicubic,
            "area" => Interpolation::Area,
            "lanczos3" => Interpolation::Lanczos3,
            "lanczos5" => Interpolation::Lanczos5,
            "gaussian" => Interpolation::Gaussian,
            "mitchellcubic" => Interpolation::MitchellCubic,
            _ => return None,
        })
    }

    /// Whether it changes an axis that keeps its length.
    fn spreads(self) -> bool {
        matches!(self, Interpolation::Gaussian | Interpolation::MitchellCubic)
    }
}

/// The positions of the outputs of an axis, in TensorFlow 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grid {
    /// Output `o` at `(o + 0.5) * inputs / outputs - 0.5`: as in TensorFlow 2.
    Middles,
    /// Output `o` at `o * inputs / outputs`.
    Corner,
    /// The first output at the first input, the last at the last.
    Corners,
}

/// Resizes an axis to `outputs` elements by the rules of TensorFlow 1.
///
/// # Errors
/// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for an interpolation that TensorFlow 1 lacks.
pub(crate) fn resize_old(
    cx: &mut LowerCx<'_>,
    x: Value,
    axis: usize,
    outputs: Dim,
    how: Interpolation,
    grid: Grid,
) -> Result<Value> {
    let inputs = cx.dims_of(x)[axis];
    if grid == Grid::Middles {
        return resize(cx, x, axis, outputs, how, false);
    }
    if inputs == outputs {
        return Ok(x);
    }
    let scale = match grid {
        Grid::Corners if outputs != Dim::ONE => {
            let (inputs, outputs) = (cx.dims().sub(inputs, Dim::ONE)?, cx.dims().sub(outputs, Dim::ONE)?);
            let outputs = cx.dims().max(outputs, Dim::ONE)?;
            ratio(cx, inputs, outputs)?
        }
        _ => ratio(cx, inputs, outputs)?,
    };
    match how {
        Interpolation::Nearest => {
            let at = cx.iota(0, &[outputs], ElementType::F32)?;
            let mut at = cx.mul(at, scale)?;
            if grid == Grid::Corners {
                at = cx.binary_scalar(BinaryOp::Add, at, 0.5)?;
            }
            let at = cx.unary(UnaryOp::Floor, at)?;
            let at = cx.cast(at, ElementType::I64)?;
            cx.gather(x, at, axis, Bounds::Clamp)
        }
        Interpolation::Bilinear => {
            let at = cx.iota(0, &[outputs], ElementType::F32)?;
            let at = cx.mul(at, scale)?;
            between_at(cx, x, axis, at)
        }
        Interpolation::Bicubic => {
            let weights = old_bicubic(cx, inputs, outputs, scale)?;
            weigh(cx, x, axis, weights)
        }
        Interpolation::Area => {
            let weights = area(cx, inputs, outputs, scale)?;
            weigh(cx, x, axis, weights)
        }
        other => Err(Error::unsupported(format!("TensorFlow 1 has no interpolation {other:?}"))),
    }
}

/// Resizes an axis to `outputs` elements. With `antialias`, each output of a shorter axis is computed from all the
/// elements it covers.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for text, except with nearest interpolation.
pub(crate) fn resize(
    cx: &mut LowerCx<'_>,
    x: Value,
    axis: usize,
    outputs: Dim,
    how: Interpolation,
    antialias: bool,
) -> Result<Value> {
    let inputs = cx.dims_of(x)[axis];
    if inputs == outputs && !how.spreads() {
        return Ok(x);
    }
    match how {
        Interpolation::Nearest => nearest(cx, x, axis, outputs),
        Interpolation::BilinearFromCorner => between(cx, x, axis, outputs, 0.0),
        Interpolation::Bilinear if !antialias => between(cx, x, axis, outputs, 0.5),
        Interpolation::Bicubic if !antialias => {
            let weights = bicubic(cx, inputs, outputs)?;
            weigh(cx, x, axis, weights)
        }
        Interpolation::Area => {
            let scale = ratio(cx, inputs, outputs)?;
            let weights = area(cx, inputs, outputs, scale)?;
            weigh(cx, x, axis, weights)
        }
        _ => {
            let weights = scaled(cx, inputs, outputs, how, antialias)?;
            weigh(cx, x, axis, weights)
        }
    }
}

/// Resamples an axis so that each output is a weighted sum: `weights [outputs, inputs]`.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for text.
pub(crate) fn weigh(cx: &mut LowerCx<'_>, x: Value, axis: usize, weights: Value) -> Result<Value> {
    let x = cx.to_float(x)?;
    let weights = cx.cast_like(weights, x)?;
    let last = cx.ty(x).rank() - 1;
    let sums = cx.dot(x, weights, &[], &[(axis, 1)])?;
    let order: Vec<usize> = (0..axis).chain([last]).chain(axis..last).collect();
    cx.transpose(sums, &order)
}

/// The element that contains the position `(o + 0.5) * inputs / outputs` of output `o`.
fn nearest(cx: &mut LowerCx<'_>, x: Value, axis: usize, outputs: Dim) -> Result<Value> {
    let inputs = cx.dims_of(x)[axis];
    let scale = ratio(cx, inputs, outputs)?;
    let at = middles(cx, &[outputs], scale)?;
    let at = cx.unary(UnaryOp::Floor, at)?;
    let at = cx.cast(at, ElementType::I64)?;
    cx.gather(x, at, axis, Bounds::Clamp)
}

/// Linear interpolation, with output `o` at `(o + center) * inputs / outputs - center`.
fn between(cx: &mut LowerCx<'_>, x: Value, axis: usize, outputs: Dim, center: f64) -> Result<Value> {
    let inputs = cx.dims_of(x)[axis];
    let scale = ratio(cx, inputs, outputs)?;
    let at = if center == 0.0 {
        let at = cx.iota(0, &[outputs], ElementType::F32)?;
        cx.mul(at, scale)?
    } else {
        let at = middles(cx, &[outputs], scale)?;
        let at = cx.binary_scalar(BinaryOp::Sub, at, center)?;
        cx.binary_scalar(BinaryOp::Max, at, 0.0)?
    };
    between_at(cx, x, axis, at)
}

/// Linear interpolation at positions that are at least 0.
fn between_at(cx: &mut LowerCx<'_>, x: Value, axis: usize, at: Value) -> Result<Value> {
    let x = cx.to_float(x)?;
    let (inputs, outputs) = (cx.dims_of(x)[axis], cx.dims_of(at)[0]);
    let last = cx.dims().sub(inputs, Dim::ONE)?;
    let last = cx.size(last, ElementType::I64)?;
    let below = cx.unary(UnaryOp::Floor, at)?;
    let below = cx.cast(below, ElementType::I64)?;
    let below = cx.binary(BinaryOp::Min, below, last)?;
    let above = cx.binary_scalar(BinaryOp::Add, below, 1.0)?;
    let above = cx.binary(BinaryOp::Min, above, last)?;
    let start = cx.cast(below, ElementType::F32)?;
    let distance = cx.sub(at, start)?;
    let low = cx.gather(x, below, axis, Bounds::Clamp)?;
    let high = cx.gather(x, above, axis, Bounds::Clamp)?;
    let mut dims = vec![outputs];
    dims.resize(cx.ty(x).rank() - axis, Dim::ONE);
    let distance = cx.reshape(distance, &dims)?;
    let distance = cx.cast_like(distance, x)?;
    let step = cx.sub(high, low)?;
    let step = cx.mul(step, distance)?;
    cx.add(low, step)
}

/// `a / b`.
fn ratio(cx: &mut LowerCx<'_>, a: Dim, b: Dim) -> Result<Value> {
    let [a, b] = [a, b].map(|dim| cx.size(dim, ElementType::I64).and_then(|size| cx.cast(size, ElementType::F32)));
    cx.div(a?, b?)
}

/// The centres of the outputs among the inputs, `(o + 0.5) * scale`, along the first of these axes.
fn middles(cx: &mut LowerCx<'_>, dims: &[Dim], scale: Value) -> Result<Value> {
    let at = cx.iota(0, dims, ElementType::F32)?;
    let at = cx.binary_scalar(BinaryOp::Add, at, 0.5)?;
    cx.mul(at, scale)
}

/// The positions of the inputs, `[1, inputs]`.
fn positions(cx: &mut LowerCx<'_>, inputs: Dim) -> Result<Value> {
    cx.iota(1, &[Dim::ONE, inputs], ElementType::F32)
}

/// The weights of the cubic. TensorFlow reads it from a table with 1024 entries for each element.
fn bicubic(cx: &mut LowerCx<'_>, inputs: Dim, outputs: Dim) -> Result<Value> {
    const ENTRIES: f64 = 1024.0;
    let scale = ratio(cx, inputs, outputs)?;
    let at = middles(cx, &[outputs, Dim::ONE], scale)?;
    let at = cx.binary_scalar(BinaryOp::Sub, at, 0.5)?;
    let whole = cx.unary(UnaryOp::Floor, at)?;
    let rest = cx.sub(at, whole)?;
    let rest = cx.binary_scalar(BinaryOp::Mul, rest, ENTRIES)?;
    let rest = cx.unary(UnaryOp::RoundEven, rest)?;
    let rest = cx.binary_scalar(BinaryOp::Div, rest, ENTRIES)?;
    let at = cx.add(whole, rest)?;
    let position = positions(cx, inputs)?;
    let distance = cx.sub(position, at)?;
    let distance = cx.unary(UnaryOp::Abs, distance)?;
    let weights = cubic(cx, distance, KEYS)?;
    normalized(cx, weights)
}

/// As [`bicubic`], for outputs at `o * scale`; positions outside use the nearest input.
fn old_bicubic(cx: &mut LowerCx<'_>, inputs: Dim, outputs: Dim, scale: Value) -> Result<Value> {
    const ENTRIES: f64 = 1024.0;
    let at = cx.iota(0, &[outputs], ElementType::F32)?;
    let at = cx.mul(at, scale)?;
    let whole = cx.unary(UnaryOp::Floor, at)?;
    let rest = cx.sub(at, whole)?;
    let rest = cx.binary_scalar(BinaryOp::Mul, rest, ENTRIES)?;
    let rest = cx.unary(UnaryOp::RoundEven, rest)?;
    let rest = cx.binary_scalar(BinaryOp::Div, rest, ENTRIES)?;
    let whole = cx.cast(whole, ElementType::I64)?;
    let last = cx.dims().sub(inputs, Dim::ONE)?;
    let last = cx.size(last, ElementType::I64)?;
    let mut total: Option<Value> = None;
    for tap in -1..=2 {
        let place = cx.binary_scalar(BinaryOp::Add, whole, f64::from(tap))?;
        let place = cx.binary(BinaryOp::Min, place, last)?;
        let place = cx.binary_scalar(BinaryOp::Max, place, 0.0)?;
        let distance = cx.binary_scalar(BinaryOp::Sub, rest, f64::from(tap))?;
        let distance = cx.unary(UnaryOp::Abs, distance)?;
        let weight = cubic(cx, distance, STEEP)?;
        let weight = cx.insert_axis(weight, 1)?;
        let row = cx.one_hot(place, inputs, ElementType::F32)?;
        let part = cx.mul(row, weight)?;
        total = Some(match total {
            Some(total) => cx.add(total, part)?,
            None => part,
        });
    }
    total.ok_or_else(|| Error::bug("a cubic without elements"))
}

/// The weights of an axis that is scaled by `scale` and then shifted by `translation`: `[outputs, inputs]`.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn moved(
    cx: &mut LowerCx<'_>,
    inputs: Dim,
    outputs: Dim,
    (scale, translation): (Value, Value),
    how: Interpolation,
    antialias: bool,
) -> Result<Value> {
    let one = cx.scalar(ElementType::F32, 1.0)?;
    let step = cx.div(one, scale)?;
    let at = middles(cx, &[outputs, Dim::ONE], step)?;
    let way = cx.mul(translation, step)?;
    let at = cx.sub(at, way)?;
    let at = cx.binary_scalar(BinaryOp::Sub, at, 0.5)?;
    let position = positions(cx, inputs)?;
    let distance = cx.sub(at, position)?;
    let mut distance = cx.unary(UnaryOp::Abs, distance)?;
    if antialias {
        let wider = cx.binary_scalar(BinaryOp::Max, step, 1.0)?;
        distance = cx.div(distance, wider)?;
    }
    let weights = kernel(cx, distance, how)?;
    let total = cx.reduce(ReduceOp::Sum, weights, &[1], true)?;
    let size = cx.unary(UnaryOp::Abs, total)?;
    let counts = cx.compare_scalar(CompareOp::Gt, size, 1000.0 * f64::from(f32::EPSILON))?;
    let divisor = cx.select(counts, total, one)?;
    let weights = cx.div(weights, divisor)?;
    let end = cx.size(inputs, ElementType::I64)?;
    let end = cx.cast(end, ElementType::F32)?;
    let end = cx.binary_scalar(BinaryOp::Sub, end, 0.5)?;
    let (after, before) = (cx.compare_scalar(CompareOp::Ge, at, -0.5)?, cx.compare(CompareOp::Le, at, end)?);
    let inside = cx.binary(BinaryOp::And, after, before)?;
    let inside = cx.binary(BinaryOp::And, inside, counts)?;
    let zero = cx.scalar(ElementType::F32, 0.0)?;
    cx.select(inside, weights, zero)
}

/// The share of each input in an output; the last input extends past the end.
fn area(cx: &mut LowerCx<'_>, inputs: Dim, outputs: Dim, scale: Value) -> Result<Value> {
    let output = cx.iota(0, &[outputs, Dim::ONE], ElementType::F32)?;
    let low = cx.mul(output, scale)?;
    let next = cx.binary_scalar(BinaryOp::Add, output, 1.0)?;
    let high = cx.mul(next, scale)?;
    let input = positions(cx, inputs)?;
    let end = cx.binary_scalar(BinaryOp::Add, input, 1.0)?;
    let total = cx.size(inputs, ElementType::I64)?;
    let total = cx.cast(total, ElementType::F32)?;
    let is_last = cx.compare(CompareOp::Eq, end, total)?;
    let far = cx.scalar(ElementType::F32, f64::INFINITY)?;
    let end = cx.select(is_last, far, end)?;
    let high = cx.binary(BinaryOp::Min, end, high)?;
    let low = cx.binary(BinaryOp::Max, input, low)?;
    let covered = cx.sub(high, low)?;
    let covered = cx.binary_scalar(BinaryOp::Max, covered, 0.0)?;
    cx.div(covered, scale)
}

/// Weights as a function of the distance between the centres of an output and an input.
fn scaled(cx: &mut LowerCx<'_>, inputs: Dim, outputs: Dim, how: Interpolation, antialias: bool) -> Result<Value> {
    let scale = ratio(cx, outputs, inputs)?;
    let one = cx.scalar(ElementType::F32, 1.0)?;
    let scale = cx.div(one, scale)?;
    let at = middles(cx, &[outputs, Dim::ONE], scale)?;
    let position = positions(cx, inputs)?;
    let position = cx.binary_scalar(BinaryOp::Add, position, 0.5)?;
    let distance = cx.sub(position, at)?;
    let mut distance = cx.unary(UnaryOp::Abs, distance)?;
    if antialias {
        let wider = cx.binary_scalar(BinaryOp::Max, scale, 1.0)?;
        distance = cx.div(distance, wider)?;
    }
    let weights = kernel(cx, distance, how)?;
    normalized(cx, weights)
}

/// The weight of an input at a distance.
fn kernel(cx: &mut LowerCx<'_>, distance: Value, how: Interpolation) -> Result<Value> {
    match how {
        Interpolation::Bicubic => cubic(cx, distance, KEYS),
        Interpolation::MitchellCubic => cubic(cx, distance, MITCHELL),
        Interpolation::Lanczos3 => lanczos(cx, distance, 3.0),
        Interpolation::Lanczos5 => lanczos(cx, distance, 5.0),
        Interpolation::Gaussian => gaussian(cx, distance),
        _ => {
            let one = cx.scalar(ElementType::F32, 1.0)?;
            let less = cx.sub(one, distance)?;
            cx.binary_scalar(BinaryOp::Max, less, 0.0)
        }
    }
}

/// Scales the weights of each output to a sum of 1.
fn normalized(cx: &mut LowerCx<'_>, weights: Value) -> Result<Value> {
    let total = cx.reduce(ReduceOp::Sum, weights, &[1], true)?;
    cx.div(weights, total)
}

/// The coefficients of the cube, the square, the distance and 1, for distances up to 1 and from 1 to 2.
type Cubic = [[f64; 4]; 2];

/// The cubic of TensorFlow 1, which is steeper.
const STEEP: Cubic = [[1.25, -2.25, 0.0, 1.0], [-0.75, 3.75, -6.0, 3.0]];
const KEYS: Cubic = [[1.5, -2.5, 0.0, 1.0], [-0.5, 2.5, -4.0, 2.0]];
const MITCHELL: Cubic = [[7.0 / 6.0, -2.0, 0.0, 8.0 / 9.0], [-7.0 / 18.0, 2.0, -10.0 / 3.0, 16.0 / 9.0]];

fn cubic(cx: &mut LowerCx<'_>, distance: Value, [near, far]: Cubic) -> Result<Value> {
    let polynomial = |cx: &mut LowerCx<'_>, factors: [f64; 4]| {
        let mut value = cx.binary_scalar(BinaryOp::Mul, distance, factors[0])?;
        for &factor in &factors[1..3] {
            value = cx.binary_scalar(BinaryOp::Add, value, factor)?;
            value = cx.mul(value, distance)?;
        }
        cx.binary_scalar(BinaryOp::Add, value, factors[3])
    };
    let (near, far) = (polynomial(cx, near)?, polynomial(cx, far)?);
    let far = within(cx, distance, 2.0, far)?;
    let is_near = cx.compare_scalar(CompareOp::Lt, distance, 1.0)?;
    cx.select(is_near, near, far)
}

fn lanczos(cx: &mut LowerCx<'_>, distance: Value, radius: f64) -> Result<Value> {
    use std::f64::consts::PI;
    // The quotient is undefined near 0, where its limit is 1.
    const NEAR: f64 = 1e-3;
    let angle = cx.binary_scalar(BinaryOp::Mul, distance, PI)?;
    let wave = cx.unary(UnaryOp::Sin, angle)?;
    let slow = cx.binary_scalar(BinaryOp::Div, angle, radius)?;
    let window = cx.unary(UnaryOp::Sin, slow)?;
    let above = cx.mul(wave, window)?;
    let above = cx.binary_scalar(BinaryOp::Mul, above, radius)?;
    let below = cx.mul(angle, angle)?;
    let value = cx.div(above, below)?;
    let zero = cx.scalar(ElementType::F32, 0.0)?;
    let outside = cx.compare_scalar(CompareOp::Gt, distance, radius)?;
    let value = cx.select(outside, zero, value)?;
    let one = cx.scalar(ElementType::F32, 1.0)?;
    let near = cx.compare_scalar(CompareOp::Le, distance, NEAR)?;
    cx.select(near, one, value)
}

fn gaussian(cx: &mut LowerCx<'_>, distance: Value) -> Result<Value> {
    const RADIUS: f64 = 1.5;
    const DEVIATION: f64 = RADIUS / 3.0;
    let square = cx.mul(distance, distance)?;
    let exponent = cx.binary_scalar(BinaryOp::Div, square, -2.0 * DEVIATION * DEVIATION)?;
    let value = cx.unary(UnaryOp::Exp, exponent)?;
    within(cx, distance, RADIUS, value)
}

/// The value if the distance is less than the radius, 0 elsewhere.
fn within(cx: &mut LowerCx<'_>, distance: Value, radius: f64, value: Value) -> Result<Value> {
    let zero = cx.scalar(ElementType::F32, 0.0)?;
    let inside = cx.compare_scalar(CompareOp::Lt, distance, radius)?;
    cx.select(inside, value, zero)
}
