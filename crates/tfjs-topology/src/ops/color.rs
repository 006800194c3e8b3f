//! Colors of images: color spaces, brightness, contrast. The channels are the last axis unless `data_format` says
//! otherwise.
//!
//! Reference: `keras.ops.image.rgb_to_grayscale`, `tf.image.adjust_contrast`, and their relatives.

use super::FromOpConfig;
use super::args::{Args, is_integer, over_axis, to_type};
use super::image::format_of;
use super::narrow::Narrow;
use super::params::Params;
use crate::call::Call;
use crate::config::{Config, DataFormat};
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, value_type};
use crate::types::ValueType;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Array, Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// An operation on the colors of images.
#[derive(Clone, Debug, PartialEq)]
pub struct Color {
    /// The operation.
    pub kind: ColorKind,
    /// `data_format`, `contrast_factor`, `delta`, `gamma`, `gain`, `saturation_factor`.
    pub params: Params,
}

/// The operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorKind {
    /// RGB to grayscale.
    ToGray,
    /// Grayscale to RGB, with three equal channels.
    FromGray,
    /// RGB to hue, saturation and value.
    ToHsv,
    /// Hue, saturation and value to RGB.
    FromHsv,
    /// RGB to YUV: luma and two color differences.
    ToYuv,
    /// YUV to RGB.
    FromYuv,
    /// RGB to YIQ, the luma and chroma of NTSC.
    ToYiq,
    /// YIQ to RGB.
    FromYiq,
    /// Normalizes each image to mean 0 and deviation 1.
    Standardize,
    /// Scales the differences from the mean of each channel.
    Contrast,
    /// Adds a number.
    Brightness,
    /// Gamma correction: raises to a power and multiplies.
    Gamma,
    /// Multiplies the saturation.
    Saturation,
    /// Adds to the hue.
    Hue,
    /// Converts the type of pixels.
    Convert,
}

impl FromOpConfig for Color {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use ColorKind as K;
        let kind = match class {
            "RGBToGrayscale" => K::ToGray,
            "GrayscaleToRGB" => K::FromGray,
            "RGBToHSV" => K::ToHsv,
            "HSVToRGB" => K::FromHsv,
            "RGBToYUV" => K::ToYuv,
            "YUVToRGB" => K::FromYuv,
            "RGBToYIQ" => K::ToYiq,
            "YIQToRGB" => K::FromYiq,
            "PerImageStandardization" => K::Standardize,
            "AdjustContrast" => K::Contrast,
            "AdjustBrightness" => K::Brightness,
            "AdjustGamma" => K::Gamma,
            "AdjustSaturation" => K::Saturation,
            "AdjustHue" => K::Hue,
            "ConvertImageDtype" => K::Convert,
            other => return Err(Error::bug(format!("`{other}` is listed as an operation on colors"))),
        };
        Ok(Color { kind, params: Params::read(config) })
    }
}

/// The weights of red, green and blue in the luma.
const GRAY: [f64; 3] = [0.2989, 0.587, 0.114];

/// The matrix from RGB to YUV: a row for each of red, green and blue.
const YUV: [f64; 9] = [0.299, -0.14714119, 0.61497538, 0.587, -0.28886916, -0.51496512, 0.114, 0.43601035, -0.10001026];

/// The matrix from YUV to RGB: a row for each of Y, U and V.
const RGB: [f64; 9] = [1.0, 1.0, 1.0, 0.0, -0.394642334, 2.03206185, 1.13988303, -0.58062185, 0.0];

/// The matrix from RGB to YIQ: a row for each of red, green and blue.
const YIQ: [f64; 9] = [0.299, 0.59590059, 0.2115, 0.587, -0.27455667, -0.52273617, 0.114, -0.32134392, 0.31119955];

/// The matrix from YIQ to RGB: a row for each of Y, I and Q.
const RGB_OF_YIQ: [f64; 9] = [1.0, 1.0, 1.0, 0.95598634, -0.27201283, -1.10674021, 0.6208248, -0.64720424, 1.70423049];

