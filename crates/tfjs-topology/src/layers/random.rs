//! Random numbers for layers that use them in training.

use crate::lower::LowerCx;
use tfjs_ir::prim::elementwise::CompareOp;
use tfjs_ir::prim::source::{Distribution, Random};
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result};

/// Random numbers of the element type of `like`, which must be floating point. Each place of a program that draws them
/// has its own stream.
///
/// # Errors
/// If the seed of the call is not accessible here.
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

/// The fraction in a configuration. It is checked here because only training needs it.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if it is missing or not between 0 and 1.
pub(crate) fn fraction(rate: Option<f64>) -> Result<f64> {
    match rate {
        Some(rate) if (0.0..=1.0).contains(&rate) => Ok(rate),
        Some(rate) => {
            Err(Error::malformed(format!("expected a `rate` between 0 and 1, found {rate}")).at_json("config"))
        }
        None => Err(Error::malformed("missing `rate`").at_json("config")),
    }
}
