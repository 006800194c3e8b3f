//! Random programs: the engine agrees with the interpreter.

use super::*;
use tfjs_ir::arbitrary::{Choices, Taste, inputs, program};
use tfjs_ir::pass::dead_code;

#[test]
fn random_programs_compute_what_the_interpreter_does() {
    let mut compared = 0;
    for seed in 0..400 {
        let mut choices = Choices::seeded(seed);
        let program = program(&mut choices, Taste::Tame, 24).unwrap();
        // Nodes whose results are not read do not run, and so cannot fail.
        let live = dead_code(&program).unwrap();
        for layout in [Layout::RowMajor, Layout::Turned, Layout::RowMajor] {
            let symbols: Vec<u64> = (0..3).map(|_| *choices.one_of(&[0, 1, 2, 2, 3, 5])).collect();
            let given = inputs(&mut choices, &program, &symbols).unwrap();
            let what = format!("seed {seed}, symbols {symbols:?}\n{program}");
            match (run(&program, &given, layout), reference(&live, &given)) {
                (Ok(found), Ok(expected)) => {
                    compared += 1;
                    for (found, expected) in found.iter().zip(&expected) {
                        assert_close(found, expected, 2e-4, &what);
                    }
                }
                (Err(found), Err(expected)) => assert_eq!(found.to_string(), expected.to_string(), "{what}"),
                (found, expected) => panic!("{:?}, expected {:?}\n{what}", found.err(), expected.err()),
            }
        }
    }
    assert!(compared > 400, "{compared} calls compared");
}

/// Several steps, each with the weights and states of the previous one.
#[test]
fn random_steps_in_sequence_compute_what_the_interpreter_does() {
    let mut replaced = 0;
    for seed in 0..200 {
        let mut choices = Choices::seeded(seed);
        let program = dead_code(&program(&mut choices, Taste::Tame, 12).unwrap()).unwrap();
        if program.replaced_slots().next().is_none() {
            continue;
        }
        let symbols: Vec<u64> = (0..3).map(|_| *choices.one_of(&[1, 2, 3, 5])).collect();
        let first = inputs(&mut choices, &program, &symbols).unwrap();
        let (mut ours, mut theirs) = (first.clone(), first);
        for step in 0..4 {
            let what = format!("seed {seed}, step {step}, symbols {symbols:?}\n{program}");
            let (Ok(found), Ok(expected)) = (run(&program, &ours, Layout::RowMajor), reference(&program, &theirs))
            else {
                break;
            };
            replaced += 1;
            found.iter().zip(&expected).for_each(|(found, expected)| assert_close(found, expected, 2e-4, &what));
            let outputs = program.body.results.len();
            for (call, values) in [(&mut ours, found), (&mut theirs, expected)] {
                for (update, value) in program.updates.iter().zip(values.into_iter().skip(outputs)) {
                    match update.target {
                        Target::Slot(slot) => call.slots[slot.index()] = value,
                        Target::State(state) => call.states.as_mut().unwrap()[state.index()] = value,
                    }
                }
            }
        }
    }
    assert!(replaced > 60, "{replaced} steps replace a weight");
}
