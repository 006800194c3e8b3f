//! Compares recurrent layers with plain loops in f64, written from Keras's equations.

use super::*;
use crate::testing::{assert_close, cpus, values};
use crate::{Activation, Isa, KernelError};

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `x * w + b` with rows of `n`.
fn affine(x: &[f64], w: &[f32], n: usize, b: &[f64]) -> Vec<f64> {
    let mut out = b.to_vec();
    for (i, x) in x.iter().enumerate() {
        for (j, out) in out.iter_mut().enumerate() {
            *out += x * f64::from(w[i * n + j]);
        }
    }
    out
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| x.into()).collect()
}

#[derive(Clone, Copy, Debug)]
struct Case {
    shape: SequenceShape,
    units: usize,
    backwards: bool,
    masked: bool,
    masked_output: MaskedOutput,
    initial: bool,
    bias: bool,
}

fn cases() -> Vec<Case> {
    let plain = Case {
        shape: SequenceShape { batch: 1, time: 5, features: 3 },
        units: 4,
        backwards: false,
        masked: false,
        masked_output: MaskedOutput::Previous,
        initial: false,
        bias: true,
    };
    let batch = Case { shape: SequenceShape { batch: 3, time: 6, features: 5 }, units: 9, ..plain };
    vec![
        plain,
        batch,
        Case { bias: false, initial: true, ..batch },
        Case { backwards: true, initial: true, ..plain },
        Case { backwards: true, masked: true, ..batch },
        Case { masked: true, initial: true, ..batch },
        Case { masked: true, initial: true, masked_output: MaskedOutput::Zero, ..batch },
        Case { masked: true, initial: true, masked_output: MaskedOutput::State, ..batch },
        Case { shape: SequenceShape { batch: 2, time: 0, features: 3 }, initial: true, ..plain },
        Case { shape: SequenceShape { batch: 5, time: 7, features: 40 }, units: 33, ..plain },
    ]
}

/// Runs one sequence at a time: `next(x, states)` returns the next states, the first of which is the output.
fn walk(
    case: Case,
    input: &[f32],
    mask: &[bool],
    states: &[Vec<f32>],
    next: impl Fn(&[f64], &[Vec<f64>]) -> Vec<Vec<f64>>,
) -> (Vec<f64>, Vec<Vec<f64>>) {
    let SequenceShape { batch, time, features } = case.shape;
    let (mut outputs, mut last) = (Vec::new(), vec![Vec::new(); states.len()]);
    for b in 0..batch {
        let mut now: Vec<Vec<f64>> = states.iter().map(|s| wide(&s[b * case.units..(b + 1) * case.units])).collect();
        let mut previous = vec![0.0; case.units];
        for i in 0..time {
            let t = if case.backwards { time - 1 - i } else { i };
            let x = wide(&input[(b * time + t) * features..][..features]);
            if !case.masked || mask[b * time + t] {
                now = next(&x, &now);
                previous = now[0].clone();
            } else {
                previous = match case.masked_output {
                    MaskedOutput::Previous => previous,
                    MaskedOutput::Zero => vec![0.0; case.units],
                    MaskedOutput::State => now[0].clone(),
                };
            }
            outputs.extend_from_slice(&previous);
        }
        for (last, now) in last.iter_mut().zip(now) {
            last.extend(now);
        }
    }
    (outputs, last)
}

struct Given {
    input: Vec<f32>,
    mask: Vec<bool>,
    hidden: Vec<f32>,
    cell: Vec<f32>,
    kernel: Vec<f32>,
    recurrent: Vec<f32>,
    bias: Vec<f32>,
}

fn given(case: Case, gates: usize, biases: usize) -> Given {
    let SequenceShape { batch, time, features } = case.shape;
    let n = case.units * gates;
    let states = |seed| {
        let mut states = values(batch * case.units, seed);
        if !case.initial {
            states.fill(0.0);
        }
        states
    };
    let mut bias = values(n * biases, 6);
    if !case.bias {
        bias.fill(0.0);
    }
    Given {
        input: values(batch * time * features, 1).iter().map(|x| 2.0 * x).collect(),
        mask: values(batch * time, 2).iter().map(|&x| x > 0.0).collect(),
        hidden: states(3),
        cell: states(4),
        kernel: values(features * n, 5),
        recurrent: values(case.units * n, 7),
        bias,
    }
}

fn state<'a>(case: Case, given: &'a Given, with_cell: bool) -> SequenceState<'a> {
    SequenceState {
        backwards: case.backwards,
        mask: case.masked.then_some(&given.mask),
        masked_output: case.masked_output,
        hidden: case.initial.then_some(&given.hidden),
        cell: (case.initial && with_cell).then_some(&given.cell),
    }
}

