//! Layers that move, repeat or drop elements.

pub mod crop;
pub mod flatten;
pub mod pad;
pub mod permute;
pub mod repeat;
pub mod reshape;
pub mod upsample;

use crate::config::{Config, expected};
use crate::layers::spatial::Spatial;
use serde_json::Value;
use tfjs_ir::window::Pads;
use tfjs_manifest::Result;

/// Numbers of elements before and after each spatial axis, from `n` for all of them, `[n, m]` with one number for each
/// axis (for the two ends, if there is one axis), or `[[a, b], [c, d]]`.
pub(crate) fn borders(config: &Config<'_>, key: &str, spatial: &Spatial, default: usize) -> Result<Vec<Pads>> {
    let Some(value) = config.opt::<Value>(key)? else {
        return Ok(vec![Pads { before: default, after: default }; spatial.count]);
    };
    let wrong = || {
        let what = format!("a number, or one or two numbers for each of {} axes", spatial.count);
        expected(&what, &value).at_json(key).at_json("config")
    };
    let number = |v: &Value| -> Result<usize> {
        v.as_u64()
            .or_else(|| v.as_f64().filter(|n| n.fract() == 0.0 && (0.0..9e15).contains(n)).map(|n| n as u64))
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(wrong)
    };
    let ends = |v: &Value| -> Result<Pads> {
        match v.as_array().map(Vec::as_slice) {
            None => number(v).map(|n| Pads { before: n, after: n }),
            Some([before, after]) => Ok(Pads { before: number(before)?, after: number(after)? }),
            Some([both]) => number(both).map(|n| Pads { before: n, after: n }),
            Some(_) => Err(wrong()),
        }
    };
    match value.as_array().map(Vec::as_slice) {
        None => Ok(vec![ends(&value)?; spatial.count]),
        Some([_, _]) if spatial.count == 1 => Ok(vec![ends(&value)?]),
        Some(axes) if axes.len() == spatial.count => axes.iter().map(ends).collect(),
        Some(_) => Err(wrong()),
    }
}
