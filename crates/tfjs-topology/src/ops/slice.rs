//! `GetItem`: `x[:, 1:]`, `x[..., 0, None]`, as Python's brackets take it.
//!
//! Reference: numpy's basic indexing; `SlicingOpLambda` in Keras 2.

use super::FromOpConfig;
use super::params::{Params, subject};
use crate::call::{Arg, Call};
use crate::config::{Config, FromJson, expected};
use crate::layer::{Exactness, LayerDef};
use crate::types::{Dim, TensorType};
use serde_json::Value;
use tfjs_manifest::{Error, Result};

/// A part of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct GetItem {
    /// The brackets, if the configuration has them.
    pub params: Params,
}

/// What becomes of an axis, or of none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The axis goes: one element of it is taken.
    At(usize),
    /// These elements of the axis are taken; how many is not known before the axis is.
    Range {
        /// The first.
        start: usize,
        /// The distance to the next, which may be backwards.
        step: i64,
        /// How many.
        len: Dim,
    },
    /// The axis stays as it is.
    Whole,
    /// A new axis of length 1.
    New,
}

impl FromOpConfig for GetItem {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(GetItem { params: Params::read(config) })
    }
}

impl GetItem {
    /// What the brackets of a call do to a tensor of these dimensions.
    ///
    /// # Errors
    /// Brackets with a tensor or a list in them, too many indices, an index outside a known axis.
    pub fn plan<T>(&self, call: &Call<T>, dims: &[Dim]) -> Result<Vec<Piece>> {
        let arg = ["slice_spec", "key"].iter().find_map(|name| call.kwarg(name)).or(call.args.get(1));
        let value = match arg {
            Some(Arg::Const(value)) => value,
            Some(_) => return Err(Error::unsupported("a tensor as an index is not supported")),
            None => return Err(Error::malformed("missing the brackets of a slice")),
        };
        let items = match value {
            Value::Array(items) => &items[..],
            one => std::slice::from_ref(one),
        };
        let is_ellipsis = |v: &Value| v.get("class_name").and_then(Value::as_str) == Some("__ellipsis__");
        let named = items.iter().filter(|v| !v.is_null() && !is_ellipsis(v)).count();
        let Some(rest) = dims.len().checked_sub(named) else {
            return Err(Error::malformed(format!("{named} indices for a tensor of rank {}", dims.len())));
        };
        let (mut pieces, mut axes, mut filled) = (Vec::new(), dims.iter(), false);
        for item in items {
            match item {
                Value::Null => pieces.push(Piece::New),
                _ if is_ellipsis(item) && filled => return Err(Error::malformed("two ellipses in one slice")),
                _ if is_ellipsis(item) => {
                    filled = true;
                    pieces.extend(axes.by_ref().take(rest).map(|_| Piece::Whole));
                }
                _ => {
                    let dim = axes.next().copied().flatten();
                    pieces.push(piece(item, dim)?);
                }
            }
        }
        pieces.extend(axes.map(|_| Piece::Whole));
        Ok(pieces)
    }
}

fn piece(item: &Value, dim: Dim) -> Result<Piece> {
    match item {
        Value::Object(map) => {
            let slice = map.get("config").and_then(Value::as_object).unwrap_or(map);
            let part = |key: &str| -> Result<Option<i64>> {
                slice.get(key).map_or(Ok(None), Option::from_json).map_err(|e| e.at_json(key))
            };
            range(part("start")?, part("stop")?, part("step")?, dim)
        }
        Value::Number(_) => {
            let index = i64::from_json(item)?;
            let outside = |len: usize| Error::malformed(format!("index {index} is outside an axis of length {len}"));
            match dim {
                Some(len) => {
                    let at = if index < 0 { index + len as i64 } else { index };
                    usize::try_from(at).ok().filter(|&at| at < len).map(Piece::At).ok_or_else(|| outside(len))
                }
                None => Ok(Piece::At(usize::try_from(index).unwrap_or(0))),
            }
        }
        other => Err(Error::unsupported(expected("a number or a slice as an index", other).message())),
    }
}

