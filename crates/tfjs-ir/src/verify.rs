//! Checks that a program is valid: every value is defined before it is read, every type is the inferred one, and the
//! guards include every condition that inference needs.

use crate::dim::{Dim, Relation};
use crate::prim::Prim;
use crate::prim::infer::Infer;
use crate::program::{Block, Check, InputRole, Program, Target, Value};
use crate::ty::Type;
use std::collections::HashSet;
use tfjs_manifest::{Error, Result};

/// Verifies a program. Tests call it on the results of passes; parsers of text forms always call it.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for the first violation.
pub fn verify(program: &Program) -> Result<()> {
    if program.outputs.len() != program.body.results.len() {
        return Err(Error::malformed("expected a name for each result of the program"));
    }
    if !program.body.parameters.is_empty() {
        return Err(Error::malformed("the body of a program has inputs instead of parameters"));
    }
    verify_tokens(program)?;
    let checks = program.guards.iter().map(|guard| guard.check).collect();
    let mut program = program.clone();
    let body = std::mem::take(&mut program.body);
    verify_block(&mut program, &checks, &body, true)?;
    let mut targets = HashSet::new();
    for update in &program.updates {
        let declared = match update.target {
            Target::Slot(slot) => program.slots.get(slot.index()).map(|slot| &slot.ty),
            Target::State(state) => program.states.get(state.index()).map(|state| &state.ty),
        };
        let declared = declared.ok_or_else(|| Error::malformed("an update of an undeclared weight or state"))?.clone();
        let found = body.values.get(update.value.index());
        let found = found.ok_or_else(|| Error::malformed("an update by a value that is not defined"))?.ty.clone();
        if !same_type(&program, &checks, &declared, &found) {
            return Err(Error::malformed("an update by a value of another type"));
        }
        if !targets.insert(update.target) {
            return Err(Error::malformed("two updates of one weight or state"));
        }
    }
    Ok(())
}

/// Checks that tokens belong to a text that the caller provides, and that their dimensions extend those of the text.
fn verify_tokens(program: &Program) -> Result<()> {
    for input in &program.inputs {
        let InputRole::Tokens { of, tokenizer } = &input.role else { continue };
        let text = program.inputs.get(*of).filter(|text| text.role == InputRole::Argument);
        let text = text.ok_or_else(|| Error::malformed("tokens of an input that the caller does not give"))?;
        let length = input.ty.dims.last().copied().unwrap_or(Dim::ONE);
        let known = program.dims.known(length).and_then(|n| usize::try_from(n).ok());
        if tokenizer.infer(&text.ty, length)? != input.ty || tokenizer.length.is_some_and(|n| known != Some(n)) {
            return Err(Error::malformed(format!("the tokens `{}` are of another type than their text", input.name)));
        }
    }
    Ok(())
}

fn verify_block(program: &mut Program, checks: &HashSet<Check>, block: &Block, is_body: bool) -> Result<()> {
    let mut defined = vec![false; block.values.len()];
    let mut define = |value: Value, node: Option<u32>| -> Result<()> {
        let info = block.values.get(value.index());
        let fresh = defined.get_mut(value.index()).is_some_and(|d| !std::mem::replace(d, true));
        match info {
            Some(info) if fresh && info.node == node => Ok(()),
            _ => Err(Error::malformed(format!("%{} is not defined exactly once by its own node", value.0))),
        }
    };
    for &value in &block.parameters {
        define(value, None)?;
    }
    let mut readable = block.parameters.iter().copied().collect::<HashSet<_>>();
    for (i, node) in block.nodes.iter().enumerate() {
        let name = node.prim.name();
        if let Some(value) = node.operands.iter().find(|value| !readable.contains(value)) {
            return Err(Error::malformed(format!("`{name}` reads %{}, which is not defined before", value.0)));
        }
        if !is_body && matches!(node.prim, Prim::Input(_) | Prim::Param(_) | Prim::State(_)) {
            return Err(Error::malformed(format!("`{name}` inside of a loop")));
        }
        if let Prim::Scan(scan) = &node.prim {
            verify_block(program, checks, &scan.body, false)?;
        }
        let types: Vec<Type> = node.operands.iter().map(|&value| block.ty(value).clone()).collect();
        let (mut guards, mut guarded) = (Vec::new(), HashSet::new());
        let inferred = {
            let Program { dims, inputs, slots, states, constants, .. } = &mut *program;
            let (guards, guarded) = (&mut guards, &mut guarded);
            let mut cx = Infer { dims, guards, guarded, origin: node.origin, inputs, slots, states, constants };
            node.prim.infer(&mut cx, &types)
        };
        let inferred = inferred.map_err(|e| Error::malformed(format!("`{name}`: {}", e.message())))?;
        if let Some(guard) = guards.iter().find(|guard| !is_guarded(checks, guard.check)) {
            let condition = guard.check.describe(&program.dims);
            return Err(Error::malformed(format!("`{name}` needs the guard `{condition}`, which is missing")));
        }
        if inferred.len() != node.results.len() {
            let found = node.results.len();
            return Err(Error::malformed(format!("`{name}` has {} results, found {found}", inferred.len())));
        }
        for (ty, &value) in inferred.iter().zip(&node.results) {
            define(value, u32::try_from(i).ok())?;
            readable.insert(value);
            let found = block.ty(value).clone();
            if !same_type(program, checks, ty, &found) {
                let (ty, found) = (ty.describe(&program.dims), found.describe(&program.dims));
                return Err(Error::malformed(format!("`{name}` gives {ty}, %{} is {found}", value.0)));
            }
        }
    }
    match block.results.iter().find(|value| !readable.contains(value)) {
        Some(value) => Err(Error::malformed(format!("the result %{} is not defined", value.0))),
        None => Ok(()),
    }
}

