//! Quantiles along axes: the value below which a given share of the elements lies. Median and percentiles are
//! quantiles.
//!
//! Reference: `keras.ops.quantile`, `keras.ops.median`, `keras.ops.nanquantile`.

use super::FromOpConfig;
use super::args::{Args, missing};
use super::gather::{counter, joined};
use super::params::Params;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::elementwise::{BinaryOp, UnaryOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Array, Data, Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// A quantile.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantile {
    /// The form of the shares.
    pub share: Share,
    /// Whether NaN is ignored.
    pub skips_nan: bool,
    /// `axis`, `method`, `keepdims`, `q`.
    pub params: Params,
}

/// The form of a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Always 0.5.
    Half,
    /// From 0 to 1.
    Part,
    /// From 0 to 100.
    Percent,
}

impl FromOpConfig for Quantile {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let (share, skips_nan) = match class {
            "Median" => (Share::Half, false),
            "Quantile" => (Share::Part, false),
            "Percentile" => (Share::Percent, false),
            "Nanmedian" => (Share::Half, true),
            "Nanquantile" => (Share::Part, true),
            "Nanpercentile" => (Share::Percent, true),
            other => return Err(Error::bug(format!("`{other}` is listed as a quantile"))),
        };
        Ok(Quantile { share, skips_nan, params: Params::read(config) })
    }
}

/// The value for a share between two elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Linear,
    Lower,
    Higher,
    Midpoint,
    Nearest,
}

impl Method {
    fn read(args: &Args<'_>) -> Result<Self> {
        let name: String = args.or(&["method"], None, "linear".to_string())?;
        Ok(match name.as_str() {
            "linear" => Method::Linear,
            "lower" => Method::Lower,
            "higher" => Method::Higher,
            "midpoint" => Method::Midpoint,
            "nearest" => Method::Nearest,
            other => return Err(Error::malformed(format!("unknown `method` `{other}`"))),
        })
    }
}

/// The elements of a row that a share falls between: positions, and the weight of the first.
struct Places {
    first: Value,
    second: Option<(Value, Value)>,
}

/// Rounds a position and clamps it to `last`, as 64-bit integers.
fn rounded(cx: &mut LowerCx<'_>, op: UnaryOp, place: Value, last: Value) -> Result<Value> {
    let whole = cx.unary(op, place)?;
    let whole = cx.cast(whole, ElementType::I64)?;
    let most = cx.cast(last, ElementType::I64)?;
    let whole = cx.binary(BinaryOp::Min, whole, most)?;
    cx.binary_scalar(BinaryOp::Max, whole, 0.0)
}

/// The elements for the position `share * last`.
fn places(cx: &mut LowerCx<'_>, method: Method, place: Value, last: Value) -> Result<Places> {
    let one = |first| Ok(Places { first, second: None });
    match method {
        Method::Lower => one(rounded(cx, UnaryOp::Floor, place, last)?),
        Method::Higher => one(rounded(cx, UnaryOp::Ceil, place, last)?),
        Method::Nearest => one(rounded(cx, UnaryOp::RoundEven, place, last)?),
        Method::Midpoint => {
            let first = rounded(cx, UnaryOp::Floor, place, last)?;
            let second = rounded(cx, UnaryOp::Ceil, place, last)?;
            let half = cx.scalar(ElementType::F32, 0.5)?;
            Ok(Places { first, second: Some((second, half)) })
        }
        Method::Linear => {
            let above = rounded(cx, UnaryOp::Ceil, place, last)?;
            let first = cx.binary_scalar(BinaryOp::Sub, above, 1.0)?;
            let first = cx.binary_scalar(BinaryOp::Max, first, 0.0)?;
            let second = cx.binary_scalar(BinaryOp::Add, first, 1.0)?;
            let most = cx.cast(last, ElementType::I64)?;
            let second = cx.binary(BinaryOp::Min, second, most)?;
            let end = cx.cast(second, ElementType::F32)?;
            let share = cx.sub(end, place)?;
            Ok(Places { first, second: Some((second, share)) })
        }
    }
}

