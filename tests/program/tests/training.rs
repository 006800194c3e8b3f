//! Ten training steps by the interpreter, compared with the producers' weights.

use program_harness::training::{NETWORKS, PRODUCERS, STEPS, Training};
use tfjs_ir::{Inputs, Program, Target, interpret};

/// The producers' results, in single precision, differ from each other by about 1e-7.
const TOLERANCE: f64 = 2e-6;

fn trainings() -> impl Iterator<Item = Training> {
    let all = NETWORKS.into_iter().flat_map(|network| PRODUCERS.map(|producer| (network, producer)));
    all.map(|(network, producer)| Training::load(network, producer).unwrap())
}

#[test]
fn ten_steps_give_the_weights_of_the_producers() {
    for training in trainings() {
        let mut weights = training.weights.clone();
        for step in 0..STEPS {
            let call = Inputs { arguments: training.arguments(step), slots: weights.clone(), ..Inputs::default() };
            let outcome = interpret(&training.step, &call).unwrap();
            let difference = training.loss_difference(step, outcome.outputs[0].to_floats().unwrap()[0]);
            assert!(difference < TOLERANCE, "{}, step {step}: the loss differs by {difference}", training.id);
            for (target, value) in outcome.updates {
                let Target::Slot(slot) = target else { panic!("a network without states") };
                weights[slot.index()] = value;
            }
            if let Some((difference, name)) = training.weight_difference(step, &weights).unwrap() {
                assert!(difference < TOLERANCE, "{}, step {step}: `{name}` differs by {difference}", training.id);
            }
        }
    }
}

#[test]
fn the_programs_verify_and_are_read_back() {
    for training in trainings() {
        tfjs_ir::verify::verify(&training.step).unwrap();
        let text = training.step.to_string();
        assert_eq!(text.parse::<Program>().unwrap().to_string(), text);
    }
}