#[track_caller]
fn assert_all_close(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len());
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        assert_close(found, expected, 20.0, &format!("{what} {i}"));
    }
}

#[test]
fn lstm_agrees_with_f64() {
    for cpu in cpus() {
        for case in cases() {
            let given = given(case, 4, 1);
            let (u, n) = (case.units, case.units * 4);
            let bias = wide(&given.bias);
            let initial = [given.hidden.clone(), given.cell.clone()];
            let (outputs, last) = walk(case, &given.input, &given.mask, &initial, |x, states| {
                let z = affine(x, &given.kernel, n, &bias);
                let z = affine(&states[0], &given.recurrent, n, &z);
                let gate = |g: usize, j: usize| z[g * u + j];
                let c: Vec<f64> = (0..u)
                    .map(|j| sigmoid(gate(1, j)) * states[1][j] + sigmoid(gate(0, j)) * gate(2, j).tanh())
                    .collect();
                let h = (0..u).map(|j| sigmoid(gate(3, j)) * c[j].tanh()).collect();
                vec![h, c]
            });
            let bias = case.bias.then_some(&given.bias[..]);
            let weights =
                PackedLstm::pack(cpu.isa(), case.shape.features, u, &given.kernel, &given.recurrent, bias).unwrap();
            let unpacked = weights.unpack();
            assert_eq!(
                (unpacked.0, unpacked.1, unpacked.2.as_deref()),
                (given.kernel.clone(), given.recurrent.clone(), bias)
            );
            let mut sequences = vec![f32::NAN; outputs.len()];
            let (mut hidden, mut cell) = (vec![f32::NAN; last[0].len()], vec![f32::NAN; last[0].len()]);
            let (options, state) = (LstmOptions::default(), state(case, &given, true));
            lstm(
                &cpu,
                case.shape,
                &given.input,
                &weights,
                options,
                &state,
                Some(&mut sequences),
                &mut hidden,
                &mut cell,
            )
            .unwrap();
            assert_all_close(&sequences, &outputs, &format!("output of {case:?} on {cpu:?}"));
            assert_all_close(&hidden, &last[0], &format!("hidden of {case:?} on {cpu:?}"));
            assert_all_close(&cell, &last[1], &format!("cell of {case:?} on {cpu:?}"));
        }
    }
}

#[test]
fn gru_agrees_with_f64_in_both_forms() {
    for cpu in cpus() {
        for case in cases() {
            for reset_after in [true, false] {
                let given = given(case, 3, if reset_after { 2 } else { 1 });
                let (u, n) = (case.units, case.units * 3);
                let input_bias = wide(&given.bias[..n]);
                let recurrent_bias = if reset_after { wide(&given.bias[n..]) } else { vec![0.0; n] };
                let (outputs, last) =
                    walk(case, &given.input, &given.mask, std::slice::from_ref(&given.hidden), |x, states| {
                        let h = &states[0];
                        let xz = affine(x, &given.kernel, n, &input_bias);
                        let hz = affine(h, &given.recurrent, n, &recurrent_bias);
                        let z: Vec<f64> = (0..u).map(|j| sigmoid(xz[j] + hz[j])).collect();
                        let r: Vec<f64> = (0..u).map(|j| sigmoid(xz[u + j] + hz[u + j])).collect();
                        let inner: Vec<f64> = if reset_after {
                            (0..u).map(|j| r[j] * hz[2 * u + j]).collect()
                        } else {
                            let rh: Vec<f64> = (0..u).map(|j| r[j] * h[j]).collect();
                            affine(&rh, &given.recurrent, n, &vec![0.0; n])[2 * u..].to_vec()
                        };
                        let new = (0..u).map(|j| z[j] * h[j] + (1.0 - z[j]) * (xz[2 * u + j] + inner[j]).tanh());
                        vec![new.collect()]
                    });
                let bias = case.bias.then_some(&given.bias[..]);
                let weights = PackedGru::pack(
                    cpu.isa(),
                    case.shape.features,
                    u,
                    reset_after,
                    &given.kernel,
                    &given.recurrent,
                    bias,
                )
                .unwrap();
                let unpacked = weights.unpack();
                assert_eq!(
                    (unpacked.0, unpacked.1, unpacked.2.as_deref()),
                    (given.kernel.clone(), given.recurrent.clone(), bias)
                );
                let mut sequences = vec![f32::NAN; outputs.len()];
                let mut hidden = vec![f32::NAN; last[0].len()];
                let (options, state) = (GruOptions::default(), state(case, &given, false));
                gru(&cpu, case.shape, &given.input, &weights, options, &state, Some(&mut sequences), &mut hidden)
                    .unwrap();
                let what = format!("{case:?}, reset after {reset_after} on {cpu:?}");
                assert_all_close(&sequences, &outputs, &format!("output of {what}"));
                assert_all_close(&hidden, &last[0], &format!("hidden of {what}"));
            }
        }
    }
}

