//! Interpolation of images and other grids at arbitrary positions: transforms, crops of boxes, coordinates.
//!
//! Reference: `keras.ops.image.affine_transform`, `perspective_transform`, `map_coordinates`, `scale_and_translate`;
//! `tf.image.crop_and_resize`. Images are sampled as by TensorFlow's `ImageProjectiveTransformV3`.

use super::FromOpConfig;
use super::args::{Args, missing, to_type};
use super::gather::{counter, integers, joined};
use super::images::Images;
use super::matrices::solved;
use super::params::{Numbers, Params};
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::layers::resample::{Interpolation, moved, weigh};
use crate::lower::{KerasTensor, LowerCx, value_type};
use crate::types::ValueType;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::layout::Range;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Limits, Result};

/// An operation that samples at arbitrary positions.
#[derive(Clone, Debug, PartialEq)]
pub struct Warp {
    /// The operation.
    pub kind: WarpKind,
    /// `interpolation`, `fill_mode`, `fill_value`, `order`, `method`, `data_format`.
    pub params: Params,
}

/// The operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarpKind {
    /// Transforms images by the eight numbers of a projection.
    Affine,
    /// Transforms images so that four points move to four others.
    Perspective,
    /// Values at given positions.
    Coordinates,
    /// Boxes of images, resized to one size.
    Boxes,
    /// Scales and shifts some axes.
    Stretch,
}

impl FromOpConfig for Warp {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let kind = match class {
            "AffineTransform" => WarpKind::Affine,
            "PerspectiveTransform" => WarpKind::Perspective,
            "MapCoordinates" => WarpKind::Coordinates,
            "CropAndResize" => WarpKind::Boxes,
            "ScaleAndTranslate" => WarpKind::Stretch,
            other => return Err(Error::bug(format!("`{other}` is listed as a warp"))),
        };
        Ok(Warp { kind, params: Params::read(config) })
    }
}

/// The values outside an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    /// A number.
    Constant,
    /// The nearest element.
    Nearest,
    /// The image, mirrored with its edge elements repeated.
    Reflect,
    /// The image, mirrored without repeating its edge elements.
    Mirror,
    /// The image, repeated.
    Wrap,
}

impl Fill {
    fn read(args: &Args<'_>) -> Result<Self> {
        let name: String = args.or(&["fill_mode"], None, "constant".to_string())?;
        Ok(match name.to_lowercase().as_str() {
            "constant" => Fill::Constant,
            "nearest" => Fill::Nearest,
            "reflect" => Fill::Reflect,
            "mirror" => Fill::Mirror,
            "wrap" => Fill::Wrap,
            other => return Err(Error::malformed(format!("unknown `fill_mode` `{other}`"))),
        })
    }

    /// Maps positions along an axis of `length` (floating point) into the axis.
    fn place(self, cx: &mut LowerCx<'_>, at: Value, length: Value) -> Result<Value> {
        let last = cx.binary_scalar(BinaryOp::Sub, length, 1.0)?;
        let at = match self {
            Fill::Constant => return Ok(at),
            Fill::Nearest => at,
            Fill::Mirror => return Err(Error::unsupported("`fill_mode` `mirror` of an image is not supported")),
            Fill::Reflect => {
                let double = cx.binary_scalar(BinaryOp::Mul, length, 2.0)?;
                let within = cx.binary(BinaryOp::Mod, at, double)?;
                let back = cx.sub(double, within)?;
                let back = cx.binary_scalar(BinaryOp::Sub, back, 1.0)?;
                let first = cx.compare(CompareOp::Lt, within, length)?;
                cx.select(first, within, back)?
            }
            Fill::Wrap => {
                // Repetitions are counted in steps from the first to the last element.
                let below = cx.compare_scalar(CompareOp::Lt, at, 0.0)?;
                let above = cx.compare(CompareOp::Gt, at, last)?;
                let negative = cx.unary(UnaryOp::Neg, at)?;
                let turns = cx.binary(BinaryOp::FloorDiv, negative, last)?;
                let turns = cx.binary_scalar(BinaryOp::Add, turns, 1.0)?;
                let way = cx.mul(turns, length)?;
                let up = cx.add(at, way)?;
                let turns = cx.binary(BinaryOp::FloorDiv, at, last)?;
                let way = cx.mul(turns, length)?;
                let down = cx.sub(at, way)?;
                let inside = cx.select(above, down, at)?;
                cx.select(below, up, inside)?
            }
        };
        let at = cx.binary(BinaryOp::Min, at, last)?;
        cx.binary_scalar(BinaryOp::Max, at, 0.0)
    }
}

