//! Recurrent layers: one product for the inputs of all steps, then a loop over the steps.

use super::activate::gate;
use super::error::Result;
use super::execute::Site;
use super::layout::reversed;
use super::math::{multipliable, product_until, select};
use super::typed::Typed;
use super::{Results, Rule};
use candle_core::Tensor;
use std::time::Instant;
use tfjs_ir::check_deadline;
use tfjs_ir::prim::recurrent::{Cell, MaskedOutput, Rnn};
use tfjs_manifest::Error;

impl Rule for Rnn {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let misfit = || Error::bug("a recurrence whose operands do not fit");
        let floats = operands.len().checked_sub(usize::from(self.mask)).ok_or_else(misfit)?;
        let (floats, mask) = operands.split_at(floats);
        let dtype = floats.first().ok_or_else(misfit)?.tensor()?.dtype();
        let floats = floats.iter().map(|x| Ok(multipliable(x.tensor()?)?)).collect::<Result<Vec<Tensor>>>()?;
        let [x, kernel, recurrent, rest @ ..] = &floats[..] else { return Err(misfit().into()) };
        let (bias, states) = rest.split_at_checked(usize::from(self.bias)).ok_or_else(misfit)?;
        let mask = mask.first().map(Typed::tensor).transpose()?;

        let (batch, time, _) = x.dims3()?;
        let units = recurrent.dim(0)?;
        let mut states = states.to_vec();
        let zeros = Tensor::zeros((batch, units), x.dtype(), x.device())?;
        let mut last = zeros.clone();
        let mut outputs = Vec::new();
        if batch > 0 && time > 0 && units > 0 {
            let weights = Weights::new(self, kernel, recurrent, bias.first(), site.deadline())?;
            // The time axis first, in the order in which the steps run.
            let steps = in_order(&x.transpose(0, 1)?, self.backwards)?;
            let mask = mask.map(|mask| in_order(&mask.transpose(0, 1)?, self.backwards)).transpose()?;
            let projected = weights.project(&steps)?;
            for t in 0..time {
                check_deadline(site.deadline())?;
                let mut new = weights.step(&projected.get(t)?, &states)?;
                let mut output = new.first().cloned().ok_or_else(misfit)?;
                if let Some(mask) = &mask {
                    let keep = mask.get(t)?.unsqueeze(1)?.broadcast_as((batch, units))?;
                    let instead = match (self.masked_output, states.first()) {
                        (MaskedOutput::Previous, _) => &last,
                        (MaskedOutput::State, Some(state)) => state,
                        _ => &zeros,
                    };
                    output = select(&keep, &output, instead)?;
                    let kept = new.iter().zip(&states).map(|(new, old)| select(&keep, new, old));
                    new = kept.collect::<candle_core::Result<_>>()?;
                }
                states = new;
                if site.expected(0)?.wanted {
                    outputs.push(output.clone());
                }
                last = output;
            }
        }
        let mut results: Vec<Option<Tensor>> = vec![None];
        if site.expected(0)?.wanted {
            let dims = &site.expected(0)?.dims;
            let none = || Tensor::zeros(&dims[..], x.dtype(), x.device());
            results[0] = Some(if outputs.is_empty() { none()? } else { Tensor::stack(&outputs, 1)? });
        }
        results.extend([last].into_iter().chain(states).map(Some));
        let element = site.expected(0)?.element;
        let typed = |tensor: Tensor| Ok(Typed::new(element, tensor.to_dtype(dtype)?));
        results.into_iter().map(|result| result.map(typed).transpose()).collect()
    }
}

/// The first axis in the order in which the steps run.
fn in_order(x: &Tensor, backwards: bool) -> Result<Tensor> {
    if backwards { reversed(x, 0) } else { Ok(x.contiguous()?) }
}

/// A cell with its weights.
struct Weights<'a> {
    rnn: &'a Rnn,
    kernel: &'a Tensor,
    /// The recurrent kernel; of a GRU that applies the reset gate before the product, the columns of the gates.
    recurrent: Tensor,
    /// The columns of the candidate, for a GRU that applies the reset gate before the product.
    candidate: Option<Tensor>,
    input_bias: Option<Tensor>,
    /// The second row of the bias, for a GRU that applies the reset gate after the product.
    recurrent_bias: Option<Tensor>,
    units: usize,
    deadline: Option<Instant>,
}

