//! Recurrent layers.

use super::{Case, input, weight};
use tfjs_ir::ElementType::{Bool, F32};
use tfjs_ir::prim::activate::Activation;
use tfjs_ir::prim::recurrent::{Cell, Gate, MaskedOutput, Rnn};

#[test]
fn recurrences() {
    let tanh = Gate(Some(Activation::Tanh {}));
    let sigmoid = Gate(Some(Activation::Sigmoid {}));
    for cell in [Cell::Simple, Cell::Lstm, Cell::Gru, Cell::GruResetAfter] {
        for masked_output in [MaskedOutput::Previous, MaskedOutput::State, MaskedOutput::Zeros] {
            for (backwards, bias, mask) in [(false, true, false), (true, true, true), (false, false, true)] {
                let case = Case::new(|b| {
                    let x = input(b, F32, &["n", "t", "3"]);
                    let columns = 2 * cell.gates();
                    let mut operands = vec![x, weight(b, &[3, columns]), weight(b, &[2, columns])];
                    if bias {
                        let two: &[usize] = if cell == Cell::GruResetAfter { &[2] } else { &[] };
                        operands.push(weight(b, &[two, &[columns]].concat()));
                    }
                    for _ in 0..cell.states() {
                        operands.push(input(b, F32, &["n", "2"]));
                    }
                    if mask {
                        operands.push(input(b, Bool, &["n", "t"]));
                    }
                    let (activation, recurrent_activation) = (tanh, sigmoid);
                    let rnn = Rnn { cell, activation, recurrent_activation, backwards, bias, mask, masked_output };
                    b.push(rnn, &operands)
                });
                assert_eq!(case.kernels(), [cell.name()]);
                for symbols in [[2, 4], [1, 1], [3, 0], [0, 2]] {
                    case.agrees(&symbols);
                }
            }
        }
    }
}
