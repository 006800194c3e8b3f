//! The layers of KerasNLP and KerasHub, and TensorFlow.js's layers of the same names: position embeddings,
//! transformers.

pub(crate) mod block;
pub mod decoder;
pub mod encoder;
pub mod position;
pub mod reversible;
pub mod rotary;
pub mod sine;
pub mod tokens;

use crate::layers::attention::arguments::Arguments;
use crate::lower::LowerCx;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// The positions of a sequence, as floating point: `[steps]`, or the argument `positions` of the call.
///
/// # Errors
/// Arguments of the wrong kind.
fn positions(cx: &mut LowerCx<'_>, args: Arguments<'_>, steps: Dim) -> Result<Value> {
    if let Some(given) = args.tensor("positions", None)? {
        let given = given.value;
        if !(1..=2).contains(&cx.ty(given).rank()) {
            let shape = cx.shape(given);
            return Err(Error::malformed(format!("expected `positions` of rank 1 or 2, found shape {shape}")));
        }
        let given = cx.to_float(given)?;
        return cx.cast(given, ElementType::F32);
    }
    let steps = cx.iota(0, &[steps], ElementType::F32)?;
    match start(args)? {
        0 => Ok(steps),
        start => cx.binary_scalar(BinaryOp::Add, steps, start as f64),
    }
}

/// The first position, `start_index`.
///
/// # Errors
/// A value of the wrong kind; [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a tensor.
fn start(args: Arguments<'_>) -> Result<u32> {
    let index: i64 = args.constant("start_index")?.unwrap_or(0);
    u32::try_from(index).map_err(|_| Error::malformed(format!("`start_index` {index} is not a position")))
}