/// The product of the last axis with a matrix.
fn by_matrix(cx: &mut LowerCx<'_>, x: Value, numbers: &[f64], columns: usize) -> Result<Value> {
    let matrix = Array::new(ElementType::F32, &[3, columns][..], tfjs_ir::Data::Float(numbers.to_vec()))?;
    let matrix = cx.constant(matrix)?;
    let matrix = cx.cast_like(matrix, x)?;
    cx.matmul(x, matrix)
}

/// One channel, whose axis is kept.
fn channel(cx: &mut LowerCx<'_>, x: Value, place: usize) -> Result<Value> {
    let start = cx.number(place);
    cx.columns(x, start, Dim::ONE)
}

fn joined(cx: &mut LowerCx<'_>, channels: [Value; 3]) -> Result<Value> {
    let last = cx.ty(channels[0]).rank().saturating_sub(1);
    cx.concat(&channels, last)
}

/// `a / b`, or 0 if `b` is 0.
fn quotient(cx: &mut LowerCx<'_>, a: Value, b: Value) -> Result<Value> {
    let zero = cx.compare_scalar(CompareOp::Eq, b, 0.0)?;
    let (one, nothing) = (cx.scalar_like(b, 1.0)?, cx.scalar_like(b, 0.0)?);
    let divisor = cx.select(zero, one, b)?;
    let quotient = cx.div(a, divisor)?;
    cx.select(zero, nothing, quotient)
}

fn to_hsv(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let last = cx.ty(x).rank() - 1;
    let [r, g, b] = [channel(cx, x, 0)?, channel(cx, x, 1)?, channel(cx, x, 2)?];
    let value = cx.reduce(ReduceOp::Max, x, &[last], true)?;
    let least = cx.reduce(ReduceOp::Min, x, &[last], true)?;
    let range = cx.sub(value, least)?;
    let saturation = quotient(cx, range, value)?;
    let mut hue = None;
    // The largest channel determines the third of the circle that the hue is in; of equal ones red, then green, then
    // blue.
    for (largest, (a, b), third) in [(b, (r, g), 4.0), (g, (b, r), 2.0), (r, (g, b), 0.0)] {
        let difference = cx.sub(a, b)?;
        let part = quotient(cx, difference, range)?;
        let part = cx.binary_scalar(BinaryOp::Add, part, third)?;
        hue = Some(match hue {
            None => part,
            Some(other) => {
                let is_largest = cx.compare(CompareOp::Eq, largest, value)?;
                cx.select(is_largest, part, other)?
            }
        });
    }
    let hue = hue.ok_or_else(|| Error::bug("three channels"))?;
    let hue = cx.binary_scalar(BinaryOp::Div, hue, 6.0)?;
    let hue = cx.binary_scalar(BinaryOp::Mod, hue, 1.0)?;
    let gray = cx.compare_scalar(CompareOp::Le, range, 0.0)?;
    let nothing = cx.scalar_like(hue, 0.0)?;
    let hue = cx.select(gray, nothing, hue)?;
    joined(cx, [hue, saturation, value])
}

fn from_hsv(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let [hue, saturation, value] = [channel(cx, x, 0)?, channel(cx, x, 1)?, channel(cx, x, 2)?];
    let angle = cx.binary_scalar(BinaryOp::Mul, hue, 6.0)?;
    let clip = |cx: &mut LowerCx<'_>, x: Value| {
        let x = cx.binary_scalar(BinaryOp::Max, x, 0.0)?;
        cx.binary_scalar(BinaryOp::Min, x, 1.0)
    };
    let mut channels = [value; 3];
    for (place, (center, sign, offset)) in
        [(3.0, 1.0, -1.0), (2.0, -1.0, 2.0), (4.0, -1.0, 2.0)].into_iter().enumerate()
    {
        let from = cx.binary_scalar(BinaryOp::Sub, angle, center)?;
        let distance = cx.unary(UnaryOp::Abs, from)?;
        let share = cx.binary_scalar(BinaryOp::Mul, distance, sign)?;
        let share = cx.binary_scalar(BinaryOp::Add, share, offset)?;
        let share = clip(cx, share)?;
        // (1 - s + s * share) * v
        let less = cx.binary_scalar(BinaryOp::Sub, share, 1.0)?;
        let part = cx.mul(saturation, less)?;
        let part = cx.binary_scalar(BinaryOp::Add, part, 1.0)?;
        channels[place] = cx.mul(part, value)?;
    }
    joined(cx, channels)
}

