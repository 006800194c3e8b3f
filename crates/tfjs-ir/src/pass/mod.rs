//! Passes: programs that compute the same with fewer nodes.
//!
//! A pass keeps inputs, weights, states, outputs, updates and guards. It never changes the type of a value that it
//! keeps, so no guard becomes necessary that was not there. The program must [verify](crate::verify::verify); with
//! another one a pass may panic.

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

/// A program with another body. `value` gives the new number of each result and updated value of the old one.
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
