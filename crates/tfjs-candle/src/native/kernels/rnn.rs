//! Recurrent layers over the steps of a sequence, with kernels from weights.

use crate::native::activation::gate;
use crate::native::held::Loaded;
use crate::native::io::{Ins, Io, rejected, wrong_form};
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use crate::native::want::Want;
use tfjs_ir::Prim;
use tfjs_ir::prim::recurrent::{Cell, MaskedOutput, Rnn};
use tfjs_kernels::{
    Activation, GruOptions, LstmOptions, MaskedOutput as Masked, SequenceShape, SequenceState, gru, lstm, simple_rnn,
};
use tfjs_manifest::{Error, Result};

#[derive(Clone, Copy, Debug)]
struct Recurrence {
    cell: Cell,
    activation: Activation,
    recurrent_activation: Activation,
    backwards: bool,
    /// The position of the mask among the step's operands.
    mask: Option<usize>,
    masked_output: Masked,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let Prim::Rnn(Rnn { cell, activation, recurrent_activation, backwards, bias, mask, masked_output }) = &node.prim
    else {
        return None;
    };
    let [x, kernel, recurrent, rest @ ..] = &node.operands[..] else { return None };
    let (given_bias, rest) = rest.split_at_checked(usize::from(*bias))?;
    let derived = |value| view.derived_f32(value).map(|(id, _)| id);
    let bias = given_bias.first().map(|&bias| derived(bias).ok_or(())).transpose().ok()?;
    let want = Want::Recurrence { cell: *cell, kernel: derived(*kernel)?, recurrent: derived(*recurrent)?, bias };
    for (id, format) in want.packed(view.derived) {
        if !view.spare(&Want::Packed(id, format), format.padding()) {
            return None;
        }
    }
    let kernel = Recurrence {
        cell: *cell,
        activation: gate(*activation)?,
        recurrent_activation: gate(*recurrent_activation)?,
        backwards: *backwards,
        mask: mask.then_some(cell.states() + 1),
        masked_output: match masked_output {
            MaskedOutput::Previous => Masked::Previous,
            MaskedOutput::State => Masked::State,
            MaskedOutput::Zeros => Masked::Zero,
        },
    };
    // The sequence, the initial states, the mask.
    let operands: Vec<_> = [x].into_iter().chain(rest).copied().collect();
    Some(Claim::of(kernel, index, operands, node.results.clone()).with_wants([want]))
}

impl Kernel for Recurrence {
    fn describe(&self) -> String {
        self.cell.name().to_string()
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let &[batch, time, features] = shapes.operand() else {
            return Err(Error::bug("expected a sequence of rank 3"));
        };
        let units = shapes.result().last().copied().unwrap_or(0);
        let (kernel, shape) = (*self, SequenceShape { batch, time, features });
        let gates = batch.saturating_mul(units).saturating_mul(self.cell.gates());
        let projected = gates.saturating_mul(time);
        let ordered = batch.saturating_mul(time).saturating_mul(features);
        let scratch = projected.saturating_add(ordered).saturating_add(gates.saturating_mul(3));
        Ok(Prepared::new(move |io| kernel.run(io, shape, units)).with_scratch(scratch))
    }
}

impl Recurrence {
    fn run(&self, io: &mut Io<'_>, shape: SequenceShape, units: usize) -> Result<()> {
        io.cx.check_deadline()?;
        let (cpu, ins, loaded) = (io.cx.cpu, io.ins, io.loaded(0)?);
        let state = self.state(ins)?;
        let states = shape.batch * units;
        let (mut hidden, mut cell) = (vec![0.0; states], vec![0.0; states]);
        let [sequences, last, final_hidden, final_cell] = io.outs.all::<f32, 4>()?;
        let x = ins.get::<f32>(0)?;
        let Recurrence { activation, recurrent_activation, .. } = *self;
        match (loaded, self.cell) {
            (Loaded::Lstm(weights), Cell::Lstm) => {
                let options = LstmOptions { activation, recurrent_activation };
                lstm(cpu, shape, x, weights, options, &state, sequences, &mut hidden, &mut cell)
            }
            (Loaded::Gru(weights), Cell::Gru | Cell::GruResetAfter) => {
                let options = GruOptions { activation, recurrent_activation };
                gru(cpu, shape, x, weights, options, &state, sequences, &mut hidden)
            }
            (Loaded::SimpleRnn(weights), Cell::Simple) => {
                simple_rnn(cpu, shape, x, weights, activation, &state, sequences, &mut hidden)
            }
            _ => return Err(wrong_form()),
        }
        .map_err(rejected)?;
        if let Some(last) = last {
            last_output(&state, shape, units, &hidden, last);
        }
        for (to, from) in [(final_hidden, &hidden), (final_cell, &cell)] {
            if let Some(to) = to {
                to.copy_from_slice(from);
            }
        }
        Ok(())
    }

    fn state<'a>(&self, ins: Ins<'a>) -> Result<SequenceState<'a>> {
        Ok(SequenceState {
            backwards: self.backwards,
            mask: self.mask.map(|operand| ins.get::<bool>(operand)).transpose()?,
            masked_output: self.masked_output,
            hidden: Some(ins.get(1)?),
            cell: if self.cell == Cell::Lstm { Some(ins.get(2)?) } else { None },
        })
    }
}

/// The output of the last step that runs. `hidden` is the state after it.
fn last_output(state: &SequenceState<'_>, shape: SequenceShape, units: usize, hidden: &[f32], last: &mut [f32]) {
    let SequenceShape { time, .. } = shape;
    if time == 0 {
        return last.fill(0.0);
    }
    last.copy_from_slice(hidden);
    let Some(mask) = state.mask else { return };
    for (steps, row) in mask.chunks_exact(time).zip(last.chunks_exact_mut(units.max(1))) {
        let last_step = if state.backwards { steps[0] } else { steps[time - 1] };
        let counts = match state.masked_output {
            Masked::State => true,
            // The state has not changed since the last unmasked step, so it is that step's output.
            Masked::Previous => steps.contains(&true),
            Masked::Zero => last_step,
        };
        if !counts {
            row.fill(0.0);
        }
    }
}
