//! GRU over sequences, with Keras's gate order: update, reset, candidate.

use super::gates::NextHidden;
use super::{Outputs, SequenceShape, SequenceState, initial, is_late, project};
use crate::epilogue::Epilogue;
use crate::error::{Result, check_len, product};
use crate::{Activation, Cpu, Isa, PackedMatrix, activation, gemm};
use std::sync::Arc;

/// The weights of a GRU, packed once.
#[derive(Clone, Debug)]
pub struct PackedGru {
    kernel: Arc<PackedMatrix>,
    recurrent: Recurrent,
    input_bias: Option<Vec<f32>>,
    recurrent_bias: Option<Vec<f32>>,
    units: usize,
}

/// The recurrent weights, by the position of the reset gate.
#[derive(Clone, Debug)]
enum Recurrent {
    /// One product for all gates; the reset gate is applied to its result.
    ResetAfter(Arc<PackedMatrix>),
    /// The reset gate is applied to the state before the candidate's product.
    ResetBefore { gates: PackedMatrix, candidate: PackedMatrix },
}

impl PackedGru {
    /// Packs `kernel` `[features, 3 units]` and `recurrent` `[units, 3 units]`, each with the columns of
    /// the gates z, r, h. `bias` is `[3 units]`, or `[2, 3 units]` with `reset_after`: that of the input, then
    /// the recurrent one.
    ///
    /// # Errors
    /// If a length does not match.
    pub fn pack(
        isa: Isa,
        features: usize,
        units: usize,
        reset_after: bool,
        kernel: &[f32],
        recurrent: &[f32],
        bias: Option<&[f32]>,
    ) -> Result<Self> {
        let n = product("kernel", &[units, 3])?;
        check_len("kernel", product("kernel", &[features, n])?, kernel.len())?;
        check_len("recurrent_kernel", product("recurrent_kernel", &[units, n])?, recurrent.len())?;
        let kernel = Arc::new(PackedMatrix::pack(isa, features, n, kernel)?);
        if reset_after {
            let recurrent = PackedMatrix::pack(isa, units, n, recurrent)?;
            return Self::reset_after(kernel, Arc::new(recurrent), bias);
        }
        Self::reset_before(kernel, units, recurrent, bias)
    }

    /// A GRU that applies the reset gate after the product, from packed matrices, which may be shared.
    ///
    /// # Errors
    /// If the size of a matrix or the bias does not match.
    pub fn reset_after(kernel: Arc<PackedMatrix>, recurrent: Arc<PackedMatrix>, bias: Option<&[f32]>) -> Result<Self> {
        let units = recurrent.k();
        let n = product("recurrent_kernel", &[units, 3])?;
        check_len("recurrent_kernel columns", n, recurrent.n())?;
        check_len("kernel columns", n, kernel.n())?;
        let both = product("bias", &[2, n])?;
        check_len("bias", both, bias.map_or(both, <[f32]>::len))?;
        Ok(PackedGru {
            kernel,
            recurrent: Recurrent::ResetAfter(recurrent),
            input_bias: bias.map(|bias| bias[..n].to_vec()),
            recurrent_bias: bias.map(|bias| bias[n..].to_vec()),
            units,
        })
    }

    /// A GRU that applies the reset gate before the product. The kernel is already packed and may be shared;
    /// `recurrent` is packed here, separately for the gates and the candidate.
    ///
    /// # Errors
    /// If the size of a matrix or the bias does not match.
    pub fn reset_before(
        kernel: Arc<PackedMatrix>,
        units: usize,
        recurrent: &[f32],
        bias: Option<&[f32]>,
    ) -> Result<Self> {
        let isa = kernel.isa();
        let n = product("recurrent_kernel", &[units, 3])?;
        check_len("kernel columns", n, kernel.n())?;
        check_len("bias", n, bias.map_or(n, <[f32]>::len))?;
        let gates = PackedMatrix::pack_columns(isa, units, n, 0..2 * units, recurrent)?;
        let candidate = PackedMatrix::pack_columns(isa, units, n, 2 * units..n, recurrent)?;
        let recurrent = Recurrent::ResetBefore { gates, candidate };
        Ok(PackedGru { kernel, recurrent, input_bias: bias.map(<[f32]>::to_vec), recurrent_bias: None, units })
    }

    /// Kernel, recurrent kernel and bias as passed to [`pack`](Self::pack), bit for bit.
    pub fn unpack(&self) -> (Vec<f32>, Vec<f32>, Option<Vec<f32>>) {
        let n = self.units * 3;
        let recurrent = match &self.recurrent {
            Recurrent::ResetAfter(all) => all.unpack(),
            Recurrent::ResetBefore { gates, candidate } => {
                let mut values = vec![0.0; self.units * n];
                gates.unpack_into(&mut values, n, 0);
                candidate.unpack_into(&mut values, n, 2 * self.units);
                values
            }
        };
        let bias = self.input_bias.as_ref().map(|input| {
            let recurrent = self.recurrent_bias.iter().flatten();
            input.iter().chain(recurrent).copied().collect()
        });
        (self.kernel.unpack(), recurrent, bias)
    }

    /// The number of units, which is the size of the state.
    pub fn units(&self) -> usize {
        self.units
    }
}

