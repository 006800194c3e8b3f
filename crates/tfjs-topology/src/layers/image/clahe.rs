//! `ContrastLimitedAdaptiveHistogramEqualization` of Keras 3: the values of each tile of an image spread by their own
//! histogram, whose peaks are cut, and blended with those of the tiles beside it.
//!
//! Reference: `keras/src/layers/preprocessing/image_preprocessing/clahe.py`.

use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::layers::spatial::Spatial;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::layout::Range;
use tfjs_ir::prim::reduce::{ReduceOp, RunningOp};
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// The largest value inside of the layer, whatever the range.
const WHITE: f64 = 255.0;
/// The bins of a histogram.
const BINS: usize = 256;

/// Images equalized tile by tile. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Clahe {
    /// Where the channels are.
    pub spatial: Spatial,
    /// The value that counts as black and the one that counts as white, which differ.
    pub range: [f64; 2],
    /// How many times the even share a bin may hold; without one, any.
    pub clip_limit: Option<f64>,
    /// The tiles of a column and of a row.
    pub tiles: [usize; 2],
}

impl FromConfig for Clahe {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        let range: Vec<f64> = config.or("value_range", vec![0.0, WHITE])?;
        let range = match range[..] {
            [black, white] if black != white => [black, white],
            _ => {
                let message = format!("expected two numbers that differ, found {range:?}");
                return Err(Error::malformed(message).at_json("value_range").at_json("config"));
            }
        };
        let tiles: Vec<usize> = config.or("tile_grid_size", vec![8, 8])?;
        let tiles = match tiles[..] {
            [rows, columns] if rows > 0 && columns > 0 => [rows, columns],
            _ => {
                let message = format!("expected two numbers of at least 1, found {tiles:?}");
                return Err(Error::malformed(message).at_json("tile_grid_size").at_json("config"));
            }
        };
        let limit = config.or("clip_limit", 4.0)?;
        Ok(Clahe { spatial: Spatial::read(2, config)?, range, clip_limit: (limit > 0.0).then_some(limit), tiles })
    }
}

/// The dimensions of an image that is cut into tiles, with its channels last.
struct Tiling {
    batch: Dim,
    channels: Dim,
    /// Sides of the image.
    sides: [Dim; 2],
    /// Sides of a tile.
    tile: [Dim; 2],
    /// Tiles along each side.
    grid: [Dim; 2],
    /// Sides of all tiles together.
    whole: [Dim; 2],
}

impl Tiling {
    fn of(cx: &mut LowerCx<'_>, x: Value, tiles: [usize; 2]) -> Result<Self> {
        let dims = cx.dims_of(x);
        let (sides, grid) = ([dims[1], dims[2]], tiles.map(|n| cx.number(n)));
        let (mut tile, mut whole) = (sides, sides);
        for axis in 0..2 {
            tile[axis] = cx.dims().div_ceil(sides[axis], tiles[axis] as u64)?;
            whole[axis] = cx.dims().mul(tile[axis], grid[axis])?;
        }
        Ok(Tiling { batch: dims[0], channels: dims[3], sides, tile, grid, whole })
    }
}

/// The four tiles around an element along one side: the one before, the one behind, and how far it is from the former.
struct Neighbours {
    before: Value,
    behind: Value,
    share: Value,
}

impl LayerDef for Clahe {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = self.spatial.value(cx, call)?.value;
        let x = cx.to_float(input)?;
        let x = self.spatial.channels_last(cx, x)?;
        let x = ranged(cx, x, self.range, [0.0, WHITE])?;
        let tiling = Tiling::of(cx, x, self.tiles)?;
        let padded = mirrored(cx, x, &tiling)?;
        let pixels = cx.binary_scalar(BinaryOp::Max, padded, 0.0)?;
        let pixels = cx.binary_scalar(BinaryOp::Min, pixels, WHITE)?;
        let pixels = cx.cast(pixels, ElementType::I64)?;
        let tables = self.tables(cx, pixels, &tiling)?;
        let blended = blended(cx, pixels, tables, &tiling)?;
        let mut ranges = cx.whole(blended);
        for axis in 0..2 {
            ranges[axis + 1] = Range { start: Dim::ZERO, len: tiling.sides[axis], step: 1 };
        }
        let out = cx.slice(blended, &ranges)?;
        let out = ranged(cx, out, [0.0, WHITE], self.range)?;
        Ok(vec![self.spatial.restore(cx, out)?.into()])
    }
}

