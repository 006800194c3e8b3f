//! Rule of recurrent layers: step by step, for each row of the batch.

use super::{Evaluator, Rule, misfit, undefined};
use crate::array::{Array, Data};
use crate::prim::recurrent::{Cell, Gate, MaskedOutput, Rnn};
use tfjs_manifest::Result;

impl Rule for Rnn {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let wrong = || misfit("rnn", operands);
        let &[x, kernel, recurrent, ref rest @ ..] = operands else { return Err(wrong()) };
        let (bias, rest) = rest.split_at_checked(usize::from(self.bias)).ok_or_else(wrong)?;
        let (initial, mask) = rest.split_at_checked(self.cell.states()).ok_or_else(wrong)?;
        let (&[batch, time, channels], &[units, _]) = (x.dims(), recurrent.dims()) else { return Err(wrong()) };
        let columns = units.checked_mul(self.cell.gates()).ok_or_else(wrong)?;
        let bias_dims = if self.cell == Cell::GruResetAfter { vec![2, columns] } else { vec![columns] };
        let mask_dims: [usize; 2] = [batch, time];
        let fits = kernel.dims() == [channels, columns]
            && recurrent.dims() == [units, columns]
            && bias.iter().all(|bias| bias.dims() == bias_dims)
            && initial.iter().all(|state| state.dims() == [batch, units])
            && mask.len() == usize::from(self.mask)
            && mask.iter().all(|mask| mask.dims() == mask_dims);
        if !fits {
            return Err(wrong());
        }
        let bias = bias.first().map(|bias| floats(bias)).transpose()?;
        let weights =
            Weights { rnn: self, kernel: floats(kernel)?, recurrent: floats(recurrent)?, bias, units, columns };
        let (xs, mask) = (floats(x)?, mask.first().map(|mask| mask.bools()).transpose()?);
        cx.elements(&[batch, time, units])?;
        let mut outputs = cx.filled(&[batch, time, units], 0.0)?;
        let mut last = cx.filled(&[batch, units], 0.0)?;
        let mut finals = Vec::with_capacity(initial.len());
        for state in initial {
            finals.push(cx.collect(&[batch, units], floats(state)?.iter().copied())?);
        }
        for row in 0..batch {
            let own = row * units..(row + 1) * units;
            for step in 0..time {
                let operations = (channels + units).saturating_mul(columns).saturating_add(1);
                cx.spend(operations)?;
                cx.look(operations)?;
                let t = if self.backwards { time - 1 - step } else { step };
                let x = &xs[(row * time + t) * channels..][..channels];
                let states: Vec<Vec<f64>> = finals.iter().map(|state| state[own.clone()].to_vec()).collect();
                if mask.is_none_or(|mask| mask[row * time + t]) {
                    let new = weights.step(x, &states);
                    last[own.clone()].copy_from_slice(&new[0]);
                    for (state, new) in finals.iter_mut().zip(new) {
                        state[own.clone()].copy_from_slice(&new);
                    }
                } else {
                    match self.masked_output {
                        MaskedOutput::Previous => {}
                        MaskedOutput::State => last[own.clone()].copy_from_slice(&states[0]),
                        MaskedOutput::Zeros => last[own.clone()].fill(0.0),
                    }
                }
                outputs[(row * time + step) * units..][..units].copy_from_slice(&last[own.clone()]);
            }
        }
        let state = |values: Vec<f64>| Array::new(x.element(), [batch, units], Data::Float(values));
        let mut results = vec![Array::new(x.element(), [batch, time, units], Data::Float(outputs))?, state(last)?];
        for values in finals {
            results.push(state(values)?);
        }
        Ok(results)
    }
}

fn floats(array: &Array) -> Result<&[f64]> {
    match array.data() {
        Data::Float(values) => Ok(values),
        _ => Err(undefined("rnn", array.element())),
    }
}

/// A cell with its weights.
struct Weights<'a> {
    rnn: &'a Rnn,
    kernel: &'a [f64],
    recurrent: &'a [f64],
    /// One row of columns, or two for a GRU that applies the reset gate after the product.
    bias: Option<&'a [f64]>,
    units: usize,
    columns: usize,
}

impl Weights<'_> {
    /// The states after a step; the first is the output.
    fn step(&self, x: &[f64], states: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let (units, columns) = (self.units, self.columns);
        let act = |x: f64| apply(self.rnn.activation, x);
        let gate = |x: f64| apply(self.rnn.recurrent_activation, x);
        let bias = |row: usize, j: usize| self.bias.and_then(|b| b.get(row * columns + j)).copied().unwrap_or(0.0);
        let h = &states[0];
        // The contribution to column `j` of the input, and of a state.
        let input = |j: usize| product(x, self.kernel, columns, j) + bias(0, j);
        let recur = |h: &[f64], j: usize| product(h, self.recurrent, columns, j);
        let each = |f: &dyn Fn(usize) -> f64| (0..units).map(f).collect::<Vec<f64>>();
        match self.rnn.cell {
            Cell::Simple => vec![each(&|j| act(input(j) + recur(h, j)))],
            Cell::Lstm => {
                let sum = |block: usize, j: usize| input(block * units + j) + recur(h, block * units + j);
                let c = each(&|j| gate(sum(1, j)) * states[1][j] + gate(sum(0, j)) * act(sum(2, j)));
                vec![each(&|j| gate(sum(3, j)) * act(c[j])), c]
            }
            Cell::Gru => {
                let sum = |block: usize, j: usize| input(block * units + j) + recur(h, block * units + j);
                let reset = each(&|j| gate(sum(1, j)) * h[j]);
                let candidate = |j: usize| act(input(2 * units + j) + recur(&reset, 2 * units + j));
                vec![each(&|j| blend(gate(sum(0, j)), h[j], candidate(j)))]
            }
            Cell::GruResetAfter => {
                let inner = |block: usize, j: usize| recur(h, block * units + j) + bias(1, block * units + j);
                let sum = |block: usize, j: usize| input(block * units + j) + inner(block, j);
                let candidate = |j: usize| act(input(2 * units + j) + gate(sum(1, j)) * inner(2, j));
                vec![each(&|j| blend(gate(sum(0, j)), h[j], candidate(j)))]
            }
        }
    }
}

fn apply(gate: Gate, x: f64) -> f64 {
    gate.0.map_or(x, |activation| activation.of(x))
}

/// `z h + (1 - z) candidate`.
fn blend(z: f64, h: f64, candidate: f64) -> f64 {
    z * h + (1.0 - z) * candidate
}

/// A row times column `j` of a matrix.
fn product(row: &[f64], matrix: &[f64], columns: usize, j: usize) -> f64 {
    row.iter().enumerate().map(|(i, x)| x * matrix[i * columns + j]).sum()
}