#[test]
fn simple_rnn_agrees_with_f64() {
    for cpu in cpus() {
        for case in cases() {
            let given = given(case, 1, 1);
            let u = case.units;
            let bias = wide(&given.bias);
            let (outputs, last) =
                walk(case, &given.input, &given.mask, std::slice::from_ref(&given.hidden), |x, states| {
                    let z = affine(x, &given.kernel, u, &bias);
                    let z = affine(&states[0], &given.recurrent, u, &z);
                    vec![z.into_iter().map(f64::tanh).collect()]
                });
            let bias = case.bias.then_some(&given.bias[..]);
            let features = case.shape.features;
            let weights = PackedSimpleRnn::pack(cpu.isa(), features, u, &given.kernel, &given.recurrent, bias).unwrap();
            let mut sequences = vec![f32::NAN; outputs.len()];
            let mut hidden = vec![f32::NAN; last[0].len()];
            let state = state(case, &given, false);
            let (input, tanh) = (&given.input, Activation::Tanh);
            simple_rnn(&cpu, case.shape, input, &weights, tanh, &state, Some(&mut sequences), &mut hidden).unwrap();
            assert_all_close(&sequences, &outputs, &format!("output of {case:?} on {cpu:?}"));
            assert_all_close(&hidden, &last[0], &format!("hidden of {case:?} on {cpu:?}"));
        }
    }
}

#[test]
fn other_activations_are_used_where_they_belong() {
    // One unit, one step, no state: h = o(z) * a(c), c = i(z) * a(z), all weights 1, input 2.
    let weights = PackedLstm::pack(Isa::PORTABLE, 1, 1, &[1.0; 4], &[0.0; 4], None).unwrap();
    let options = LstmOptions {
        activation: Activation::Linear,
        recurrent_activation: Activation::HardSigmoid(crate::HardSigmoidForm::Clip),
    };
    let (mut hidden, mut cell) = ([0.0], [0.0]);
    let shape = SequenceShape { batch: 1, time: 1, features: 1 };
    let cpu = Cpu::with_isa(Isa::PORTABLE, 1);
    lstm(&cpu, shape, &[2.0], &weights, options, &SequenceState::default(), None, &mut hidden, &mut cell).unwrap();
    assert_close(cell[0], 0.9 * 2.0, 0.0, "cell");
    assert_close(hidden[0], 0.9 * 0.9 * 2.0, 0.0, "hidden");
}

#[test]
fn wrong_lengths_are_errors() {
    let cpu = Cpu::with_isa(Isa::PORTABLE, 1);
    let shape = SequenceShape { batch: 2, time: 3, features: 4 };
    let weights = PackedGru::pack(Isa::PORTABLE, 4, 5, false, &[0.0; 60], &[0.0; 75], None).unwrap();
    let call = |input: usize, state: &SequenceState<'_>, sequences: usize, hidden: usize| {
        let (mut sequences, mut hidden) = (vec![0.0; sequences], vec![0.0; hidden]);
        let options = GruOptions::default();
        gru(&cpu, shape, &vec![0.0; input], &weights, options, state, Some(&mut sequences), &mut hidden).unwrap_err()
    };
    let plain = SequenceState::default();
    assert_eq!(call(23, &plain, 30, 10), KernelError::Length { what: "input", expected: 24, found: 23 });
    assert_eq!(call(24, &plain, 29, 10), KernelError::Length { what: "sequences", expected: 30, found: 29 });
    assert_eq!(call(24, &plain, 30, 9), KernelError::Length { what: "hidden", expected: 10, found: 9 });
    let masked = SequenceState { mask: Some(&[true; 5]), ..plain };
    assert_eq!(call(24, &masked, 30, 10), KernelError::Length { what: "mask", expected: 6, found: 5 });
    let started = SequenceState { hidden: Some(&[0.0; 5]), ..plain };
    let e = call(24, &started, 30, 10);
    assert_eq!(e, KernelError::Length { what: "initial hidden state", expected: 10, found: 5 });
    let e = PackedGru::pack(Isa::PORTABLE, 4, 5, true, &[0.0; 60], &[0.0; 75], Some(&[0.0; 15])).unwrap_err();
    assert_eq!(e, KernelError::Length { what: "bias", expected: 30, found: 15 });
    let e = PackedLstm::pack(Isa::PORTABLE, 4, 5, &[0.0; 80], &[0.0; 99], None).unwrap_err();
    assert_eq!(e, KernelError::Length { what: "recurrent_kernel", expected: 100, found: 99 });
}