impl Clahe {
    /// What each value of a tile becomes: `[batch * rows * columns * channels, bins]`.
    fn tables(&self, cx: &mut LowerCx<'_>, pixels: Value, tiling: &Tiling) -> Result<Value> {
        let &Tiling { batch, channels, tile: [height, width], grid: [rows, columns], .. } = tiling;
        let tiled = cx.reshape(pixels, &[batch, rows, height, columns, width, channels])?;
        let tiled = cx.transpose(tiled, &[0, 1, 3, 5, 2, 4])?;
        let groups = cx.dims().product(&[batch, rows, columns, channels])?;
        let area = cx.dims().mul(height, width)?;
        let tiled = cx.reshape(tiled, &[groups, area])?;
        let bins = cx.number(BINS);
        let first = cx.iota(0, &[groups, Dim::ONE], ElementType::I64)?;
        let first = cx.binary_scalar(BinaryOp::Mul, first, BINS as f64)?;
        let places = cx.add(tiled, first)?;
        let count = cx.dims().mul(groups, area)?;
        let places = cx.reshape(places, &[count])?;
        let cells = cx.dims().mul(groups, bins)?;
        let empty = cx.full(ElementType::F32, &[cells], 0.0)?;
        let ones = cx.full(ElementType::F32, &[count], 1.0)?;
        let counted = cx.scatter_add(empty, places, ones, 0)?;
        let mut histogram = cx.reshape(counted, &[groups, bins])?;
        let area = cx.size(area, ElementType::I64)?;
        let area = cx.cast(area, ElementType::F32)?;
        if let Some(limit) = self.clip_limit {
            let limit = cx.binary_scalar(BinaryOp::Mul, area, limit / BINS as f64)?;
            let cut = cx.binary(BinaryOp::Min, histogram, limit)?;
            let excess = cx.sub(histogram, cut)?;
            let excess = cx.reduce(ReduceOp::Sum, excess, &[1], true)?;
            let share = cx.binary_scalar(BinaryOp::Div, excess, BINS as f64)?;
            histogram = cx.add(cut, share)?;
        }
        let sums = cx.cumulative(RunningOp::Sum, histogram, 1, false, false)?;
        let least = cx.reduce(ReduceOp::Min, sums, &[1], true)?;
        let above = cx.sub(sums, least)?;
        let above = cx.binary_scalar(BinaryOp::Mul, above, WHITE)?;
        let all = cx.sub(area, least)?;
        let none = cx.compare_scalar(CompareOp::Eq, all, 0.0)?;
        let one = cx.scalar_like(all, 1.0)?;
        let all = cx.select(none, one, all)?;
        let table = cx.div(above, all)?;
        let table = cx.binary_scalar(BinaryOp::Max, table, 0.0)?;
        cx.binary_scalar(BinaryOp::Min, table, WHITE)
    }
}

/// Values of one range as those of another.
fn ranged(cx: &mut LowerCx<'_>, x: Value, from: [f64; 2], to: [f64; 2]) -> Result<Value> {
    if from == to {
        return Ok(x);
    }
    let single = |n: f64| f64::from(n as f32);
    let x = cx.binary_scalar(BinaryOp::Sub, x, from[0])?;
    let x = cx.binary_scalar(BinaryOp::Div, x, single(from[1]) - single(from[0]))?;
    let x = cx.binary_scalar(BinaryOp::Mul, x, single(to[1]) - single(to[0]))?;
    cx.binary_scalar(BinaryOp::Add, x, to[0])
}

/// The image with mirrored elements behind its sides, so that whole tiles cover it.
fn mirrored(cx: &mut LowerCx<'_>, mut x: Value, tiling: &Tiling) -> Result<Value> {
    for axis in 0..2 {
        let (length, whole) = (tiling.sides[axis], tiling.whole[axis]);
        if length == whole {
            continue;
        }
        // More elements than there are cannot be mirrored.
        let twice = cx.dims().add(length, length)?;
        if !cx.at_least(twice, whole) {
            let shape = cx.shape(x);
            return Err(Error::malformed(format!("an image of shape {shape} is too small for so many tiles")));
        }
        let places = cx.iota(0, &[whole], ElementType::I64)?;
        let twice = cx.size(twice, ElementType::I64)?;
        let last = cx.binary_scalar(BinaryOp::Sub, twice, 1.0)?;
        let mirror = cx.sub(last, places)?;
        let places = cx.binary(BinaryOp::Min, places, mirror)?;
        x = cx.gather(x, places, axis + 1, Bounds::Clamp)?;
    }
    Ok(x)
}

