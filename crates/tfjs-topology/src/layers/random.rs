//! Random numbers for layers that draw some in training.

use crate::lower::LowerCx;
use tfjs_ir::prim::elementwise::CompareOp;
use tfjs_ir::prim::source::{Distribution, Random};
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result};

/// Random numbers of the element type of `like`, which is floating point. Each place of a program that draws has a
/// stream of its own.
///
/// # Errors
/// A place without access to the seed of the call.
pub(crate) fn draw(cx: &mut LowerCx<'_>, distribution: Distribution, dims: &[Dim], like: Value) -> Result<Value> {
    let seed = cx.seed()?;
    let stream = cx.stream();
    let numbers = cx.one(Random { distribution, dims: dims.to_vec(), stream }, &[seed])?;
    cx.cast_like(numbers, like)
}

/// Truth values that are false for a random fraction of the elements, `rate`.
///
/// # Errors
/// As [`draw`].
pub(crate) fn kept(cx: &mut LowerCx<'_>, rate: f64, dims: &[Dim], like: Value) -> Result<Value> {
    let numbers = draw(cx, Distribution::Uniform, dims, like)?;
    cx.compare_scalar(CompareOp::Ge, numbers, rate)
}

/// The fraction a configuration says. Only training needs it, so that it is checked there.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if it is missing or no fraction.
pub(crate) fn fraction(rate: Option<f64>) -> Result<f64> {
    match rate {
        Some(rate) if (0.0..=1.0).contains(&rate) => Ok(rate),
        Some(rate) => {
            Err(Error::malformed(format!("expected a `rate` between 0 and 1, found {rate}")).at_json("config"))
        }
        None => Err(Error::malformed("missing `rate`").at_json("config")),
    }
}
