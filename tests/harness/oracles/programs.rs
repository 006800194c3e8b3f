//! Text as a program: read, verified, printed and read again, simplified, expanded, interpreted.

use super::{proper, split};
use tfjs::parts::ir::arbitrary::{Choices, inputs};
use tfjs::parts::ir::expand::expand;
use tfjs::parts::ir::interpret::{Budget, Inputs, Outcome, interpret_within};
use tfjs::parts::ir::pass::{common_subexpressions, constants, dead_code, movement};
use tfjs::parts::ir::verify::verify;
use tfjs::parts::ir::{Array, Program};
use tfjs::{Error, Kind, Result};

const BUDGET: Budget = Budget { elements: 1 << 12, work: 1 << 18 };

/// Checks a program's text; behind a NUL stand the bytes that its inputs are made of.
///
/// # Errors
/// What the parser, the verifier or the interpreter refuses.
///
/// # Panics
/// If a property does not hold.
pub fn check(data: &[u8]) -> Result<()> {
    let (text, bytes) = split(data);
    let text = std::str::from_utf8(text).map_err(|_| Error::malformed("a program is text"))?;
    let program: Program = proper(text.parse())?;
    verify(&program).expect("what is read is verified");
    let printed = program.to_string();
    let again: Program = printed.parse().expect("what is printed can be read");
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

/// The program and what passes make of it compute the same.
fn interpreted(program: &Program, symbols: &[u64], bytes: &[u8]) -> Result<()> {
    let call = proper(inputs(&mut Choices::of_bytes(bytes, 1), program, symbols))?;
    let outcome = proper(run(program, &call))?;
    let pass = |simplified: Result<Program>| {
        let simplified = simplified.expect("a pass takes every program that verifies");
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

/// A simpler program may cost more where constants are computed in another order, and nothing else.
fn same(expected: &Outcome, found: Result<Outcome>) {
    let found = match found {
        Err(error) if error.kind() == Kind::Limit => return,
        found => found.expect("a simpler program rejects nothing more"),
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
