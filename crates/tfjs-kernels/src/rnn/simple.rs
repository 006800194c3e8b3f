//! SimpleRNN over sequences: `h' = activation(x W + h R + b)`.

use super::{Outputs, SequenceShape, SequenceState, initial, is_late, project};
use crate::epilogue::Epilogue;
use crate::error::{Result, check_len, product};
use crate::{Activation, Cpu, Isa, PackedMatrix, gemm};
use std::sync::Arc;

/// The weights of a SimpleRNN, packed once.
#[derive(Clone, Debug)]
pub struct PackedSimpleRnn {
    kernel: Arc<PackedMatrix>,
    recurrent: Arc<PackedMatrix>,
    bias: Option<Vec<f32>>,
    units: usize,
}

impl PackedSimpleRnn {
    /// Packs `kernel` `[features, units]`, `recurrent` `[units, units]` and `bias` `[units]`.
    ///
    /// # Errors
    /// If a length does not match.
    pub fn pack(
        isa: Isa,
        features: usize,
        units: usize,
        kernel: &[f32],
        recurrent: &[f32],
        bias: Option<&[f32]>,
    ) -> Result<Self> {
        let kernel = PackedMatrix::pack(isa, features, units, kernel)?;
        let recurrent = PackedMatrix::pack(isa, units, units, recurrent)?;
        Self::from_packed(Arc::new(kernel), Arc::new(recurrent), bias)
    }

    /// A SimpleRNN from packed matrices, which may be shared.
    ///
    /// # Errors
    /// If the size of a matrix or the bias does not match.
    pub fn from_packed(kernel: Arc<PackedMatrix>, recurrent: Arc<PackedMatrix>, bias: Option<&[f32]>) -> Result<Self> {
        let units = recurrent.k();
        check_len("recurrent_kernel columns", units, recurrent.n())?;
        check_len("kernel columns", units, kernel.n())?;
        check_len("bias", units, bias.map_or(units, <[f32]>::len))?;
        Ok(PackedSimpleRnn { kernel, recurrent, bias: bias.map(<[f32]>::to_vec), units })
    }

    /// The number of units, which is the size of the state.
    pub fn units(&self) -> usize {
        self.units
    }
}

/// Runs a SimpleRNN over `input` `[batch, time, features]`. Writes every output to `sequences` `[batch, time, units]`,
/// and the last state to `hidden` `[batch, units]`.
///
/// # Errors
/// If a length does not match.
#[allow(clippy::too_many_arguments, reason = "input, weights, options and two outputs")]
pub fn simple_rnn(
    cpu: &Cpu,
    shape: SequenceShape,
    input: &[f32],
    weights: &PackedSimpleRnn,
    activation: Activation,
    state: &SequenceState<'_>,
    sequences: Option<&mut [f32]>,
    hidden: &mut [f32],
) -> Result<()> {
    let SequenceShape { batch, time, features } = shape;
    let units = weights.units;
    check_len("features", weights.kernel.k(), features)?;
    check_len("input", product("input", &[batch, time, features])?, input.len())?;
    let states = product("hidden", &[batch, units])?;
    check_len("hidden", states, hidden.len())?;
    state.check(shape, units)?;
    let mut outputs = Outputs::new(sequences, shape, units)?;

    let projected = project(cpu, shape, state, input, &weights.kernel, weights.bias.as_deref())?;
    hidden.copy_from_slice(&initial(state.hidden, states));
    let mut next = vec![0.0; states];
    for i in 0..time {
        if is_late(cpu, i) {
            break;
        }
        let step = state.step(i, time);
        let residual = &projected[i * states..(i + 1) * states];
        let epilogue = Epilogue { residual: Some(residual), activation, ..Epilogue::default() };
        gemm(cpu, batch, hidden, units, &weights.recurrent, &mut next, units, &epilogue)?;
        for sequence in 0..batch {
            let own = sequence * units..(sequence + 1) * units;
            let masked = state.is_masked(sequence, step, time);
            if !masked {
                hidden[own.clone()].copy_from_slice(&next[own.clone()]);
            }
            outputs.write(sequence, i, &hidden[own], masked.then_some(state.masked_output));
        }
    }
    Ok(())
}