impl Images {
    /// Height and width, as floating point.
    fn lengths(&self, cx: &mut LowerCx<'_>) -> Result<[Value; 2]> {
        let mut length = |dim| {
            let size = cx.size(dim, ElementType::I64)?;
            cx.cast(size, ElementType::F32)
        };
        Ok([length(self.dims[1])?, length(self.dims[2])?])
    }

    /// The pixels at these integer positions; `fill` outside.
    fn pixels(&self, cx: &mut LowerCx<'_>, entry: Value, [y, x]: [Value; 2], fill: Value) -> Result<Value> {
        let mut inside: Option<Value> = None;
        for (at, length) in [y, x].into_iter().zip(self.lengths(cx)?) {
            let (after, before) = (cx.compare_scalar(CompareOp::Ge, at, 0.0)?, cx.compare(CompareOp::Lt, at, length)?);
            let both = cx.binary(BinaryOp::And, after, before)?;
            inside = Some(match inside {
                Some(others) => cx.binary(BinaryOp::And, others, both)?,
                None => both,
            });
        }
        let (y, x) = (cx.cast(y, ElementType::I64)?, cx.cast(x, ElementType::I64)?);
        let place = joined(cx, &[entry, y, x], &self.dims[..3])?;
        let [batch, height, width, channels] = self.dims;
        let all = cx.dims().product(&[batch, height, width])?;
        let rows = cx.reshape(self.value, &[all, channels])?;
        let rows = cx.to_float(rows)?;
        let found = cx.gather(rows, place, 0, Bounds::Clamp)?;
        let Some(inside) = inside else { return Ok(found) };
        let rank = cx.ty(inside).rank();
        let inside = cx.insert_axis(inside, rank)?;
        let fill = cx.cast_like(fill, found)?;
        cx.select(inside, found, fill)
    }

    /// Interpolates between the four pixels around each position.
    fn between(&self, cx: &mut LowerCx<'_>, entry: Value, [y, x]: [Value; 2], fill: Value) -> Result<Value> {
        let (low_y, low_x) = (cx.unary(UnaryOp::Floor, y)?, cx.unary(UnaryOp::Floor, x)?);
        let (high_y, high_x) =
            (cx.binary_scalar(BinaryOp::Add, low_y, 1.0)?, cx.binary_scalar(BinaryOp::Add, low_x, 1.0)?);
        let mut share = |at, low| {
            let share = cx.sub(at, low)?;
            let rank = cx.ty(share).rank();
            cx.insert_axis(share, rank)
        };
        let (share_y, share_x) = (share(y, low_y)?, share(x, low_x)?);
        let mut rows = Vec::with_capacity(2);
        for y in [low_y, high_y] {
            let low = self.pixels(cx, entry, [y, low_x], fill)?;
            let high = self.pixels(cx, entry, [y, high_x], fill)?;
            rows.push(mixed(cx, low, high, share_x)?);
        }
        mixed(cx, rows[0], rows[1], share_y)
    }
}

