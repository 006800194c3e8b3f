//! Random programs: whatever the interpreter says, the engine says.

use super::*;
use tfjs_ir::arbitrary::{Choices, Taste, inputs, program};
use tfjs_ir::pass::dead_code;

#[test]
fn random_programs_compute_what_the_interpreter_does() {
    let mut compared = 0;
    for seed in 0..400 {
        let mut choices = Choices::seeded(seed);
        let program = program(&mut choices, Taste::Tame, 24).unwrap();
        // Nodes whose results nothing reads do not run, and do not fail.
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
