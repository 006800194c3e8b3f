//! Recurrent sequences: SimpleRNN, LSTM and GRU over all their steps.

use super::activate::Activation;
use super::attribute::{Attribute, Reader, Writer};
use super::infer::{Infer, float, of_element, same_element};
use super::{primitive, words};
use crate::dim::Dim;
use crate::ty::ElementType;
use tfjs_manifest::{Error, Result};

words! {
    /// A recurrent cell, with the gates in the order of their blocks of columns.
    Cell {
        /// `h' = activation(x W + h R + b)`.
        Simple = "simple",
        /// Gates `i, f, c, o`: `c' = f c + i activation(..)`, `h' = o activation(c')`. States `h, c`.
        Lstm = "lstm",
        /// Gates `z, r, h`: `h' = z h + (1 - z) activation(x W + (r h) R + b)`.
        Gru = "gru",
        /// Gates `z, r, h`; the reset gate is applied after the product: `activation(x W + b + r (h R + b'))`. The bias
        /// has two rows.
        GruResetAfter = "gru_reset_after",
    }
}

impl Cell {
    /// The number of blocks of columns in a kernel.
    pub fn gates(self) -> usize {
        match self {
            Cell::Simple => 1,
            Cell::Lstm => 4,
            Cell::Gru | Cell::GruResetAfter => 3,
        }
    }

    /// The number of states.
    pub fn states(self) -> usize {
        if self == Cell::Lstm { 2 } else { 1 }
    }
}

words! {
    /// The output of a masked step, which keeps the states in any case.
    MaskedOutput {
        /// The output of the previous step; zeros before the first.
        Previous = "previous",
        /// The first state.
        State = "state",
        /// Zeros.
        Zeros = "zeros",
    }
}

/// An optional activation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gate(pub Option<Activation>);

impl Attribute for Gate {
    fn write(&self, out: &mut Writer<'_>) {
        match self.0 {
            Some(activation) => activation.write(out),
            None => out.text("linear"),
        }
    }

    fn read(input: &mut Reader<'_>) -> Result<Self> {
        if input.take("linear") { Ok(Gate(None)) } else { Activation::read(input).map(|a| Gate(Some(a))) }
    }
}

primitive! {
    /// A recurrent layer: a cell applied to the steps of a sequence.
    ///
    /// Operands: x `[n, t, c]`, kernel `[c, g u]`, recurrent kernel `[u, g u]`, bias `[g u]` (`[2, g u]` for
    /// `gru_reset_after`) if `bias`, the initial states `[n, u]`, the mask `[n, t]` (false: the step is masked) if
    /// `mask`. Results: the output of every step `[n, t, u]`, the last output `[n, u]`, the final states `[n, u]`. With
    /// no steps the last output is zeros and the final states are the initial ones.
    Rnn {
        /// The cell.
        cell: Cell,
        /// The activation of the candidate.
        activation: Gate,
        /// The activation of the gates.
        recurrent_activation: Gate,
        /// Whether it runs from the last step to the first. Outputs are in the order in which the steps run.
        backwards: bool,
        /// Whether there is a bias.
        bias: bool,
        /// Whether there is a mask.
        mask: bool,
        /// The output of a masked step.
        masked_output: MaskedOutput,
    }
    infer(self, cx, operands) {
        let expected = 3 + usize::from(self.bias) + self.cell.states() + usize::from(self.mask);
        if operands.len() != expected {
            return Err(Error::bug(format!("expected {expected} operands of a recurrence, found {}", operands.len())));
        }
        let [x, kernel, recurrent, rest @ ..] = operands else { return Err(Error::bug("a recurrence without its operands")) };
        let (&[batch, time, channels], &[inputs, columns], &[units, recurrent_columns]) =
            (&x.dims[..], &kernel.dims[..], &recurrent.dims[..])
        else {
            return Err(misfit());
        };
        float(x)?;
        for ty in [kernel, recurrent].into_iter().chain(&rest[..rest.len() - usize::from(self.mask)]) {
            same_element(x, ty)?;
        }
        let gates = cx.dims.number(self.cell.gates() as u64);
        let wide = cx.dims.mul(units, gates)?;
        all_same(cx, &[(channels, inputs), (columns, wide), (recurrent_columns, wide)])?;
        let (bias, rest) = rest.split_at(usize::from(self.bias));
        if let [bias] = bias {
            match (&bias.dims[..], self.cell) {
                (&[two, columns], Cell::GruResetAfter) if cx.dims.known(two) == Some(2) => all_same(cx, &[(columns, wide)])?,
                (&[columns], cell) if cell != Cell::GruResetAfter => all_same(cx, &[(columns, wide)])?,
                _ => return Err(misfit()),
            }
        }
        let (states, mask) = rest.split_at(self.cell.states());
        for state in states {
            let &[rows, columns] = &state.dims[..] else { return Err(misfit()) };
            all_same(cx, &[(rows, batch), (columns, units)])?;
        }
        if let [mask] = mask {
            let &[rows, steps] = &of_element(mask, ElementType::Bool)?.dims[..] else { return Err(misfit()) };
            all_same(cx, &[(rows, batch), (steps, time)])?;
        }
        let state = x.with_dims([batch, units]);
        let mut results = vec![x.with_dims([batch, time, units]), state.clone()];
        // SIZE: at most two states.
        results.extend(std::iter::repeat_n(state, self.cell.states()));
        Ok(results)
    }
}

fn misfit() -> Error {
    Error::bug("a recurrence whose operands do not fit")
}

fn all_same(cx: &mut Infer<'_>, pairs: &[(Dim, Dim)]) -> Result<()> {
    pairs.iter().try_for_each(|&(a, b)| cx.same(a, b).map(|_| ()).ok_or_else(misfit))
}