/// Mean 0 and deviation 1 over the last three axes; the deviation is at least `1 / sqrt(n)`.
fn standardized(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let rank = cx.ty(x).rank();
    let axes: Vec<usize> = (rank - 3..rank).collect();
    let (mean, variance) = cx.moments(x, &axes)?;
    let deviation = cx.unary(UnaryOp::Sqrt, variance)?;
    let dims = cx.dims_of(x);
    let pixels = cx.dims().product(&dims[rank - 3..])?;
    let pixels = cx.size(pixels, ElementType::I64)?;
    let pixels = cx.cast_like(pixels, x)?;
    let least = cx.unary(UnaryOp::Rsqrt, pixels)?;
    let deviation = cx.binary(BinaryOp::Max, deviation, least)?;
    let difference = cx.sub(x, mean)?;
    cx.div(difference, deviation)
}

impl Color {
    /// Converts the three channels of the last axis.
    fn of_channels(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
        let last = cx.axis(-1, x)?;
        let wanted = if self.kind == ColorKind::FromGray { 1 } else { 3 };
        let (found, shape) = (cx.dims_of(x)[last], cx.shape(x));
        if self.kind == ColorKind::ToGray && found == Dim::ONE && cx.is_keras3() {
            return Ok(x);
        }
        let number = cx.number(wanted);
        if cx.same(found, number).is_none() {
            return Err(Error::malformed(format!("expected {wanted} channels, found shape {shape}")));
        }
        match self.kind {
            ColorKind::ToGray => by_matrix(cx, x, &GRAY, 1),
            ColorKind::ToYuv => by_matrix(cx, x, &YUV, 3),
            ColorKind::FromYuv => by_matrix(cx, x, &RGB, 3),
            ColorKind::ToYiq => by_matrix(cx, x, &YIQ, 3),
            ColorKind::FromYiq => by_matrix(cx, x, &RGB_OF_YIQ, 3),
            ColorKind::FromGray => {
                let mut dims = cx.dims_of(x);
                dims[last] = cx.number(3);
                cx.broadcast_to(x, &dims)
            }
            ColorKind::ToHsv => to_hsv(cx, x),
            ColorKind::FromHsv => from_hsv(cx, x),
            _ => {
                let hsv = to_hsv(cx, x)?;
                let [hue, saturation, value] = [channel(cx, hsv, 0)?, channel(cx, hsv, 1)?, channel(cx, hsv, 2)?];
                let (hue, saturation) = if self.kind == ColorKind::Hue {
                    let moved = cx.binary_scalar(BinaryOp::Add, hue, args.need(&["delta"], Some(1))?)?;
                    (cx.binary_scalar(BinaryOp::Mod, moved, 1.0)?, saturation)
                } else {
                    let factor = args.need(&["saturation_factor"], Some(1))?;
                    let scaled = cx.binary_scalar(BinaryOp::Mul, saturation, factor)?;
                    let scaled = cx.binary_scalar(BinaryOp::Max, scaled, 0.0)?;
                    (hue, cx.binary_scalar(BinaryOp::Min, scaled, 1.0)?)
                };
                let hsv = joined(cx, [hue, saturation, value])?;
                from_hsv(cx, hsv)
            }
        }
    }

    fn compute(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
        let rank = cx.ty(x).rank();
        if rank < 3 && matches!(self.kind, ColorKind::Standardize | ColorKind::Contrast) {
            let shape = cx.shape(x);
            return Err(Error::malformed(format!("expected images, found shape {shape}")));
        }
        match self.kind {
            ColorKind::Standardize => standardized(cx, x),
            ColorKind::Contrast => {
                let factor = args.need(&["contrast_factor"], Some(1))?;
                let mean = cx.reduce(ReduceOp::Mean, x, &[rank - 3, rank - 2], true)?;
                let difference = cx.sub(x, mean)?;
                let scaled = cx.binary_scalar(BinaryOp::Mul, difference, factor)?;
                cx.add(scaled, mean)
            }
            ColorKind::Brightness => cx.binary_scalar(BinaryOp::Add, x, args.need(&["delta"], Some(1))?),
            ColorKind::Gamma => {
                let power = cx.binary_scalar(BinaryOp::Pow, x, args.or(&["gamma"], Some(1), 1.0)?)?;
                cx.binary_scalar(BinaryOp::Mul, power, args.or(&["gain"], Some(2), 1.0)?)
            }
            _ if format_of(args)? == DataFormat::ChannelsFirst => {
                let axis = cx.axis(-3, x)?;
                over_axis(cx, x, axis, |cx, x| self.of_channels(cx, args, x))
            }
            _ => self.of_channels(cx, args, x),
        }
    }
}