/// `(1 - share) low + share high`
fn mixed(cx: &mut LowerCx<'_>, low: Value, high: Value, share: Value) -> Result<Value> {
    let share = cx.cast_like(share, low)?;
    let one = cx.scalar_like(share, 1.0)?;
    let rest = cx.sub(one, share)?;
    let (low, high) = (cx.mul(low, rest)?, cx.mul(high, share)?);
    cx.add(low, high)
}

/// The nearest whole number, ties away from 0.
fn nearest(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let size = cx.unary(UnaryOp::Abs, x)?;
    let up = cx.binary_scalar(BinaryOp::Add, size, 0.5)?;
    let whole = cx.unary(UnaryOp::Floor, up)?;
    let sign = cx.unary(UnaryOp::Sign, x)?;
    cx.mul(sign, whole)
}

/// One column of `[n, 8]`, as `[n, 1, 1]`.
fn number_of(cx: &mut LowerCx<'_>, transforms: Value, place: usize) -> Result<Value> {
    let start = cx.number(place);
    let column = cx.columns(transforms, start, Dim::ONE)?;
    let batch = cx.dims_of(column)[0];
    cx.reshape(column, &[batch, Dim::ONE, Dim::ONE])
}

/// Images whose pixel `(x, y)` is sampled at `((t0 x + t1 y + t2) / k, (t3 x + t4 y + t5) / k)`, `k = t6 x + t7 y + 1`.
fn projected(cx: &mut LowerCx<'_>, args: &Args<'_>, images: &Images, transforms: Value) -> Result<Value> {
    let interpolation: String = args.or(&["interpolation"], None, "bilinear".to_string())?;
    let smooth = match interpolation.to_lowercase().as_str() {
        "bilinear" => true,
        "nearest" => false,
        other => return Err(Error::malformed(format!("unknown `interpolation` `{other}`"))),
    };
    let fill_mode = Fill::read(args)?;
    let fill = args.or(&["fill_value"], None, 0.0)?;
    let fill = cx.scalar(ElementType::F32, fill)?;
    let transforms = cx.cast(transforms, ElementType::F32)?;
    let [batch, height, width, _] = images.dims;
    let y = cx.iota(1, &[Dim::ONE, height, Dim::ONE], ElementType::F32)?;
    let x = cx.iota(2, &[Dim::ONE, Dim::ONE, width], ElementType::F32)?;
    let mut line = |first: usize, constant: Option<usize>| {
        let (a, b) = (number_of(cx, transforms, first)?, number_of(cx, transforms, first + 1)?);
        let (a, b) = (cx.mul(a, x)?, cx.mul(b, y)?);
        let sum = cx.add(a, b)?;
        match constant {
            Some(place) => {
                let constant = number_of(cx, transforms, place)?;
                cx.add(sum, constant)
            }
            None => cx.binary_scalar(BinaryOp::Add, sum, 1.0),
        }
    };
    let (over_x, over_y, under) = (line(0, Some(2))?, line(3, Some(5))?, line(6, None)?);
    let (x, y) = (cx.div(over_x, under)?, cx.div(over_y, under)?);
    let [high, wide] = images.lengths(cx)?;
    let (y, x) = (fill_mode.place(cx, y, high)?, fill_mode.place(cx, x, wide)?);
    // A single transform applies to all images.
    let dims = [batch, height, width];
    let (y, x) = (cx.broadcast_to(y, &dims)?, cx.broadcast_to(x, &dims)?);
    let entry = counter(cx, 0, 3, batch)?;
    if smooth {
        return images.between(cx, entry, [y, x], fill);
    }
    let at = [nearest(cx, y)?, nearest(cx, x)?];
    images.pixels(cx, entry, at, fill)
}