/// The tiles around the elements of one side, whose middles the elements are between.
fn neighbours(cx: &mut LowerCx<'_>, tiling: &Tiling, axis: usize) -> Result<Neighbours> {
    let at = cx.iota(0, &[tiling.whole[axis]], ElementType::F32)?;
    let tile = cx.size(tiling.tile[axis], ElementType::I64)?;
    let tile = cx.cast(tile, ElementType::F32)?;
    let half = cx.binary_scalar(BinaryOp::Div, tile, 2.0)?;
    let at = cx.sub(at, half)?;
    let at = cx.div(at, tile)?;
    // Counted from the border before the first tile.
    let at = cx.binary_scalar(BinaryOp::Add, at, 1.0)?;
    let before = cx.unary(UnaryOp::Floor, at)?;
    let share = cx.sub(at, before)?;
    let last = cx.dims().sub(tiling.grid[axis], Dim::ONE)?;
    let last = cx.size(last, ElementType::I64)?;
    let last = cx.cast(last, ElementType::F32)?;
    let mut of_tile = |shift: f64| {
        let tile = cx.binary_scalar(BinaryOp::Add, before, shift)?;
        let tile = cx.binary_scalar(BinaryOp::Max, tile, 0.0)?;
        let tile = cx.binary(BinaryOp::Min, tile, last)?;
        cx.cast(tile, ElementType::I64)
    };
    let (before, behind) = (of_tile(-1.0)?, of_tile(0.0)?);
    let mut across = vec![Dim::ONE; 4];
    across[axis + 1] = tiling.whole[axis];
    Ok(Neighbours {
        before: cx.reshape(before, &across)?,
        behind: cx.reshape(behind, &across)?,
        share: cx.reshape(share, &across)?,
    })
}

/// Every element by the tables of the four tiles whose middles are around it.
fn blended(cx: &mut LowerCx<'_>, pixels: Value, tables: Value, tiling: &Tiling) -> Result<Value> {
    let &Tiling { batch, channels, grid: [rows, columns], .. } = tiling;
    let tables_dims = cx.dims_of(tables);
    let cells = cx.dims().product(&tables_dims)?;
    let table = cx.reshape(tables, &[cells])?;
    let image = cx.iota(0, &[batch, Dim::ONE, Dim::ONE, Dim::ONE], ElementType::I64)?;
    let channel = cx.iota(3, &[Dim::ONE, Dim::ONE, Dim::ONE, channels], ElementType::I64)?;
    let [rows, columns, channels] = {
        let sizes = [rows, columns, channels];
        let mut made = [image; 3];
        for (made, size) in made.iter_mut().zip(sizes) {
            *made = cx.size(size, ElementType::I64)?;
        }
        made
    };
    let (down, across) = (neighbours(cx, tiling, 0)?, neighbours(cx, tiling, 1)?);
    let mut value = |row: Value, column: Value| {
        let place = cx.mul(image, rows)?;
        let place = cx.add(place, row)?;
        let place = cx.mul(place, columns)?;
        let place = cx.add(place, column)?;
        let place = cx.mul(place, channels)?;
        let place = cx.add(place, channel)?;
        let place = cx.binary_scalar(BinaryOp::Mul, place, BINS as f64)?;
        let place = cx.add(place, pixels)?;
        cx.gather(table, place, 0, Bounds::Clamp)
    };
    let (upper_left, upper_right) = (value(down.before, across.before)?, value(down.before, across.behind)?);
    let (lower_left, lower_right) = (value(down.behind, across.before)?, value(down.behind, across.behind)?);
    let upper = between(cx, upper_left, upper_right, across.share)?;
    let lower = between(cx, lower_left, lower_right, across.share)?;
    between(cx, upper, lower, down.share)
}

/// `a * (1 - share) + b * share`.
fn between(cx: &mut LowerCx<'_>, a: Value, b: Value, share: Value) -> Result<Value> {
    let rest = cx.unary(UnaryOp::Neg, share)?;
    let rest = cx.binary_scalar(BinaryOp::Add, rest, 1.0)?;
    let a = cx.mul(a, rest)?;
    let b = cx.mul(b, share)?;
    cx.add(a, b)
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused};
    use serde_json::json;

    const CLASS: &str = "ContrastLimitedAdaptiveHistogramEqualization";

    #[test]
    fn infers() {
        check_infer(CLASS, json!({}), &["?,?,9,3"], &["?,?,9,3"]);
        check_infer(
            CLASS,
            json!({"tile_grid_size": [2, 3], "data_format": "channels_first"}),
            &["?,3,8,9"],
            &["?,3,8,9"],
        );
    }

    #[test]
    fn refuses() {
        check_refused(CLASS, json!({}), &["?,9,3"], "expected an input of rank 4, found shape [?,9,3]");
        let message = "`config.tile_grid_size`: expected two numbers of at least 1, found [0, 2]";
        check_refused(CLASS, json!({"tile_grid_size": [0, 2]}), &[], message);
        let message = "`config.value_range`: expected two numbers that differ, found [1.0, 1.0]";
        check_refused(CLASS, json!({"value_range": [1, 1]}), &[], message);
        let message = "an image of shape [?,2,9,1] is too small for so many tiles";
        check_refused(CLASS, json!({"tile_grid_size": [5, 1]}), &["?,2,9,1"], message);
    }
}