/// The type of pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pixels {
    dtype: ValueType,
    narrow: Option<Narrow>,
}

impl Pixels {
    fn of(cx: &LowerCx<'_>, x: &KerasTensor) -> Self {
        Pixels { dtype: value_type(cx.ty(x.value).element), narrow: x.narrow }
    }

    /// The least and the largest number of a type of integers.
    fn range(self) -> (f64, f64) {
        match (self.narrow, self.dtype) {
            (Some(narrow), _) => narrow.range(),
            (None, ValueType::Int64) => (i64::MIN as f64, i64::MAX as f64),
            (None, _) => (f64::from(i32::MIN), f64::from(i32::MAX)),
        }
    }

    /// The number of values of 0 and above.
    fn positive(self) -> f64 {
        self.range().1 + f64::from(u8::from(self.dtype != ValueType::Int64))
    }

    /// As floating point: the largest integer is 1.
    fn to_float(self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        let x = cx.to_float(x)?;
        if self.dtype == ValueType::Float {
            return Ok(x);
        }
        cx.binary_scalar(BinaryOp::Mul, x, 1.0 / self.range().1)
    }

    /// The opposite of [`to_float`](Pixels::to_float), cut off or wrapped around at the bounds of the type.
    fn of_float(self, cx: &mut LowerCx<'_>, x: Value, saturate: bool) -> Result<Value> {
        if self.dtype == ValueType::Float {
            return Ok(x);
        }
        let (least, most) = self.range();
        let scaled = cx.binary_scalar(BinaryOp::Mul, x, most + 0.5)?;
        // The largest number of single precision below 2^31 or 2^63.
        let most = if self.narrow.is_some() { most } else { f64::from((most as f32).next_down()) };
        let scaled = if saturate { clipped(cx, scaled, least, most)? } else { scaled };
        let whole = to_type(cx, scaled, self.dtype)?;
        self.narrow.map_or(Ok(whole), |narrow| narrow.wrap(cx, whole))
    }

    /// Integers of another type of integers.
    fn of_integers(self, cx: &mut LowerCx<'_>, x: Value, from: Pixels, saturate: bool) -> Result<Value> {
        let down = from.range().1 > self.range().1;
        let x = match down {
            true => cx.binary_scalar(BinaryOp::FloorDiv, x, (from.positive() / self.positive()).floor())?,
            false => x,
        };
        let (least, most) = self.range();
        let x = if saturate && self.narrow.is_some() { clipped(cx, x, least, most)? } else { x };
        let x = to_type(cx, x, self.dtype)?;
        let x = self.narrow.map_or(Ok(x), |narrow| narrow.wrap(cx, x))?;
        if down {
            return Ok(x);
        }
        let x = cx.binary_scalar(BinaryOp::Mul, x, (self.positive() / from.positive()).floor())?;
        self.narrow.map_or(Ok(x), |narrow| narrow.wrap(cx, x))
    }
}

fn clipped(cx: &mut LowerCx<'_>, x: Value, least: f64, most: f64) -> Result<Value> {
    let x = cx.binary_scalar(BinaryOp::Max, x, least)?;
    cx.binary_scalar(BinaryOp::Min, x, most)
}