/// `[width]` or `[n, width]` as `[n, width]`: one transform for each of `batch` images, or one for all.
fn transforms(cx: &mut LowerCx<'_>, x: Value, width: usize, batch: Dim) -> Result<Value> {
    let x = if cx.ty(x).rank() == 1 { cx.insert_axis(x, 0)? } else { x };
    let dims = cx.dims_of(x);
    let fits = dims.len() == 2
        && cx.known_dim(dims[1]) == Some(width)
        && (dims[0] == Dim::ONE || cx.same(dims[0], batch).is_some());
    if !fits {
        let shape = cx.shape(x);
        return Err(Error::malformed(format!("expected {width} numbers for each image, found shape {shape}")));
    }
    Ok(x)
}

fn affine(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let images = Images::read(cx, args, true)?;
    let transform = args.need_value(cx, &["transform"], Some(1))?;
    let transform = transforms(cx, transform, 8, images.dims[0])?;
    let dtype = value_type(cx.ty(images.value).element);
    let value = projected(cx, args, &images, transform)?;
    let value = to_type(cx, value, dtype)?;
    images.restore(cx, value)
}

/// The projection that maps `end` to the positions `start` to sample at: `[n, 8]` from `[n, 4, 2]` each.
fn homography(cx: &mut LowerCx<'_>, start: Value, end: Value) -> Result<Value> {
    let batch = cx.dims_of(start)[0];
    let point = |cx: &mut LowerCx<'_>, points: Value, row: usize, column: usize| {
        let mut ranges = cx.whole(points);
        for (axis, place) in [(1, row), (2, column)] {
            ranges[axis] = Range { start: cx.number(place), len: Dim::ONE, step: 1 };
        }
        let number = cx.slice(points, &ranges)?;
        cx.reshape(number, &[batch, Dim::ONE])
    };
    let (one, zero) =
        (cx.full(ElementType::F32, &[batch, Dim::ONE], 1.0)?, cx.full(ElementType::F32, &[batch, Dim::ONE], 0.0)?);
    let (mut rows, mut targets) = (Vec::with_capacity(8), Vec::with_capacity(8));
    for corner in 0..4 {
        let (x, y) = (point(cx, end, corner, 0)?, point(cx, end, corner, 1)?);
        for side in 0..2 {
            let target = point(cx, start, corner, side)?;
            let (a, b) = (cx.mul(target, x)?, cx.mul(target, y)?);
            let (a, b) = (cx.unary(UnaryOp::Neg, a)?, cx.unary(UnaryOp::Neg, b)?);
            let row = match side {
                0 => [x, y, one, zero, zero, zero, a, b],
                _ => [zero, zero, zero, x, y, one, a, b],
            };
            let row = cx.concat(&row, 1)?;
            rows.push(cx.insert_axis(row, 1)?);
            targets.push(cx.insert_axis(target, 1)?);
        }
    }
    let (matrix, target) = (cx.concat(&rows, 1)?, cx.concat(&targets, 1)?);
    let found = solved(cx, matrix, target)?;
    cx.remove_axis(found, 2)
}

fn perspective(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let images = Images::read(cx, args, true)?;
    let mut points = |names: &[&'static str], place| {
        let points = args.need_value(cx, names, Some(place))?;
        let points = cx.cast(points, ElementType::F32)?;
        let points = if cx.ty(points).rank() == 2 { cx.insert_axis(points, 0)? } else { points };
        match cx.dims_of(points)[..] {
            [_, four, two] if (cx.known_dim(four), cx.known_dim(two)) == (Some(4), Some(2)) => Ok(points),
            _ => {
                let shape = cx.shape(points);
                Err(Error::malformed(format!("expected four points of two numbers, found shape {shape}")))
            }
        }
    };
    let (start, end) = (points(&["start_points"], 1)?, points(&["end_points"], 2)?);
    let (a, b) = (cx.dims_of(start)[0], cx.dims_of(end)[0]);
    if cx.same(a, b).is_none() {
        return Err(Error::malformed("expected as many start points as end points"));
    }
    let transform = homography(cx, start, end)?;
    let transform = transforms(cx, transform, 8, images.dims[0])?;
    let dtype = value_type(cx.ty(images.value).element);
    let value = projected(cx, args, &images, transform)?;
    let value = to_type(cx, value, dtype)?;
    images.restore(cx, value)
}

