//! Recurrent layers as one product of the whole sequence and a loop over its steps.

use super::Expand;
use crate::build::{Builder, Loop};
use crate::dim::Dim;
use crate::prim::elementwise::BinaryOp;
use crate::prim::layout::Range;
use crate::prim::recurrent::{Cell, Gate, MaskedOutput, Rnn};
use crate::program::Value;
use tfjs_manifest::{Error, Result};

impl Expand for Rnn {
    fn expand(&self, b: &mut Builder, operands: &[Value]) -> Result<Vec<Value>> {
        let missing = || Error::bug("a recurrence without its operands");
        let &[x, kernel, recurrent, ref rest @ ..] = operands else { return Err(missing()) };
        let (bias, rest) = rest.split_at_checked(usize::from(self.bias)).ok_or_else(missing)?;
        let (initial, mask) = rest.split_at_checked(self.cell.states()).ok_or_else(missing)?;
        let (&[batch, time, _], &[units, _]) = (&*b.dims_of(x), &*b.dims_of(recurrent)) else {
            return Err(missing());
        };
        let element = b.ty(x).element;
        let in_steps = |b: &mut Builder, x| if self.backwards { b.reverse(x, &[1]) } else { Ok(x) };
        let (input_bias, recurrent_bias) = self.biases(b, bias.first().copied())?;

        let x = in_steps(b, x)?;
        let mut projected = b.dot(x, kernel, &[], &[(2, 0)])?;
        if let Some(bias) = input_bias {
            projected = b.add(projected, bias)?;
        }
        let mut sequences = vec![projected];
        for &mask in mask {
            sequences.push(in_steps(b, mask)?);
        }
        let step = Step { rnn: self, batch, units };
        let mut invariants = step.recurrent_kernels(b, recurrent)?;
        invariants.extend(recurrent_bias);

        // The last output is the first state, unless there are no steps or steps are masked.
        let with_last = self.mask || b.dims().at_least(time) == 0;
        let mut carries = Vec::new();
        for &state in initial {
            carries.push(b.reshape(state, &[batch, units])?);
        }
        if with_last {
            carries.push(b.full(element, &[batch, units], 0.0)?);
        }
        let over = Loop {
            carries: &carries,
            sequences: &sequences,
            invariants: &invariants,
            length: time,
            axis: 1,
            reverse: false,
        };
        let (mut finals, outputs) = b.scan(over, |b, carries, elements, invariants| {
            let (states, last) = carries.split_at(self.cell.states());
            let (&x, mask) = elements.split_first().ok_or_else(missing)?;
            let mut next = step.states(b, x, states, invariants)?;
            let mut output = *next.first().ok_or_else(missing)?;
            if let (Some(&mask), Some(&last)) = (mask.first(), last.first()) {
                let mask = b.reshape(mask, &[batch, Dim::ONE])?;
                let instead = match self.masked_output {
                    MaskedOutput::Previous => last,
                    MaskedOutput::State => states[0],
                    MaskedOutput::Zeros => b.scalar(element, 0.0)?,
                };
                output = b.select(mask, output, instead)?;
                for (new, &old) in next.iter_mut().zip(states) {
                    *new = b.select(mask, *new, old)?;
                }
            }
            if with_last {
                next.push(output);
            }
            Ok((next, vec![output]))
        })?;
        let last = if with_last { finals.pop() } else { finals.first().copied() };
        let mut results = outputs;
        results.push(last.ok_or_else(missing)?);
        results.extend(finals);
        Ok(results)
    }
}

impl Rnn {
    /// The bias of the input, and that of the product with the state if it is separate.
    fn biases(&self, b: &mut Builder, bias: Option<Value>) -> Result<(Option<Value>, Option<Value>)> {
        let Some(bias) = bias else { return Ok((None, None)) };
        if self.cell != Cell::GruResetAfter {
            return Ok((Some(bias), None));
        }
        let mut row = |start| {
            let row = b.slice_axis(bias, 0, Range { start, len: Dim::ONE, step: 1 })?;
            b.remove_axis(row, 0)
        };
        Ok((Some(row(Dim::ZERO)?), Some(row(Dim::ONE)?)))
    }
}

/// One step: the body of the loop.
struct Step<'a> {
    rnn: &'a Rnn,
    batch: Dim,
    units: Dim,
}