impl Color {
    fn converted(cx: &mut LowerCx<'_>, args: &Args<'_>, x: &KerasTensor) -> Result<KerasTensor> {
        let from = Pixels::of(cx, x);
        let dtype = super::sizes::dtype(args, &["dtype"], Some(1))?.unwrap_or(ValueType::Float);
        let narrow = args.opt::<String>(&["dtype"], Some(1))?.as_deref().and_then(Narrow::of_name);
        let to = Pixels { dtype, narrow };
        let saturate = args.or(&["saturate"], Some(2), false)?;
        if [from.dtype, to.dtype].iter().any(|&dtype| dtype != ValueType::Float && !is_integer(dtype)) {
            return Err(Error::malformed("expected pixels of integers or floating point"));
        }
        let value = match (from.dtype, to.dtype) {
            _ if from == to => x.value,
            (ValueType::Float, _) => to.of_float(cx, x.value, saturate)?,
            (_, ValueType::Float) => from.to_float(cx, x.value)?,
            _ => to.of_integers(cx, x.value, from, saturate)?,
        };
        Ok(KerasTensor { narrow, ..KerasTensor::from(value) })
    }

    /// The operation on pixels of integers.
    fn of_whole(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, x: &KerasTensor) -> Result<KerasTensor> {
        use ColorKind as K;
        let pixels = Pixels::of(cx, x);
        let value = match self.kind {
            K::FromGray => self.compute(cx, args, x.value)?,
            // Keras 3 casts.
            K::ToGray if cx.is_keras3() => {
                let float = cx.to_float(x.value)?;
                let gray = self.compute(cx, args, float)?;
                to_type(cx, gray, pixels.dtype)?
            }
            K::ToGray | K::Contrast | K::Brightness | K::Gamma | K::Saturation | K::Hue
                if !cx.is_keras3() && is_integer(pixels.dtype) =>
            {
                let float = pixels.to_float(cx, x.value)?;
                let result = self.compute(cx, args, float)?;
                let saturate = matches!(self.kind, K::Contrast | K::Brightness | K::Gamma);
                pixels.of_float(cx, result, saturate)?
            }
            _ => return Err(Error::unsupported("pixels of integers are not supported")),
        };
        Ok(KerasTensor { narrow: pixels.narrow, ..KerasTensor::from(value) })
    }
}

impl LayerDef for Color {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let x = args.numbers(cx, &["images", "image"])?;
        let float = cx.ty(x.value).element.is_float();
        let result = match self.kind {
            ColorKind::Convert => Self::converted(cx, &args, x)?,
            ColorKind::Standardize => {
                let x = cx.to_float(x.value)?;
                KerasTensor::from(self.compute(cx, &args, x)?)
            }
            _ if !float => self.of_whole(cx, &args, x)?,
            _ => {
                let x = cx.to_float(x.value)?;
                KerasTensor::from(self.compute(cx, &args, x)?)
            }
        };
        args.finish(cx);
        Ok(vec![result])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused};
    use serde_json::json;

    #[test]
    fn shapes() {
        check("RGBToGrayscale", json!({}), json!(["f:?,4,6,3"]), json!({}), "float32[?,4,6,1]");
        let first = json!({"data_format": "channels_first"});
        check("RGBToHSV", first.clone(), json!(["f:?,3,4,6"]), json!({}), "float32[?,3,4,6]");
        check("RGBToGrayscale", first, json!(["f:?,3,4,6"]), json!({}), "float32[?,1,4,6]");
        check("GrayscaleToRGB", json!({}), json!(["f:?,?,6,1"]), json!({}), "float32[?,?,6,3]");
        check("ConvertImageDtype", json!({}), json!(["i:?,4,6,3"]), json!({"dtype": "float32"}), "float32[?,4,6,3]");
        check("ConvertImageDtype", json!({}), json!(["f:?,4,6,3"]), json!({"dtype": "uint8"}), "int32[?,4,6,3]");
        check("AdjustBrightness", json!({}), json!(["i:?,4,6,3"]), json!({"delta": 0.5}), "int32[?,4,6,3]");
        check("AdjustContrast", json!({}), json!(["f:?,4,6,5"]), json!({"contrast_factor": 2}), "float32[?,4,6,5]");
    }

    #[test]
    fn refuses() {
        refused("RGBToHSV", json!(["f:?,4,6,4"]), "expected 3 channels, found shape [?,4,6,4]");
        refused("AdjustHue", json!(["f:?,4,6,3"]), "missing `delta`");
        refused("RGBToHSV", json!(["i:?,4,6,3"]), "pixels of integers are not supported");
    }
}
