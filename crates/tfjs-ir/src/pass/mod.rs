//! Passes: rewrite a program to compute the same with fewer nodes.
//!
//! A pass keeps inputs, weights, states, outputs, updates and guards. It never changes the type of a value that it
//! keeps, so no new guard becomes necessary. The program must [verify](crate::verify::verify); otherwise a pass may
//! panic.

mod common;
mod constants;
mod copy;
mod dead_code;
mod movement;

pub use common::common_subexpressions;
pub use constants::constants;
pub use dead_code::dead_code;
pub use movement::movement;

use crate::program::{Program, Update, Value};
use tfjs_manifest::Result;

/// Replaces the body of a program. `value` maps the old results and updated values to the new ones.
fn with_body(
    program: &Program,
    body: crate::program::Block,
    value: impl Fn(Value) -> Result<Value>,
) -> Result<Program> {
    let results = program.body.results.iter().map(|&old| value(old)).collect::<Result<_>>()?;
    let updates = program.updates.iter().map(|update| Ok(Update { value: value(update.value)?, ..*update }));
    let updates = updates.collect::<Result<_>>()?;
    Ok(Program {
        dims: program.dims.clone(),
        constants: program.constants.clone(),
        origins: program.origins.clone(),
        inputs: program.inputs.clone(),
        slots: program.slots.clone(),
        states: program.states.clone(),
        body: crate::program::Block { results, ..body },
        outputs: program.outputs.clone(),
        updates,
        guards: program.guards.clone(),
    })
}

#[cfg(test)]
mod tests;