impl<'a> Weights<'a> {
    fn new(
        rnn: &'a Rnn,
        kernel: &'a Tensor,
        recurrent: &Tensor,
        bias: Option<&Tensor>,
        deadline: Option<Instant>,
    ) -> Result<Self> {
        let units = recurrent.dim(0)?;
        let (input_bias, recurrent_bias) = match (bias, rnn.cell) {
            (Some(bias), Cell::GruResetAfter) => (Some(bias.get(0)?), Some(bias.get(1)?)),
            (bias, _) => (bias.cloned(), None),
        };
        let columns = |start: usize, count: usize| recurrent.narrow(1, start, count)?.contiguous();
        let (recurrent, candidate) = match rnn.cell {
            Cell::Gru => (columns(0, 2 * units)?, Some(columns(2 * units, units)?)),
            _ => (recurrent.contiguous()?, None),
        };
        Ok(Weights { rnn, kernel, recurrent, candidate, input_bias, recurrent_bias, units, deadline })
    }

    /// The part that depends only on the inputs, for all steps: `[t, n, c]` to `[t, n, g u]`.
    fn project(&self, x: &Tensor) -> Result<Tensor> {
        let (time, batch, channels) = x.dims3()?;
        let columns = self.kernel.dim(1)?;
        let out = self.product(&x.reshape((time * batch, channels))?, &self.kernel.contiguous()?)?;
        let out = out.reshape((time, batch, columns))?;
        match &self.input_bias {
            Some(bias) => Ok(out.broadcast_add(bias)?),
            None => Ok(out),
        }
    }

    fn product(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        Ok(product_until(&a.unsqueeze(0)?, &b.unsqueeze(0)?, self.deadline)?.squeeze(0)?)
    }

    /// One step: takes the projected inputs `[n, g u]` and the states, and returns the new states; the first is the
    /// output.
    fn step(&self, x: &Tensor, states: &[Tensor]) -> Result<Vec<Tensor>> {
        match (self.rnn.cell, states) {
            (Cell::Simple, [h]) => Ok(vec![self.act(&(x + self.recur(h)?)?)?]),
            (Cell::Lstm, [h, c]) => Ok(self.lstm(x, h, c)?.into()),
            (Cell::Gru, [h]) => Ok(vec![self.gru(x, h)?]),
            (Cell::GruResetAfter, [h]) => Ok(vec![self.gru_reset_after(x, h)?]),
            (cell, states) => Err(Error::bug(format!("`{}` with {} states", cell.name(), states.len())).into()),
        }
    }

    fn lstm(&self, x: &Tensor, h: &Tensor, c: &Tensor) -> Result<[Tensor; 2]> {
        let z = (x + self.recur(h)?)?;
        let (i, f) = (self.gate(&self.block(&z, 0)?)?, self.gate(&self.block(&z, 1)?)?);
        let (candidate, o) = (self.act(&self.block(&z, 2)?)?, self.gate(&self.block(&z, 3)?)?);
        let c = ((f * c)? + (i * candidate)?)?;
        let h = (o * self.act(&c)?)?;
        Ok([h, c])
    }

    /// The reset gate is applied to `h`.
    fn gru(&self, x: &Tensor, h: &Tensor) -> Result<Tensor> {
        let inner = self.recur(h)?;
        let sum = |i| self.block(x, i)? + self.block(&inner, i)?;
        let (z, r) = (self.gate(&sum(0)?)?, self.gate(&sum(1)?)?);
        let reset = (r * h)?;
        let reset = match &self.candidate {
            Some(candidate) => self.product(&reset, candidate)?,
            None => reset,
        };
        Ok(blend(&z, h, &self.act(&(self.block(x, 2)? + reset)?)?)?)
    }

    /// The reset gate is applied to `h R + b`.
    fn gru_reset_after(&self, x: &Tensor, h: &Tensor) -> Result<Tensor> {
        let inner = self.recur(h)?;
        let sum = |i| self.block(x, i)? + self.block(&inner, i)?;
        let (z, r) = (self.gate(&sum(0)?)?, self.gate(&sum(1)?)?);
        let reset = (r * self.block(&inner, 2)?)?;
        Ok(blend(&z, h, &self.act(&(self.block(x, 2)? + reset)?)?)?)
    }

    /// `h R`, plus the recurrent bias if there is one.
    fn recur(&self, h: &Tensor) -> Result<Tensor> {
        let out = self.product(&h.contiguous()?, &self.recurrent)?;
        match &self.recurrent_bias {
            Some(bias) => Ok(out.broadcast_add(bias)?),
            None => Ok(out),
        }
    }

    /// Block `index` of `units` columns.
    fn block(&self, x: &Tensor, index: usize) -> candle_core::Result<Tensor> {
        x.narrow(1, index * self.units, self.units)
    }

    fn gate(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        gate(self.rnn.recurrent_activation, x)
    }

    fn act(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        gate(self.rnn.activation, x)
    }
}

/// `z h + (1 - z) candidate`.
fn blend(z: &Tensor, h: &Tensor, candidate: &Tensor) -> candle_core::Result<Tensor> {
    (z * h)? + (z.affine(-1.0, 1.0)? * candidate)?
}
