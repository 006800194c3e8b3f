//! Recurrent layers over whole sequences: one product projects the inputs of all steps, then each step is one
//! product with the state and the gates' arithmetic.

mod gates;
mod gru;
mod lstm;
mod simple;

use crate::epilogue::Epilogue;
use crate::error::{Result, check_len, product};
use crate::{Cpu, PackedMatrix, gemm};

pub use gru::{GruOptions, PackedGru, gru};
pub use lstm::{LstmOptions, PackedLstm, lstm};
pub use simple::{PackedSimpleRnn, simple_rnn};

/// The size of a batch of sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers write all fields")]
pub struct SequenceShape {
    /// The number of sequences.
    pub batch: usize,
    /// The number of steps of each.
    pub time: usize,
    /// The number of values of a step.
    pub features: usize,
}

/// The output of a masked step, which keeps the state in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "frameworks know these")]
pub enum MaskedOutput {
    /// The output of the previous step, zeros before the first unmasked step: Keras.
    #[default]
    Previous,
    /// Zeros: Keras with `zero_output_for_mask`.
    Zero,
    /// The state: TensorFlow.js. Differs from `Previous` only if the initial state is not zero.
    State,
}

/// The direction, mask and initial state of a sequence.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "callers write the fields they need over the default")]
pub struct SequenceState<'a> {
    /// Whether it runs from the last step to the first. The outputs are in the order in which the steps run, so the
    /// first output belongs to the last step, as in Keras.
    pub backwards: bool,
    /// `[batch, time]`: false for a masked step.
    pub mask: Option<&'a [bool]>,
    /// The output of masked steps.
    pub masked_output: MaskedOutput,
    /// `[batch, units]`: the initial output; zeros if not given.
    pub hidden: Option<&'a [f32]>,
    /// `[batch, units]`: the initial cell (LSTM only); zeros if not given.
    pub cell: Option<&'a [f32]>,
}

impl SequenceState<'_> {
    fn check(&self, shape: SequenceShape, units: usize) -> Result<()> {
        let SequenceState { backwards: _, mask, masked_output: _, hidden, cell } = self;
        let states = product("initial state", &[shape.batch, units])?;
        if let Some(mask) = mask {
            check_len("mask", product("mask", &[shape.batch, shape.time])?, mask.len())?;
        }
        if let Some(hidden) = hidden {
            check_len("initial hidden state", states, hidden.len())?;
        }
        if let Some(cell) = cell {
            check_len("initial cell state", states, cell.len())?;
        }
        Ok(())
    }

    /// The index of the step that runs as number `i`.
    fn step(&self, i: usize, time: usize) -> usize {
        if self.backwards { time - 1 - i } else { i }
    }

    fn is_masked(&self, sequence: usize, step: usize, time: usize) -> bool {
        self.mask.is_some_and(|mask| !mask[sequence * time + step])
    }
}

fn initial(given: Option<&[f32]>, len: usize) -> Vec<f32> {
    given.map_or_else(|| vec![0.0; len], <[f32]>::to_vec)
}

/// Whether the deadline has passed. It is checked only at some steps, because a step may be cheaper than reading the
/// clock.
fn is_late(cpu: &Cpu, step: usize) -> bool {
    step.is_multiple_of(64) && cpu.is_late()
}

/// `input * kernel + bias` for all steps, as `[time, batch, n]` in the order in which the steps run, so that the values
/// of a step are contiguous.
fn project(
    cpu: &Cpu,
    shape: SequenceShape,
    state: &SequenceState<'_>,
    input: &[f32],
    kernel: &PackedMatrix,
    bias: Option<&[f32]>,
) -> Result<Vec<f32>> {
    let SequenceShape { batch, time, features } = shape;
    let n = kernel.n();
    let mut out = vec![0.0; product("input projection", &[batch, time, n])?];
    let epilogue = Epilogue { shift: bias, ..Epilogue::default() };
    if batch == 1 && !state.backwards {
        gemm(cpu, time, input, features, kernel, &mut out, n, &epilogue)?;
        return Ok(out);
    }
    let mut ordered = Vec::with_capacity(input.len());
    for i in 0..time {
        for sequence in 0..batch {
            let start = (sequence * time + state.step(i, time)) * features;
            ordered.extend_from_slice(&input[start..start + features]);
        }
    }
    gemm(cpu, time * batch, &ordered, features, kernel, &mut out, n, &epilogue)?;
    Ok(out)
}

/// The destination of outputs: all steps `[batch, time, units]`, or none of them.
struct Outputs<'a> {
    sequences: Option<&'a mut [f32]>,
    time: usize,
    units: usize,
}

impl<'a> Outputs<'a> {
    fn new(sequences: Option<&'a mut [f32]>, shape: SequenceShape, units: usize) -> Result<Self> {
        if let Some(sequences) = &sequences {
            check_len("sequences", product("sequences", &[shape.batch, shape.time, units])?, sequences.len())?;
        }
        Ok(Outputs { sequences, time: shape.time, units })
    }

    /// Writes the output of the step that runs as number `i` of one sequence; `hidden` is the state after it.
    fn write(&mut self, sequence: usize, i: usize, hidden: &[f32], masked: Option<MaskedOutput>) {
        let Outputs { sequences: Some(sequences), time, units } = self else {
            return;
        };
        let at = (sequence * *time + i) * *units;
        match masked {
            None | Some(MaskedOutput::State) => sequences[at..at + *units].copy_from_slice(hidden),
            Some(MaskedOutput::Previous) if i > 0 => sequences.copy_within(at - *units..at, at),
            Some(MaskedOutput::Previous | MaskedOutput::Zero) => sequences[at..at + *units].fill(0.0),
        }
    }
}

#[cfg(test)]
mod tests;