/// The activation functions of a GRU.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::exhaustive_structs, reason = "a GRU has these two")]
pub struct GruOptions {
    /// The activation of the candidate.
    pub activation: Activation,
    /// The activation of the gates.
    pub recurrent_activation: Activation,
}

impl Default for GruOptions {
    /// tanh and sigmoid.
    fn default() -> Self {
        GruOptions { activation: Activation::Tanh, recurrent_activation: Activation::Sigmoid }
    }
}

/// Runs a GRU over `input` `[batch, time, features]`. Writes every output to `sequences` `[batch, time, units]`, and
/// the last state to `hidden` `[batch, units]`.
///
/// # Errors
/// If a length does not match.
#[allow(clippy::too_many_arguments, reason = "input, weights, options and two outputs")]
pub fn gru(
    cpu: &Cpu,
    shape: SequenceShape,
    input: &[f32],
    weights: &PackedGru,
    options: GruOptions,
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

    let projected = project(cpu, shape, state, input, &weights.kernel, weights.input_bias.as_deref())?;
    hidden.copy_from_slice(&initial(state.hidden, states));
    let mut step = Step {
        cpu,
        weights,
        options,
        batch,
        units,
        products: vec![0.0; states * 3],
        gates: vec![0.0; states * 2],
        candidate: vec![0.0; states],
    };
    for i in 0..time {
        if is_late(cpu, i) {
            break;
        }
        let at = state.step(i, time);
        step.run(&projected[i * states * 3..(i + 1) * states * 3], hidden)?;
        for sequence in 0..batch {
            let own = sequence * units..(sequence + 1) * units;
            let masked = state.is_masked(sequence, at, time);
            if !masked {
                weights.kernel.isa().run(NextHidden {
                    z: &step.gates[sequence * 2 * units..][..units],
                    candidate: &step.candidate[own.clone()],
                    hidden: &mut hidden[own.clone()],
                });
            }
            outputs.write(sequence, i, &hidden[own], masked.then_some(state.masked_output));
        }
    }
    Ok(())
}

/// The buffers of a step, for all sequences.
struct Step<'a> {
    cpu: &'a Cpu,
    weights: &'a PackedGru,
    options: GruOptions,
    batch: usize,
    units: usize,
    /// `[batch, 3 units]`, or the first `[batch, units]` of it.
    products: Vec<f32>,
    /// `[batch, 2 units]`: z and r.
    gates: Vec<f32>,
    /// `[batch, units]`.
    candidate: Vec<f32>,
}

impl Step<'_> {
    fn run(&mut self, projected: &[f32], hidden: &[f32]) -> Result<()> {
        match &self.weights.recurrent {
            Recurrent::ResetAfter(all) => self.reset_after(all, projected, hidden),
            Recurrent::ResetBefore { gates, candidate } => self.reset_before(gates, candidate, projected, hidden),
        }
    }

    fn reset_after(&mut self, all: &PackedMatrix, projected: &[f32], hidden: &[f32]) -> Result<()> {
        let Step { cpu, weights, options, batch, units, .. } = *self;
        let isa = all.isa();
        let epilogue = Epilogue { shift: weights.recurrent_bias.as_deref(), ..Epilogue::default() };
        gemm(cpu, batch, hidden, units, all, &mut self.products, 3 * units, &epilogue)?;
        for sequence in 0..batch {
            let from_input = &projected[sequence * 3 * units..][..3 * units];
            let from_state = &self.products[sequence * 3 * units..][..3 * units];
            let gates = &mut self.gates[sequence * 2 * units..][..2 * units];
            for (gate, (x, h)) in gates.iter_mut().zip(from_input.iter().zip(from_state)) {
                *gate = x + h;
            }
            activation::apply(isa, options.recurrent_activation, gates);
            let candidate = &mut self.candidate[sequence * units..][..units];
            for (j, value) in candidate.iter_mut().enumerate() {
                *value = from_input[2 * units + j] + gates[units + j] * from_state[2 * units + j];
            }
            activation::apply(isa, options.activation, candidate);
        }
        Ok(())
    }

    fn reset_before(
        &mut self,
        gates: &PackedMatrix,
        candidate: &PackedMatrix,
        projected: &[f32],
        hidden: &[f32],
    ) -> Result<()> {
        let Step { cpu, options, batch, units, .. } = *self;
        gemm(cpu, batch, hidden, units, gates, &mut self.gates, 2 * units, &Epilogue::default())?;
        let isa = gates.isa();
        let reset = &mut self.products[..batch * units];
        for sequence in 0..batch {
            let from_input = &projected[sequence * 3 * units..][..3 * units];
            let gates = &mut self.gates[sequence * 2 * units..][..2 * units];
            gates.iter_mut().zip(from_input).for_each(|(gate, x)| *gate += x);
            activation::apply(isa, options.recurrent_activation, gates);
            let own = sequence * units..(sequence + 1) * units;
            for ((value, r), h) in reset[own.clone()].iter_mut().zip(&gates[units..]).zip(&hidden[own.clone()]) {
                *value = r * h;
            }
            self.candidate[own].copy_from_slice(&from_input[2 * units..]);
        }
        // The product is added to the input's part.
        let residual = self.candidate.clone();
        let epilogue = Epilogue { residual: Some(&residual), activation: options.activation, ..Epilogue::default() };
        gemm(cpu, batch, reset, units, candidate, &mut self.candidate, units, &epilogue)
    }
}
