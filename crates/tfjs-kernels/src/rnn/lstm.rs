//! LSTM over sequences, with Keras's gate order: input, forget, candidate, output.

use super::gates::NextCell;
use super::{Outputs, SequenceShape, SequenceState, initial, is_late, project};
use crate::epilogue::Epilogue;
use crate::error::{Result, check_len, product};
use crate::{Activation, Cpu, Isa, PackedMatrix, activation, gemm};
use std::sync::Arc;

/// The weights of an LSTM, packed once.
#[derive(Clone, Debug)]
pub struct PackedLstm {
    kernel: Arc<PackedMatrix>,
    recurrent: Arc<PackedMatrix>,
    bias: Option<Vec<f32>>,
    units: usize,
}

impl PackedLstm {
    /// Packs `kernel` `[features, 4 units]`, `recurrent` `[units, 4 units]` and `bias` `[4 units]`, each
    /// with the columns of the gates i, f, c, o.
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
        let n = product("kernel", &[units, 4])?;
        check_len("kernel", product("kernel", &[features, n])?, kernel.len())?;
        check_len("recurrent_kernel", product("recurrent_kernel", &[units, n])?, recurrent.len())?;
        let kernel = PackedMatrix::pack(isa, features, n, kernel)?;
        let recurrent = PackedMatrix::pack(isa, units, n, recurrent)?;
        Self::from_packed(Arc::new(kernel), Arc::new(recurrent), bias)
    }

    /// An LSTM from packed matrices, which may be shared.
    ///
    /// # Errors
    /// If the size of a matrix or the bias does not match.
    pub fn from_packed(kernel: Arc<PackedMatrix>, recurrent: Arc<PackedMatrix>, bias: Option<&[f32]>) -> Result<Self> {
        let units = recurrent.k();
        let n = product("recurrent_kernel", &[units, 4])?;
        check_len("recurrent_kernel columns", n, recurrent.n())?;
        check_len("kernel columns", n, kernel.n())?;
        check_len("bias", n, bias.map_or(n, <[f32]>::len))?;
        Ok(PackedLstm { kernel, recurrent, bias: bias.map(<[f32]>::to_vec), units })
    }

    /// Kernel, recurrent kernel and bias as passed to [`pack`](Self::pack), bit for bit.
    pub fn unpack(&self) -> (Vec<f32>, Vec<f32>, Option<Vec<f32>>) {
        (self.kernel.unpack(), self.recurrent.unpack(), self.bias.clone())
    }

    /// The number of units, which is the size of the state.
    pub fn units(&self) -> usize {
        self.units
    }
}

/// The activation functions of an LSTM.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::exhaustive_structs, reason = "an LSTM has these two")]
pub struct LstmOptions {
    /// The activation of the candidate, and of the cell for the output.
    pub activation: Activation,
    /// The activation of the gates.
    pub recurrent_activation: Activation,
}

impl Default for LstmOptions {
    /// tanh and sigmoid.
    fn default() -> Self {
        LstmOptions { activation: Activation::Tanh, recurrent_activation: Activation::Sigmoid }
    }
}

/// Runs an LSTM over `input` `[batch, time, features]`. Writes every output to `sequences` `[batch, time, units]`, and
/// the last states to `hidden` and `cell` `[batch, units]`.
///
/// # Errors
/// If a length does not match.
#[allow(clippy::too_many_arguments, reason = "input, weights, options and three outputs")]
pub fn lstm(
    cpu: &Cpu,
    shape: SequenceShape,
    input: &[f32],
    weights: &PackedLstm,
    options: LstmOptions,
    state: &SequenceState<'_>,
    sequences: Option<&mut [f32]>,
    hidden: &mut [f32],
    cell: &mut [f32],
) -> Result<()> {
    let SequenceShape { batch, time, features } = shape;
    let units = weights.units;
    check_len("features", weights.kernel.k(), features)?;
    check_len("input", product("input", &[batch, time, features])?, input.len())?;
    let states = product("hidden", &[batch, units])?;
    check_len("hidden", states, hidden.len())?;
    check_len("cell", states, cell.len())?;
    state.check(shape, units)?;
    let mut outputs = Outputs::new(sequences, shape, units)?;

    let isa = weights.kernel.isa();
    let projected = project(cpu, shape, state, input, &weights.kernel, weights.bias.as_deref())?;
    hidden.copy_from_slice(&initial(state.hidden, states));
    cell.copy_from_slice(&initial(state.cell, states));
    let mut gates = vec![0.0; states * 4];
    for i in 0..time {
        if is_late(cpu, i) {
            break;
        }
        let step = state.step(i, time);
        let residual = &projected[i * states * 4..(i + 1) * states * 4];
        let epilogue = Epilogue { residual: Some(residual), ..Epilogue::default() };
        gemm(cpu, batch, hidden, units, &weights.recurrent, &mut gates, units * 4, &epilogue)?;
        for sequence in 0..batch {
            let own = sequence * units..(sequence + 1) * units;
            let masked = state.is_masked(sequence, step, time);
            if !masked {
                let gates = &mut gates[sequence * units * 4..(sequence + 1) * units * 4];
                let (input_forget, rest) = gates.split_at_mut(2 * units);
                let (candidate, output) = rest.split_at_mut(units);
                activation::apply(isa, options.recurrent_activation, input_forget);
                activation::apply(isa, options.activation, candidate);
                activation::apply(isa, options.recurrent_activation, output);
                let (input, forget) = input_forget.split_at(units);
                let cell = &mut cell[own.clone()];
                isa.run(NextCell { input, forget, candidate, cell });
                let hidden = &mut hidden[own.clone()];
                hidden.copy_from_slice(cell);
                activation::apply(isa, options.activation, hidden);
                hidden.iter_mut().zip(&*output).for_each(|(h, o)| *h *= o);
            }
            outputs.write(sequence, i, &hidden[own], masked.then_some(state.masked_output));
        }
    }
    Ok(())
}
