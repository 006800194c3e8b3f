//! Runs every conformance case by the interpreter, to check its program.

use libtest_mimic::{Arguments, Failed, Trial};
use program_harness::{Case, Loaded, all_cases, difference};
use std::process::ExitCode;
use tfjs_ir::interpret::{Inputs, interpret};
use tfjs_ir::{Array, Data, StateId, Target};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let cases = all_cases();
    assert!(!cases.is_empty(), "the conformance cases are checked in");
    let fails = known_failures();
    let trial = |case: Case| {
        let fails = fails.contains(&case.id);
        Trial::test(case.id.clone(), move || match (fails, run(&case)) {
            (false, result) => result.map_err(Failed::from),
            (true, Err(_)) => Ok(()),
            (true, Ok(())) => Err("passes now; take it out of expectations.toml".into()),
        })
    };
    libtest_mimic::run(&arguments, cases.into_iter().map(trial).collect()).exit_code()
}

/// The cases of `expectations.toml`: they must fail.
fn known_failures() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../conformance/expectations.toml");
    let text = std::fs::read_to_string(path).expect("the file of known failures is there");
    let table: toml::Table = toml::from_str(&text).expect("known failures are `\"case\" = \"reason\"`");
    table.get("fails").and_then(|fails| fails.as_table()).into_iter().flatten().map(|(id, _)| id.clone()).collect()
}

fn run(case: &Case) -> Result<(), String> {
    let loaded = case.load()?;
    let program = &loaded.model.program.clone();
    tfjs_ir::verify::verify(program).map_err(|e| e.to_string())?;
    let outputs = predict(case, loaded).map_err(|e| e.to_string())?;
    let expected = case.outputs()?;
    if expected.len() != outputs.len() {
        return Err(format!("{} outputs, expected {:?}", outputs.len(), expected.keys()));
    }
    let mut wrong = Vec::new();
    for (name, found) in program.outputs.iter().zip(&outputs) {
        let expected = match expected.len() {
            1 => expected.values().next(),
            _ => expected.get(name),
        };
        let expected = expected.ok_or_else(|| format!("the case has no output `{name}`"))?;
        match difference(expected, found) {
            Err(e) => wrong.push(format!("output `{name}`: {e}")),
            Ok(by) if by <= case.tolerance() => {}
            Ok(by) => wrong.push(format!("output `{name}` differs by {by:.2e} of the scale")),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}; allowed {:.0e}", wrong.join("; "), case.tolerance())) }
}

/// Runs the batches one after the other, as the producer did, with the states of each passed to the next.
fn predict(case: &Case, loaded: Loaded) -> Result<Vec<Array>, String> {
    let Loaded { model, weights } = loaded;
    let inputs = case.inputs(&model)?;
    let total = inputs.first().and_then(|input| input.dims().first().copied()).unwrap_or(1);
    let size = case.about["batch_size"].as_u64().map_or(total, |size| size as usize).max(1);
    let mut call = Inputs { slots: weights, ..Inputs::of([]) };
    let mut parts: Vec<Vec<Array>> = Vec::new();
    for start in (0..total.max(1)).step_by(size) {
        call.arguments = inputs.iter().map(|input| rows(input, start, size.min(total - start))).collect();
        let outcome = interpret(&model.program, &call).map_err(|e| e.to_string())?;
        if !model.program.states.is_empty() {
            let states = (0..model.program.states.len()).map(|i| Target::State(StateId(i as u32)));
            let after = states.map(|state| outcome.updated(state).cloned().ok_or("a state that nothing replaces"));
            call.states = Some(after.collect::<Result<_, _>>()?);
        }
        parts.push(outcome.outputs);
    }
    let joined = |i: usize| {
        let mut data = parts[0][i].to_floats().map_err(|e| e.to_string())?;
        let mut dims = parts[0][i].dims().to_vec();
        for part in &parts[1..] {
            data.extend(part[i].to_floats().map_err(|e| e.to_string())?);
            dims[0] += part[i].dims()[0];
        }
        Array::floats(dims, data).map_err(|e| e.to_string())
    };
    if parts.len() == 1 {
        return Ok(parts.remove(0));
    }
    (0..parts[0].len()).map(joined).collect()
}

/// Some entries of a batch.
fn rows(array: &Array, start: usize, len: usize) -> Array {
    let row: usize = array.dims().iter().skip(1).product();
    let range = start * row..(start + len) * row;
    let data = match array.data() {
        Data::Float(values) => Data::Float(values[range].to_vec()),
        Data::Int(values) => Data::Int(values[range].to_vec()),
        Data::Bool(values) => Data::Bool(values[range].to_vec()),
        Data::Text(values) => Data::Text(values[range].to_vec()),
    };
    let dims: Vec<usize> = std::iter::once(len).chain(array.dims().iter().skip(1).copied()).collect();
    Array::new(array.element(), dims, data).expect("as many elements as the rows have")
}