/// Crops boxes `[m, 4]` of images, given by the first and last row and column as fractions of the height and the width.
fn boxes(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let images = Images::read(cx, args, true)?;
    let corners = args.need_value(cx, &["boxes"], Some(1))?;
    let corners = cx.cast(corners, ElementType::F32)?;
    let entries = args.need_value(cx, &["box_indices", "box_ind"], Some(2))?;
    let entries = integers(cx, entries)?;
    let entries = cx.cast(entries, ElementType::I64)?;
    let size = match args.sizes(cx, &["crop_size"], Some(3))?.as_deref() {
        Some(&[height, width]) if cx.at_least(height, Dim::ONE) && cx.at_least(width, Dim::ONE) => [height, width],
        Some(_) => return Err(Error::malformed("expected height and width of at least 1 as `crop_size`")),
        None => return Err(missing(&["crop_size"])),
    };
    let method: String = args.or(&["method"], Some(4), "bilinear".to_string())?;
    let smooth = match method.as_str() {
        "bilinear" => true,
        "nearest" => false,
        other => return Err(Error::malformed(format!("unknown `method` `{other}`"))),
    };
    let fill = args.or(&["extrapolation_value"], Some(5), 0.0)?;
    let fill = cx.scalar(ElementType::F32, fill)?;
    let (dims, of) = (cx.dims_of(corners), cx.dims_of(entries));
    let fits =
        dims.len() == 2 && of.len() == 1 && cx.known_dim(dims[1]) == Some(4) && cx.same(dims[0], of[0]).is_some();
    if !fits {
        let (boxes, entries) = (cx.shape(corners), cx.shape(entries));
        let message = format!("expected boxes of 4 numbers and an image for each, found shapes {boxes} and {entries}");
        return Err(Error::malformed(message));
    }
    cx.mixes_batch();
    let count = dims[0];
    let lengths = images.lengths(cx)?;
    let mut at = Vec::with_capacity(2);
    let mut inside: Option<Value> = None;
    for side in 0..2 {
        let mut shape = [Dim::ONE; 3];
        shape[side + 1] = size[side];
        let (first, last) = (number_of(cx, corners, side)?, number_of(cx, corners, side + 2)?);
        let end = cx.binary_scalar(BinaryOp::Sub, lengths[side], 1.0)?;
        let place = if size[side] == Dim::ONE {
            let sum = cx.add(first, last)?;
            let middle = cx.mul(sum, end)?;
            cx.binary_scalar(BinaryOp::Mul, middle, 0.5)?
        } else {
            let steps = cx.dims().sub(size[side], Dim::ONE)?;
            let steps = cx.size(steps, ElementType::I64)?;
            let steps = cx.cast(steps, ElementType::F32)?;
            let way = cx.sub(last, first)?;
            let way = cx.mul(way, end)?;
            let step = cx.div(way, steps)?;
            let number = cx.iota(side + 1, &shape, ElementType::F32)?;
            let gone = cx.mul(number, step)?;
            let start = cx.mul(first, end)?;
            cx.add(start, gone)?
        };
        let (after, before) = (cx.compare_scalar(CompareOp::Ge, place, 0.0)?, cx.compare(CompareOp::Le, place, end)?);
        let both = cx.binary(BinaryOp::And, after, before)?;
        inside = Some(match inside {
            Some(others) => cx.binary(BinaryOp::And, others, both)?,
            None => both,
        });
        at.push(place);
    }
    let whole = [count, size[0], size[1]];
    let (y, x) = (cx.broadcast_to(at[0], &whole)?, cx.broadcast_to(at[1], &whole)?);
    let own = cx.iota(0, &[images.dims[0]], ElementType::I64)?;
    let entries = cx.gather(own, entries, 0, Bounds::Error)?;
    let entries = cx.reshape(entries, &[count, Dim::ONE, Dim::ONE])?;
    let value = if smooth {
        images.between(cx, entries, [y, x], fill)?
    } else {
        let at = [nearest(cx, y)?, nearest(cx, x)?];
        images.pixels(cx, entries, at, fill)?
    };
    let Some(inside) = inside else { return Ok(value) };
    let inside = cx.insert_axis(inside, 3)?;
    let fill = cx.cast_like(fill, value)?;
    cx.select(inside, value, fill)
}

