//! The running half of every layer, at the same path as its description in `tfjs-topology`.

pub mod activation;
pub mod conv;
pub mod core;
pub mod image;
pub mod merge;
pub mod norm;
pub mod pool;
pub mod rnn;
pub mod shape;
pub(crate) mod spatial;
pub mod text;
pub mod wrap;

use crate::value::Value;
use candle_core::Tensor;
use tfjs_manifest::Result;
use tfjs_topology::call::{Arg, Call};

/// The mask of a layer's only input: the one it is called with, or the one that travels with the input.
pub(crate) fn mask_of(call: &Call<Value>) -> Result<Option<&Tensor>> {
    match call.kwarg("mask").and_then(Arg::tensor) {
        Some(mask) => mask.tensor().map(Some),
        None => Ok(call.inputs().first().and_then(|input| input.mask.as_ref())),
    }
}