impl Step<'_> {
    /// The recurrent kernels: one for all gates, or in a GRU, whose reset gate is applied in between, one for the gates
    /// and one for the candidate.
    fn recurrent_kernels(&self, b: &mut Builder, kernel: Value) -> Result<Vec<Value>> {
        if self.rnn.cell != Cell::Gru {
            return Ok(vec![kernel]);
        }
        let two = b.dims().add(self.units, self.units)?;
        Ok(vec![b.columns(kernel, Dim::ZERO, two)?, b.columns(kernel, two, self.units)?])
    }

    /// The states after a step; the first is the output. `x` is the projected input.
    fn states(&self, b: &mut Builder, x: Value, states: &[Value], weights: &[Value]) -> Result<Vec<Value>> {
        match (self.rnn.cell, states, weights) {
            (Cell::Simple, &[h], &[kernel, ..]) => {
                let sum = self.sum(b, x, h, kernel)?;
                Ok(vec![act(b, self.rnn.activation, sum)?])
            }
            (Cell::Lstm, &[h, c], &[kernel, ..]) => {
                let sum = self.sum(b, x, h, kernel)?;
                let (input, forget) = (self.gate(b, sum, 0)?, self.gate(b, sum, 1)?);
                let (candidate, output) = (self.block(b, sum, 2)?, self.gate(b, sum, 3)?);
                let candidate = act(b, self.rnn.activation, candidate)?;
                let (kept, fresh) = (b.mul(forget, c)?, b.mul(input, candidate)?);
                let c = b.add(kept, fresh)?;
                let active = act(b, self.rnn.activation, c)?;
                Ok(vec![b.mul(output, active)?, c])
            }
            (Cell::Gru, &[h], &[gates, candidate]) => {
                let two = b.dims().add(self.units, self.units)?;
                let wide = b.columns(x, Dim::ZERO, two)?;
                let sum = self.sum(b, wide, h, gates)?;
                let (update, reset) = (self.gate(b, sum, 0)?, self.gate(b, sum, 1)?);
                let remembered = b.mul(reset, h)?;
                let own = self.block(b, x, 2)?;
                let sum = self.sum(b, own, remembered, candidate)?;
                self.blend(b, update, h, sum)
            }
            (Cell::GruResetAfter, &[h], &[kernel, ref bias @ ..]) => {
                let mut inner = b.dot(h, kernel, &[], &[(1, 0)])?;
                if let Some(&bias) = bias.first() {
                    inner = b.add(inner, bias)?;
                }
                let gate = |b: &mut Builder, block| {
                    let (x, inner) = (self.block(b, x, block)?, self.block(b, inner, block)?);
                    let sum = b.add(x, inner)?;
                    act(b, self.rnn.recurrent_activation, sum)
                };
                let (update, reset) = (gate(b, 0)?, gate(b, 1)?);
                let (own, inner) = (self.block(b, x, 2)?, self.block(b, inner, 2)?);
                let remembered = b.mul(reset, inner)?;
                let sum = b.add(own, remembered)?;
                self.blend(b, update, h, sum)
            }
            _ => Err(Error::bug("a cell without its states")),
        }
    }

    /// `x + h kernel`.
    fn sum(&self, b: &mut Builder, x: Value, h: Value, kernel: Value) -> Result<Value> {
        let product = b.dot(h, kernel, &[], &[(1, 0)])?;
        b.add(x, product)
    }

    /// Block `index` of `units` columns.
    fn block(&self, b: &mut Builder, x: Value, index: usize) -> Result<Value> {
        let index = b.number(index);
        let start = b.dims().mul(index, self.units)?;
        b.columns(x, start, self.units)
    }

    fn gate(&self, b: &mut Builder, x: Value, index: usize) -> Result<Value> {
        let block = self.block(b, x, index)?;
        act(b, self.rnn.recurrent_activation, block)
    }

    /// `z h + (1 - z) activation(sum)`.
    fn blend(&self, b: &mut Builder, z: Value, h: Value, sum: Value) -> Result<Vec<Value>> {
        let candidate = act(b, self.rnn.activation, sum)?;
        let kept = b.mul(z, h)?;
        let one = b.scalar(b.ty(z).element, 1.0)?;
        let rest = b.binary(BinaryOp::Sub, one, z)?;
        let fresh = b.mul(rest, candidate)?;
        let h = b.add(kept, fresh)?;
        Ok(vec![b.reshape(h, &[self.batch, self.units])?])
    }
}

fn act(b: &mut Builder, gate: Gate, x: Value) -> Result<Value> {
    match gate.0 {
        Some(function) => b.activate(function, x),
        None => Ok(x),
    }
}