/// Maps integer positions into an axis, and returns whether they were inside.
fn onto(cx: &mut LowerCx<'_>, fill: Fill, at: Value, length: Dim) -> Result<(Value, Option<Value>)> {
    let length = cx.size(length, ElementType::I64)?;
    let last = cx.binary_scalar(BinaryOp::Sub, length, 1.0)?;
    let clamped = |cx: &mut LowerCx<'_>, at| {
        let at = cx.binary(BinaryOp::Min, at, last)?;
        cx.binary_scalar(BinaryOp::Max, at, 0.0)
    };
    match fill {
        Fill::Constant => {
            let (after, before) = (cx.compare_scalar(CompareOp::Ge, at, 0.0)?, cx.compare(CompareOp::Lt, at, length)?);
            let inside = cx.binary(BinaryOp::And, after, before)?;
            Ok((clamped(cx, at)?, Some(inside)))
        }
        Fill::Nearest => Ok((clamped(cx, at)?, None)),
        Fill::Wrap => Ok((cx.binary(BinaryOp::Mod, at, length)?, None)),
        Fill::Mirror | Fill::Reflect => {
            let at = cx.unary(UnaryOp::Abs, at)?;
            let double = cx.binary_scalar(BinaryOp::Mul, length, 2.0)?;
            let within = cx.binary(BinaryOp::Mod, at, double)?;
            let back = cx.sub(double, within)?;
            let back = if fill == Fill::Reflect { cx.binary_scalar(BinaryOp::Sub, back, 1.0)? } else { back };
            let first = cx.compare(CompareOp::Lt, within, length)?;
            let at = cx.select(first, within, back)?;
            Ok((clamped(cx, at)?, None))
        }
    }
}

