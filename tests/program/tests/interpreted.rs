//! Every conformance case by the interpreter: the program of each is the right one.

use libtest_mimic::{Arguments, Failed, Trial};
use program_harness::{Case, all_cases, difference};
use std::process::ExitCode;
use tfjs_ir::interpret::{Inputs, interpret};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let cases = all_cases();
    assert!(!cases.is_empty(), "the conformance cases are checked in");
    let trial = |case: Case| Trial::test(case.id.clone(), move || run(&case).map_err(Failed::from));
    libtest_mimic::run(&arguments, cases.into_iter().map(trial).collect()).exit_code()
}

fn run(case: &Case) -> Result<(), String> {
    let loaded = case.load()?;
    let program = &loaded.model.program;
    tfjs_ir::verify::verify(program).map_err(|e| e.to_string())?;
    let call = Inputs { slots: loaded.weights, ..Inputs::of(case.inputs(&loaded.model)?) };
    let outcome = interpret(program, &call).map_err(|e| e.to_string())?;
    let expected = case.outputs()?;
    if expected.len() != outcome.outputs.len() {
        return Err(format!("{} outputs, expected {:?}", outcome.outputs.len(), expected.keys()));
    }
    let mut worst = 0.0f64;
    for (name, found) in program.outputs.iter().zip(&outcome.outputs) {
        let expected = match expected.len() {
            1 => expected.values().next(),
            _ => expected.get(name),
        };
        let expected = expected.ok_or_else(|| format!("the case has no output `{name}`"))?;
        worst = worst.max(difference(expected, found).map_err(|e| format!("output `{name}`: {e}"))?);
    }
    match worst <= case.tolerance() {
        true => Ok(()),
        false => Err(format!("differs by {worst:.2e} of the scale, allowed {:.0e}", case.tolerance())),
    }
}
