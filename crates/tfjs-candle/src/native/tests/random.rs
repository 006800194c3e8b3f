//! Random programs: plan and interpreter agree, also on what they reject.

use super::Case;
use tfjs_ir::arbitrary::{Choices, Taste, program};
use tfjs_ir::pass::dead_code;

#[test]
fn random_programs_agree() {
    for seed in 0..200 {
        // A node that nobody needs is not run, whatever it would reject.
        let program = dead_code(&program(&mut Choices::seeded(seed), Taste::Tame, 12).unwrap()).unwrap();
        let case = Case::of(program);
        for symbols in [[2, 3, 2], [1, 1, 1], [0, 2, 3], [3, 0, 1], [2, 5, 7]] {
            let count = case.program.dims.symbols().count();
            let symbols: Vec<u64> = symbols.into_iter().chain(std::iter::repeat(2)).take(count).collect();
            case.agrees(&symbols);
        }
    }
}