/// The values of a tensor at `coordinates [rank, ..]`.
fn at_coordinates(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let x = args.need_value(cx, &["inputs", "input"], Some(0))?;
    let coordinates = args.need_value(cx, &["coordinates"], Some(1))?;
    let order: usize = args.need(&["order"], Some(2))?;
    if order > 1 {
        return Err(Error::unsupported(format!("`order` {order} is not supported: Keras has 0 and 1")));
    }
    let fill_mode = Fill::read(args)?;
    let fill = args.or(&["fill_value"], None, 0.0)?;
    let (dims, of) = (cx.dims_of(x), cx.dims_of(coordinates));
    // Every axis doubles the number of elements that are read.
    Limits::check("axes to interpolate along", dims.len() as u64, 6)?;
    if of.len() < 2 || cx.known_dim(of[0]) != Some(dims.len()) || dims.is_empty() {
        let (x, at) = (cx.shape(x), cx.shape(coordinates));
        return Err(Error::malformed(format!("coordinates of shape {at} do not fit values of shape {x}")));
    }
    for &dim in &dims {
        if !cx.at_least(dim, Dim::ONE) {
            return Err(Error::malformed(format!("expected at least one value, found shape {}", cx.shape(x))));
        }
    }
    cx.mixes_batch();
    let own = value_type(cx.ty(x).element);
    let all = cx.dims().product(&dims)?;
    let flat = cx.reshape(x, &[all])?;
    let flat = cx.to_float(flat)?;
    // For each axis, positions and their weights.
    let mut axes = Vec::with_capacity(dims.len());
    for (axis, &length) in dims.iter().enumerate() {
        let start = cx.number(axis);
        let at = cx.slice_axis(coordinates, 0, Range { start, len: Dim::ONE, step: 1 })?;
        let at = cx.remove_axis(at, 0)?;
        let at = cx.cast(at, ElementType::F32)?;
        let whole = cx.unary(if order == 0 { UnaryOp::RoundEven } else { UnaryOp::Floor }, at)?;
        let low = cx.cast(whole, ElementType::I64)?;
        let mut nodes = vec![(low, None)];
        if order == 1 {
            let share = cx.sub(at, whole)?;
            let one = cx.scalar(ElementType::F32, 1.0)?;
            let rest = cx.sub(one, share)?;
            let high = cx.binary_scalar(BinaryOp::Add, low, 1.0)?;
            nodes = vec![(low, Some(rest)), (high, Some(share))];
        }
        let mut placed = Vec::with_capacity(nodes.len());
        for (at, weight) in nodes {
            let (place, inside) = onto(cx, fill_mode, at, length)?;
            placed.push((place, inside, weight));
        }
        axes.push(placed);
    }
    let mut total: Option<Value> = None;
    let corners = axes.iter().map(Vec::len).product::<usize>();
    for corner in 0..corners {
        let (mut places, mut inside, mut weight) = (Vec::with_capacity(dims.len()), None::<Value>, None::<Value>);
        let mut rest = corner;
        for nodes in &axes {
            let (place, within, share) = nodes[rest % nodes.len()];
            rest /= nodes.len();
            places.push(place);
            inside = match (inside, within) {
                (Some(a), Some(b)) => Some(cx.binary(BinaryOp::And, a, b)?),
                (a, b) => a.or(b),
            };
            weight = match (weight, share) {
                (Some(a), Some(b)) => Some(cx.mul(a, b)?),
                (a, b) => a.or(b),
            };
        }
        let place = joined(cx, &places, &dims)?;
        let mut found = cx.gather(flat, place, 0, Bounds::Clamp)?;
        if let Some(inside) = inside {
            found = super::elementary::where_or(cx, inside, found, fill)?;
        }
        if let Some(weight) = weight {
            let weight = cx.cast_like(weight, found)?;
            found = cx.mul(found, weight)?;
        }
        total = Some(match total {
            Some(total) => cx.add(total, found)?,
            None => found,
        });
    }
    let mut value = total.ok_or_else(|| Error::bug("coordinates without a corner"))?;
    if own != ValueType::Float {
        value = cx.unary(UnaryOp::RoundEven, value)?;
    }
    to_type(cx, value, own)
}