/// `start:stop:step` with Python's rules.
fn range(start: Option<i64>, stop: Option<i64>, step: Option<i64>, dim: Dim) -> Result<Piece> {
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(Error::malformed("a slice with step 0"));
    }
    if (start.unwrap_or(0), stop, step) == (0, None, 1) {
        return Ok(Piece::Whole);
    }
    let Some(len) = dim else { return Ok(Piece::Range { start: 0, step, len: None }) };
    let len = len as i64;
    // Going backwards, the ends are before the first and at the last element.
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let clamp = |i: i64| (if i < 0 { i.saturating_add(len) } else { i }).clamp(low, high);
    let start = start.map_or(if step > 0 { low } else { high }, clamp);
    let stop = stop.map_or(if step > 0 { high } else { low }, clamp);
    let distance = if step > 0 { stop - start } else { start - stop };
    let count = if distance <= 0 { 0 } else { (distance - 1) as u64 / step.unsigned_abs() + 1 };
    Ok(Piece::Range { start: start.max(0) as usize, step, len: Some(count as usize) })
}

impl LayerDef for GetItem {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let input = subject(call, &[])?;
        let (mut dims, mut axes) = (Vec::new(), input.shape.0.iter().copied());
        for piece in self.plan(call, &input.shape.0)? {
            match piece {
                Piece::New => dims.push(Some(1)),
                Piece::At(_) => _ = axes.next(),
                Piece::Whole => dims.extend(axes.next()),
                Piece::Range { len, .. } => {
                    axes.next();
                    dims.push(len);
                }
            }
        }
        Ok(vec![input.with_shape(dims)])
    }

    fn exactness(&self) -> Exactness {
        Exactness::Exact
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused};
    use serde_json::{Value, json};

    fn slice(start: Value, stop: Value, step: Value) -> Value {
        json!({"class_name": "__slice__", "config": {"start": start, "stop": stop, "step": step}})
    }

    fn all() -> Value {
        slice(Value::Null, Value::Null, Value::Null)
    }

    #[test]
    fn brackets() {
        let check =
            |spec: Value, expect: &str| check("GetItem", json!({}), json!(["f:?,5,4", spec]), json!({}), expect);
        check(json!([all(), slice(json!(1), json!(null), json!(null))]), "float32[?,4,4]");
        check(json!([all(), slice(json!(-2), json!(null), json!(null)), -1]), "float32[?,2]");
        check(json!([all(), slice(json!(null), json!(null), json!(2))]), "float32[?,3,4]");
        check(json!([all(), slice(json!(null), json!(null), json!(-2))]), "float32[?,3,4]");
        check(json!([all(), slice(json!(9), json!(null), json!(null))]), "float32[?,0,4]");
        check(json!([{"class_name": "__ellipsis__", "config": {}}, 0, null]), "float32[?,5,1]");
        check(json!(0), "float32[5,4]");
        check(slice(json!(0), json!(2), json!(null)), "float32[?,5,4]");
    }

    #[test]
    fn keras_2() {
        let spec = json!({"slice_spec": [{"start": null, "stop": null, "step": null}, 0]});
        check("GetItem", json!({}), json!(["f:?,5,4"]), spec, "float32[?,4]");
    }

    #[test]
    fn refuses() {
        refused("GetItem", json!(["f:?,5", [all(), 5]]), "index 5 is outside an axis of length 5");
        refused("GetItem", json!(["f:?,5", [0, 0, 0]]), "3 indices for a tensor of rank 2");
        refused("GetItem", json!(["f:?,5", slice(json!(null), json!(null), json!(0))]), "a slice with step 0");
        refused("GetItem", json!(["f:?,5", ["f:?", 0]]), "a tensor as an index is not supported");
    }
}
