//! The states of a program before its first call.

use super::CandleResultExt;
use candle_core::{DType, Device, Tensor};
use tfjs_ir::{Bound, ElementType, Program};
use tfjs_manifest::Result;

/// The initial states, for these dimensions.
///
/// # Errors
/// A device that is out of memory.
pub(crate) fn initial_states(program: &Program, bound: &Bound, device: &Device) -> Result<Vec<Tensor>> {
    let states = program.states.iter().map(|state| {
        let dims = state.ty.dims.iter().map(|&dim| bound.get(dim)).collect::<Result<Vec<usize>>>()?;
        let dtype = match state.ty.element {
            ElementType::I64 => DType::I64,
            _ => DType::F32,
        };
        Tensor::full(state.initial as f32, dims, device).and_then(|t| t.to_dtype(dtype)).or_error()
    });
    states.collect()
}
