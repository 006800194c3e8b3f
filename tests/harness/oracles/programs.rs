//! Parses text as a program, verifies it, prints and parses it again, simplifies, expands and interprets it.

use super::{proper, split};
use tfjs::parts::ir::arbitrary::{Choices, inputs};
use tfjs::parts::ir::expand::expand;
use tfjs::parts::ir::interpret::{Budget, Inputs, Outcome, interpret_within};
use tfjs::parts::ir::pass::{common_subexpressions, constants, dead_code, movement};
use tfjs::parts::ir::verify::verify;
use tfjs::parts::ir::{Array, Program};
use tfjs::{Error, Kind, Result};

const BUDGET: Budget = Budget { elements: 1 << 12, work: 1 << 18 };

/// Checks a program's text; after a NUL come bytes from which its inputs are generated.
///
/// # Errors
/// Those of the parser, the verifier and the interpreter.
///
/// # Panics
/// If a property does not hold.
pub fn check(data: &[u8]) -> Result<()> {
    let (text, bytes) = split(data);
    let text = std::str::from_utf8(text).map_err(|_| Error::malformed("a program is text"))?;
    let program: Program = proper(text.parse())?;
    verify(&program).expect("a parsed program is valid");
    let printed = program.to_string();
    let again: Program = printed.parse().expect("a printed program can be parsed");
    assert_eq!(again.to_string(), printed);

    let symbols = program.dims.symbols().count();
    if symbols > 16 {
        return Ok(());
    }
    let mut result = Ok(());
    for sizes in [[2, 3], [1, 1], [0, 2]] {
        let symbols: Vec<u64> = sizes.into_iter().cycle().take(symbols).collect();
        result = interpreted(&program, &symbols, bytes);
    }
    result
}

/// The program computes the same after passes and expansions.
fn interpreted(program: &Program, symbols: &[u64], bytes: &[u8]) -> Result<()> {
    let call = proper(inputs(&mut Choices::of_bytes(bytes, 1), program, symbols))?;
    let outcome = proper(run(program, &call))?;
    let pass = |simplified: Result<Program>| {
        let simplified = simplified.expect("a pass accepts every valid program");
        verify(&simplified).expect("a pass keeps a program valid");
        simplified
    };
    let simpler = pass(constants(program, BUDGET));
    let simpler = pass(common_subexpressions(&simpler));
    let simpler = pass(movement(&simpler));
    let simpler = pass(dead_code(&simpler));
    same(&outcome, run(&simpler, &call));
    if let Ok(expanded) = proper(expand(program, &|_| false)) {
        verify(&expanded).expect("an expansion is a valid program");
    }
    Ok(())
}

fn run(program: &Program, call: &Inputs) -> Result<Outcome> {
    interpret_within(program, call, BUDGET)
}

/// A simplified program may exceed the limit of work, because it computes constants in another order; it must not fail
/// otherwise.
fn same(expected: &Outcome, found: Result<Outcome>) {
    let found = match found {
        Err(error) if error.kind() == Kind::Limit => return,
        found => found.expect("a simplified program fails only if the original does"),
    };
    let all = |outcome: &Outcome| -> Vec<Array> {
        outcome.outputs.iter().chain(outcome.updates.iter().map(|(_, array)| array)).cloned().collect()
    };
    for (expected, found) in all(expected).iter().zip(&all(&found)) {
        assert_eq!((expected.dims(), expected.element()), (found.dims(), found.element()));
        if let (Ok(expected), Ok(found)) = (expected.to_floats(), found.to_floats()) {
            let differs = expected.iter().zip(&found).any(|(a, b)| a.to_bits() != b.to_bits() && a != b);
            assert!(!differs || expected.iter().any(|x| x.is_nan()), "expected {expected:?}, found {found:?}");
        }
    }
}