/// Whether a condition is among the guards.
fn is_guarded(checks: &HashSet<Check>, check: Check) -> bool {
    let turned = match check {
        Check::Equal(a, b) => Check::Equal(b, a),
        Check::Broadcast(a, b) => Check::Broadcast(b, a),
        other => other,
    };
    checks.contains(&check) || checks.contains(&turned)
}

/// Whether two types are the same, given that the guards hold.
fn same_type(program: &Program, checks: &HashSet<Check>, a: &Type, b: &Type) -> bool {
    let same = |(&a, &b): (&Dim, &Dim)| match program.dims.relation(a, b) {
        Relation::Same => true,
        Relation::Differ => false,
        Relation::Unknown => is_guarded(checks, Check::Equal(a, b)),
    };
    a.element == b.element && a.rank() == b.rank() && a.dims.iter().zip(&b.dims).all(same)
}

#[cfg(test)]
mod tests {
    use crate::program::Program;
    use tfjs_manifest::Kind;

    #[track_caller]
    fn check(text: &str, message: &str) {
        let error = text.parse::<Program>().unwrap_err();
        assert_eq!((error.kind(), error.message()), (Kind::Malformed, message));
    }

    #[test]
    fn guards_are_part_of_a_program() {
        let body = r#"{
            %0 = input() {port=0} : f32[n]
            %1 = input() {port=1} : f32[m,2]
            %2 = dot(%0, %1) {batch=[], contract=[(0,0)]} : f32[2]
            return %2 "y"
        }"#;
        let inputs = "input \"x\": f32[n]\ninput \"w\": f32[m,2]\n";
        check(&format!("{inputs}{body}"), "`dot` needs the guard `n == m`, which is missing");
        assert!(format!("{inputs}guard equal(m, n)\n{body}").parse::<Program>().is_ok());
    }

    #[test]
    fn tokens_have_the_rows_of_their_text() {
        let program = |text: &str, tokens: &str| {
            format!(
                "input \"x\": {text}\ntokens \"x.tokens\": {tokens} of 0 {{lower=true, strip=false, split=whitespace, \
                 ngrams=[1,2], length=3}}\n{{\n  %0 = input() {{port=1}} : {tokens}\n  return %0 \"y\"\n}}\n"
            )
        };
        let fits = program("string[batch,1]", "string[batch,3]");
        assert_eq!(fits.parse::<Program>().unwrap().to_string(), fits);
        let message = "the tokens `x.tokens` are of another type than their text";
        check(&program("string[batch,1]", "string[batch,4]"), message);
        check(&program("string[2,1]", "string[batch,3]"), message);
        check(&program("f32[batch,1]", "string[batch,3]"), "expected strings, found numbers");
        let of_itself = fits.replace("of 0", "of 1");
        check(&of_itself, "tokens of an input that the caller does not give");
    }

    #[test]
    fn values_have_the_types_that_inference_says() {
        let program = |line: &str| {
            let inputs = "input \"x\": f32[n,3]\n";
            format!("{inputs}{{\n%0 = input() {{port=0}} : f32[n,3]\n{line}\nreturn %1 \"y\"\n}}")
        };
        check(&program("%1 = reverse(%0) {axes=[0]} : f32[n,2]"), "`reverse` gives f32[n,3], %1 is f32[n,2]");
        check(&program("%1 = reverse(%0) {axes=[0]} : f32[m,3]"), "`reverse` gives f32[n,3], %1 is f32[m,3]");
        check(&program("%1 = reverse(%1) {axes=[0]} : f32[n,3]"), "`reverse` reads %1, which is not defined before");
        let twice = "%1 = dot(%0, %0) {batch=[], contract=[(0,0),(0,1)]} : f32[]";
        check(&program(twice), "`dot`: a product that uses an axis twice");
    }
}