/// Scales and shifts some axes of a tensor to other lengths.
fn stretched(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let input = args.need_value(cx, &["images"], Some(0))?;
    let shape = args.sizes(cx, &["output_shape"], Some(1))?.ok_or_else(|| missing(&["output_shape"]))?;
    let scale = args.need_value(cx, &["scale"], Some(2))?;
    let translation = args.need_value(cx, &["translation"], Some(3))?;
    let (scale, translation) = (cx.cast(scale, ElementType::F32)?, cx.cast(translation, ElementType::F32)?);
    let Numbers(axes) = args.need(&["spatial_dims"], Some(4))?;
    let method: String = args.need(&["method"], Some(5))?;
    let how = match method.as_str() {
        "linear" | "bilinear" | "trilinear" | "triangle" => Interpolation::Bilinear,
        "cubic" | "bicubic" | "tricubic" => Interpolation::Bicubic,
        "lanczos3" => Interpolation::Lanczos3,
        "lanczos5" => Interpolation::Lanczos5,
        other => return Err(Error::malformed(format!("unknown `method` `{other}`"))),
    };
    let antialias = args.or(&["antialias"], Some(6), true)?;
    let wrong = || Error::malformed("expected a scale and a translation for each of `spatial_dims`");
    if shape.len() != cx.ty(input).rank() {
        return Err(Error::malformed("expected a length for each axis as `output_shape`"));
    }
    for numbers in [scale, translation] {
        let dims = cx.dims_of(numbers);
        if dims.len() != 1 || cx.known_dim(dims[0]) != Some(axes.len()) {
            return Err(wrong());
        }
    }
    let dtype = value_type(cx.ty(input).element);
    let mut x = cx.to_float(input)?;
    for (place, axis) in axes.into_iter().enumerate() {
        let axis = cx.axis(axis, input)?;
        if axis == 0 {
            cx.mixes_batch();
        }
        let start = cx.number(place);
        let mut number = |numbers| {
            let number = cx.slice_axis(numbers, 0, Range { start, len: Dim::ONE, step: 1 })?;
            cx.reshape(number, &[])
        };
        let (scale, translation) = (number(scale)?, number(translation)?);
        let inputs = cx.dims_of(x)[axis];
        let weights = moved(cx, inputs, shape[axis], (scale, translation), how, antialias)?;
        x = weigh(cx, x, axis, weights)?;
    }
    if dtype != ValueType::Float {
        x = cx.unary(UnaryOp::RoundEven, x)?;
    }
    to_type(cx, x, dtype)
}

impl LayerDef for Warp {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let value = match self.kind {
            WarpKind::Affine => affine(cx, &args)?,
            WarpKind::Perspective => perspective(cx, &args)?,
            WarpKind::Coordinates => at_coordinates(cx, &args)?,
            WarpKind::Boxes => boxes(cx, &args)?,
            WarpKind::Stretch => stretched(cx, &args)?,
        };
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused, refused_with};
    use serde_json::json;

    #[test]
    fn shapes() {
        let transform = json!([1.0, 0.2, -0.5, 0.1, 0.9, 0.3, 0.0, 0.0]);
        check("AffineTransform", json!({}), json!(["f:?,4,6,3", transform]), json!({}), "float32[?,4,6,3]");
        let first = json!({"data_format": "channels_first", "interpolation": "nearest", "fill_mode": "wrap"});
        check("AffineTransform", first, json!(["f:?,3,4,6", "f:?,8"]), json!({}), "float32[?,3,4,6]");
        check("PerspectiveTransform", json!({}), json!(["f:4,6,3", "f:4,2", "f:4,2"]), json!({}), "float32[4,6,3]");
        check("MapCoordinates", json!({"order": 1}), json!(["i:4,6", "f:2,?,5"]), json!({}), "int32[?,5]");
        check("CropAndResize", json!({}), json!(["f:?,4,6,3", "f:5,4", "i:5", [2, 3]]), json!({}), "float32[5,2,3,3]");
        let config = json!({"spatial_dims": [1, -2], "method": "linear"});
        let args = json!(["f:2,4,6,3", [2, 8, 5, 3], [2.0, 0.7], [0.5, -0.3]]);
        check("ScaleAndTranslate", config, args, json!({}), "float32[2,8,5,3]");
    }

    #[test]
    fn refuses() {
        let message = "expected 8 numbers for each image, found shape [1,6]";
        refused("AffineTransform", json!(["f:?,4,6,3", [1, 2, 3, 4, 5, 6]]), message);
        let message = "coordinates of shape [3,5] do not fit values of shape [4,6]";
        refused_with("MapCoordinates", json!({"order": 1}), json!(["f:4,6", "f:3,5"]), message);
        let message = "`order` 3 is not supported: Keras has 0 and 1";
        refused_with("MapCoordinates", json!({"order": 3}), json!(["f:4,6", "f:2,5"]), message);
        let message = "expected boxes of 4 numbers and an image for each, found shapes [5,4] and [4]";
        refused("CropAndResize", json!(["f:?,4,6,3", "f:5,4", "i:4", [2, 3]]), message);
    }
}