/// As [`places`], for known shares of a known number of elements: in double precision.
fn known_places(cx: &mut LowerCx<'_>, method: Method, shares: &[f64], length: usize) -> Result<Places> {
    let last = length.saturating_sub(1) as f64;
    let inside = |place: f64| place.clamp(0.0, last);
    let (mut first, mut second, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for &share in shares {
        let place = share * last;
        let (low, high) = (inside(place.floor()), inside(place.ceil()));
        let (low, high, weight) = match method {
            Method::Lower => (low, low, 1.0),
            Method::Higher => (high, high, 1.0),
            Method::Nearest => (inside(place.round_ties_even()), low, 1.0),
            Method::Midpoint => (low, high, 0.5),
            Method::Linear => {
                let low = (high - 1.0).max(0.0);
                let high = (low + 1.0).min(last);
                (low, high, high - place)
            }
        };
        first.push(low as i64);
        second.push(high as i64);
        weights.push(weight);
    }
    let dims = [shares.len()];
    let first = cx.constant(Array::new(ElementType::I64, dims, Data::Int(first))?)?;
    if !matches!(method, Method::Midpoint | Method::Linear) {
        return Ok(Places { first, second: None });
    }
    let second = cx.constant(Array::new(ElementType::I64, dims, Data::Int(second))?)?;
    let weights = cx.constant(Array::new(ElementType::F32, dims, Data::Float(weights))?)?;
    Ok(Places { first, second: Some((second, weights)) })
}

/// The elements of each row `x [.., n]` at these positions: `[k]` for all rows, or `[.., k]` for each row.
fn looked_up(cx: &mut LowerCx<'_>, x: Value, places: Value) -> Result<Value> {
    let dims = cx.dims_of(x);
    let last = dims.len() - 1;
    if cx.ty(places).rank() == 1 {
        return cx.gather(x, places, last, Bounds::Clamp);
    }
    let mut indices = Vec::with_capacity(dims.len());
    for (axis, &dim) in dims[..last].iter().enumerate() {
        indices.push(counter(cx, axis, dims.len(), dim)?);
    }
    indices.push(places);
    let place = joined(cx, &indices, &dims)?;
    let all = cx.dims().product(&dims)?;
    let all = cx.reshape(x, &[all])?;
    cx.gather(all, place, 0, Bounds::Clamp)
}

/// Weighted means of the elements at two positions.
fn elements(cx: &mut LowerCx<'_>, sorted: Value, places: Places) -> Result<Value> {
    let first = looked_up(cx, sorted, places.first)?;
    let Some((second, weight)) = places.second else { return Ok(first) };
    let second = looked_up(cx, sorted, second)?;
    let weight = cx.cast_like(weight, first)?;
    let one = cx.scalar_like(weight, 1.0)?;
    let rest = cx.sub(one, weight)?;
    let (first, second) = (cx.mul(first, weight)?, cx.mul(second, rest)?);
    cx.add(first, second)
}

impl Quantile {
    /// The shares, as numbers if they are known, and as a vector; and whether there are several.
    fn shares(&self, cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<(Option<Vec<f64>>, Value, bool)> {
        let scale = if self.share == Share::Percent { 100.0 } else { 1.0 };
        if self.share == Share::Half {
            let half = cx.scalar(ElementType::F32, 0.5)?;
            return Ok((Some(vec![0.5]), cx.reshape(half, &[Dim::ONE])?, false));
        }
        // Shares are rounded to single precision before they are used.
        let known = args.constant(&["q"], Some(1))?;
        let known = known.map(|known| known.values.iter().map(|&q| f64::from(q as f32 / scale)).collect());
        let shares = args.value(cx, &["q"], Some(1))?.ok_or_else(|| missing(&["q"]))?;
        let shares = cx.to_float(shares)?;
        let shares = cx.binary_scalar(BinaryOp::Div, shares, f64::from(scale))?;
        match cx.ty(shares).rank() {
            0 => Ok((known, cx.reshape(shares, &[Dim::ONE])?, false)),
            1 => Ok((known, shares, true)),
            _ => Err(Error::unsupported("shares of more than one axis are not supported").at_json("q")),
        }
    }

    /// The method for a share between two elements.
    fn method(&self, cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Method> {
        let method = Method::read(args)?;
        if (self.share, self.skips_nan) != (Share::Part, false) || method == Method::Linear {
            return Ok(method);
        }
        // Keras's node of `quantile` ignores its method, unlike those of the other quantiles. The result must equal
        // Keras's.
        let name = cx.current_layer().map_or(String::new(), |layer| layer.name.clone());
        cx.warn(format!("operation `{name}`: Keras computes the method `linear` whatever `method` says"));
        Ok(Method::Linear)
    }

    /// The quantiles of rows `x [.., n]`: `[.., k]`.
    fn of_rows(
        &self,
        cx: &mut LowerCx<'_>,
        args: &Args<'_>,
        x: Value,
        shares: (Option<Vec<f64>>, Value),
    ) -> Result<Value> {
        let method = self.method(cx, args)?;
        let dims = cx.dims_of(x);
        let last = dims.len() - 1;
        if !cx.at_least(dims[last], Dim::ONE) {
            let shape = cx.shape(x);
            return Err(Error::malformed(format!("expected at least one element, found shape {shape}")));
        }
        let (sorted, _) = cx.sort(x, last, false)?;
        let (known, shares) = shares;
        if self.skips_nan {
            let nan = cx.unary(UnaryOp::IsNan, x)?;
            let valid = cx.unary(UnaryOp::Not, nan)?;
            let valid = cx.cast(valid, ElementType::F32)?;
            let count = cx.reduce(ReduceOp::Sum, valid, &[last], true)?;
            let end = cx.binary_scalar(BinaryOp::Sub, count, 1.0)?;
            let end = cx.binary_scalar(BinaryOp::Max, end, 0.0)?;
            let place = cx.mul(end, shares)?;
            let places = places(cx, method, place, end)?;
            return elements(cx, sorted, places);
        }
        let places = match (known, cx.known_dim(dims[last])) {
            (Some(shares), Some(length)) => known_places(cx, method, &shares, length)?,
            _ => {
                let end = cx.dims().sub(dims[last], Dim::ONE)?;
                let end = cx.size(end, ElementType::I64)?;
                let end = cx.cast(end, ElementType::F32)?;
                let place = cx.mul(shares, end)?;
                places(cx, method, place, end)?
            }
        };
        let found = elements(cx, sorted, places)?;
        // NaN is sorted after all numbers.
        let end = cx.dims().sub(dims[last], Dim::ONE)?;
        let largest = cx.columns(sorted, end, Dim::ONE)?;
        let nan = cx.unary(UnaryOp::IsNan, largest)?;
        let number = cx.scalar_like(found, f64::NAN)?;
        cx.select(nan, number, found)
    }
}

impl LayerDef for Quantile {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let input = args.numbers(cx, &[])?.value;
        let x = cx.to_float(input)?;
        let rank = cx.ty(x).rank();
        let axes = args.axes(cx, &["axis"], Some(if self.share == Share::Half { 1 } else { 2 }), x)?;
        let axes = axes.unwrap_or_else(|| (0..rank).collect());
        let keep = args.or(&["keepdims"], None, false)?;
        let (known, shares, several) = self.shares(cx, &args)?;
        if axes.contains(&0) || several {
            cx.mixes_batch();
        }
        // Merge the axes and move them to the end.
        let others: Vec<usize> = (0..rank).filter(|axis| !axes.contains(axis)).collect();
        let order: Vec<usize> = others.iter().chain(&axes).copied().collect();
        let dims = cx.dims_of(x);
        let rows = cx.transpose(x, &order)?;
        let mut of_rows: Vec<Dim> = others.iter().map(|&axis| dims[axis]).collect();
        let reduced: Vec<Dim> = axes.iter().map(|&axis| dims[axis]).collect();
        of_rows.push(cx.dims().product(&reduced)?);
        let rows = cx.reshape(rows, &of_rows)?;
        let found = self.of_rows(cx, &args, rows, (known, shares))?;
        let count = others.len();
        let order: Vec<usize> = [count].into_iter().chain(0..count).collect();
        let found = cx.transpose(found, &order)?;
        let kept = (0..rank).filter(|axis| keep || !axes.contains(axis));
        let kept: Vec<Dim> = kept.map(|axis| if axes.contains(&axis) { Dim::ONE } else { dims[axis] }).collect();
        let lead = if several { vec![cx.dims_of(found)[0]] } else { Vec::new() };
        let dims: Vec<Dim> = lead.into_iter().chain(kept).collect();
        let value = cx.reshape(found, &dims)?;
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused, refused_with};
    use serde_json::json;

    #[test]
    fn types() {
        check("Median", json!({"axis": 1, "keepdims": true}), json!(["i:?,3,4"]), json!({}), "float32[?,1,4]");
        check("Median", json!({"axis": null, "keepdims": true}), json!(["f:?,3"]), json!({}), "float32[1,1]");
        check("Quantile", json!({"axis": [-1]}), json!(["f:?,3", [0.1, 0.5]]), json!({}), "float32[2,?]");
        check("Nanquantile", json!({"axis": [1]}), json!(["f:?,3,4", "f:2"]), json!({}), "float32[2,?,4]");
        check("Percentile", json!({"axis": [1, 2]}), json!(["f:?,?,4", 30]), json!({}), "float32[?]");
        refused("Quantile", json!(["f:?,3"]), "missing `q`");
        refused_with("Quantile", json!({"method": "x"}), json!(["f:?,3", 0.5]), "unknown `method` `x`");
    }
}
