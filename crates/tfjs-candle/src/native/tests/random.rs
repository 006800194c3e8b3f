//! Random programs: plan and interpreter agree, including on errors.

use super::Case;
use tfjs_ir::arbitrary::{Choices, Taste, program};
use tfjs_ir::pass::dead_code;
use tfjs_ir::{Inputs, Target};

#[test]
fn random_programs_agree() {
    let mut replaced = 0;
    for seed in 0..200 {
        // Unused nodes do not run, so their errors do not occur.
        let program = dead_code(&program(&mut Choices::seeded(seed), Taste::Tame, 12).unwrap()).unwrap();
        replaced += program.updates.iter().filter(|update| matches!(update.target, Target::Slot(_))).count();
        let case = Case::of(program);
        let count = case.program.dims.symbols().count();
        let calls = [[2, 3, 2], [2, 3, 2], [1, 1, 1], [0, 2, 3], [3, 0, 1], [2, 5, 7], [2, 3, 2]].map(|symbols| {
            let symbols: Vec<u64> = symbols.into_iter().chain(std::iter::repeat(2)).take(count).collect();
            case.inputs(&symbols, 3)
        });
        calls.iter().for_each(|call: &Inputs| case.agrees_on(call));
        case.agrees_in_steps(&calls);
    }
    assert!(replaced > 20, "{replaced} programs replace a weight");
}
