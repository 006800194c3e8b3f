//! Recurrent layers with and without masks.

use super::*;
use tfjs_ir::prim::activate::Activation;
use tfjs_ir::prim::recurrent::{Cell, Gate, MaskedOutput, Rnn};

#[track_caller]
fn check_rnn(rnn: &Rnn, [batch, time, channels, units]: [usize; 4]) {
    let columns = units * rnn.cell.gates();
    let mut inputs = vec![some(&[batch, time, channels]), some(&[channels, columns]), some(&[units, columns])];
    if rnn.bias {
        inputs.push(if rnn.cell == Cell::GruResetAfter { some(&[2, columns]) } else { some(&[columns]) });
    }
    for _ in 0..rnn.cell.states() {
        inputs.push(some(&[batch, units]));
    }
    if rnn.mask {
        let mask: Vec<bool> = (0..batch * time).map(|i| i % 3 != 0).collect();
        inputs.push(bools(&[batch, time], &mask));
    }
    check_within(1e-5, &inputs, |b, v| b.push(rnn.clone(), v));
    // Only the states.
    check_within(1e-5, &inputs, |b, v| Ok(b.push(rnn.clone(), v)?.split_off(1)));
}

#[test]
fn every_cell_with_and_without_masks() {
    for &cell in Cell::ALL {
        for (case, masked_output) in (0..8).flat_map(|case| MaskedOutput::ALL.iter().map(move |&m| (case, m))) {
            let (bias, mask, backwards) = (case & 1 == 1, case & 2 == 2, case & 4 == 4);
            let rnn = Rnn {
                cell,
                activation: Gate(Some(Activation::Tanh {})),
                recurrent_activation: Gate(Some(Activation::Sigmoid {})),
                backwards,
                bias,
                mask,
                masked_output,
            };
            check_rnn(&rnn, [2, 4, 3, 2]);
        }
    }
}

#[test]
fn empty_sequences() {
    for &cell in Cell::ALL {
        let gate = Gate(None);
        let (activation, recurrent_activation) = (gate, gate);
        let masked_output = MaskedOutput::Previous;
        let rnn =
            Rnn { cell, activation, recurrent_activation, backwards: true, bias: true, mask: true, masked_output };
        for sizes in [[0, 3, 2, 2], [2, 0, 2, 2], [2, 3, 0, 2], [2, 3, 2, 0]] {
            check_rnn(&rnn, sizes);
        }
    }
}
