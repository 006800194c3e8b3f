//! The interpreter: a slow, simple evaluator that defines what every primitive computes.
//!
//! Engines, passes, expansions and gradients are tested against it. It uses no device and no kernel.
//!
//! # Numbers
//! Floating point is computed in double precision and rounded to the element type after each node. Integers are
//! computed in 64 bits and wrap to the element type. Both happen in [`Array::new`].
//!
//! # Definitions that are easy to get wrong
//! - An empty sum is 0, an empty product 1, an empty mean NaN. An empty maximum is negative infinity for floating
//!   point and the lowest value for integers; an empty minimum is the opposite. The position of an empty extreme is 0.
//! - `max` and `min` are NaN if one operand is. The position of the largest or smallest element is that of the first
//!   NaN, if there is one, and otherwise that of the first of equal elements.
//! - An integer divided by 0 is 0, and so is an integer modulo 0. `floor_div` rounds down and `mod` has the sign of the
//!   divisor, as in Python. For floating point `floor_div` rounds the quotient to the element type before it rounds
//!   down.
//! - `pow` of a negative number is NaN unless the exponent is whole. An integer to a negative power is 0, except for
//!   the bases 1 and -1.
//! - `round_even` rounds halves to the even neighbour.
//! - A cast from floating point to an integer truncates towards zero and saturates; NaN becomes 0. A cast between
//!   integers wraps. Every number other than 0 is true, NaN too.
//! - A loop of no steps returns its initial carries.
//! - A sort is stable in both directions and puts NaN last.
//! - Random numbers are those of [`random`](crate::random).
//!
//! # Composites
//! Each is computed by a direct formula, without intermediate rounding. [`expand`](crate::expand()) agrees within
//! rounding.

mod evaluate;
mod offsets;

mod activate;
mod control;
mod elementwise;
mod host;
mod index;
mod layout;
mod linear;
mod normalize;
mod recurrent;
mod reduce;
mod source;
mod window;

pub use evaluate::{Budget, Evaluator};

use crate::array::{Array, Data};
use crate::dim::Bound;
use crate::for_each_prim;
use crate::prim::{self, Prim};
use crate::program::{Input, InputRole, Node, Program, Target};
use crate::tokens::TokenBudget;
use crate::ty::{ElementType, Type};
use evaluate::{Given, reserve};
use std::time::Instant;
use tfjs_manifest::{Error, Result};

/// The inputs of a call of a program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs {
    /// The inputs that the caller provides, in order.
    pub arguments: Vec<Array>,
    /// The seed of random numbers, for programs that have it as an input.
    pub seed: u64,
    /// The weights, in the order of [`Program::slots`].
    pub slots: Vec<Array>,
    /// The states, in the order of [`Program::states`]; `None` for their initial values.
    pub states: Option<Vec<Array>>,
}

impl Inputs {
    /// A call with these arguments, of a program without weights.
    pub fn of(arguments: impl Into<Vec<Array>>) -> Self {
        Inputs { arguments: arguments.into(), ..Inputs::default() }
    }
}

/// The results of a call of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The results, in the order of [`Program::outputs`].
    pub outputs: Vec<Array>,
    /// The new values of weights and states, in the order of [`Program::updates`].
    pub updates: Vec<(Target, Array)>,
}

impl Outcome {
    /// The new value of a weight or a state, if the program replaces it.
    pub fn updated(&self, target: Target) -> Option<&Array> {
        self.updates.iter().find(|(found, _)| *found == target).map(|(_, array)| array)
    }
}

/// Evaluates a program, within the default [`Budget`].
///
/// # Errors
/// As [`interpret_within`].
pub fn interpret(program: &Program, call: &Inputs) -> Result<Outcome> {
    interpret_within(program, call, Budget::default())
}

/// Evaluates a program.
///
/// # Errors
/// - [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) for inputs, weights and states of other types than declared, for
///   a guard that does not hold, and for data that a primitive rejects;
/// - [`Kind::Limit`](tfjs_manifest::Kind::Limit) for values and work that exceed the budget;
/// - [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for an opaque function.
pub fn interpret_within(program: &Program, call: &Inputs, budget: Budget) -> Result<Outcome> {
    let inputs = all_inputs(program, call, budget)?;
    if call.slots.len() != program.slots.len() {
        let (expected, found) = (program.slots.len(), call.slots.len());
        return Err(Error::mismatch(format!("the program has {expected} weights, found {found}")));
    }
    let given_states = call.states.as_deref();
    if let Some(found) = given_states.map(<[Array]>::len).filter(|&found| found != program.states.len()) {
        return Err(Error::mismatch(format!("the program has {} states, found {found}", program.states.len())));
    }
    check_elements(program.inputs.iter().map(|input| (&*input.name, &input.ty)), &inputs)?;
    check_elements(program.slots.iter().map(|slot| (&*slot.name, &slot.ty)), &call.slots)?;
    check_elements(program.states.iter().map(|state| (&*state.name, &state.ty)), given_states.unwrap_or(&[]))?;
    let bound = program.bind_all(&shapes(&inputs), &shapes(&call.slots), &shapes(given_states.unwrap_or(&[])))?;

    let evaluator = Evaluator::new(program, &bound, budget);
    let initial = match given_states {
        Some(_) => Vec::new(),
        None => evaluator.initial_states()?,
    };
    let states = given_states.unwrap_or(&initial);
    let evaluator = evaluator.given(Given { inputs: &inputs, slots: &call.slots, states });
    let roots: Vec<_> = program.roots().collect();
    let mut values = evaluator.block(&program.body, &[], &roots)?;
    let updates = values.split_off(program.body.results.len());
    let targets = program.updates.iter().map(|update| update.target);
    Ok(Outcome { outputs: values, updates: targets.zip(updates).collect() })
}

/// Evaluates one node with these operands, until the deadline: the reference kernel of engines. An engine must handle
/// inputs, weights, states and opaque functions itself.
///
/// # Errors
/// As [`interpret_within`], at the node's layer; [`Kind::Bug`](tfjs_manifest::Kind::Bug) for operands of other types.
pub fn evaluate_node(
    program: &Program,
    node: &Node,
    operands: &[&Array],
    bound: &Bound,
    deadline: Option<Instant>,
) -> Result<Vec<Array>> {
    Evaluator::new(program, bound, Budget::default()).until(deadline).node(node, operands)
}

/// All inputs in order: the arguments, and those that the runtime provides (the seed, the tokens of texts).
fn all_inputs(program: &Program, call: &Inputs, budget: Budget) -> Result<Vec<Array>> {
    let expected = program.inputs.iter().filter(|input| input.role == InputRole::Argument).count();
    if call.arguments.len() != expected {
        let found = call.arguments.len();
        return Err(Error::mismatch(format!("the program has {expected} inputs, found {found}")));
    }
    let argument_of = |port: usize| {
        let before = program.inputs.iter().take(port).filter(|input| input.role == InputRole::Argument).count();
        call.arguments.get(before).ok_or_else(|| Error::bug(format!("no argument for input {port}")))
    };
    let mut tokens = TokenBudget::new(budget.elements, budget.elements.saturating_mul(8), None);
    let given = |(port, Input { role, .. }): (usize, &Input)| match role {
        InputRole::Argument => argument_of(port).cloned(),
        // The bits are kept: the generator reads them back as an unsigned number.
        InputRole::Seed => Array::new(ElementType::I64, [], Data::Int(vec![call.seed.cast_signed()])),
        InputRole::Tokens { of, tokenizer } => {
            let text = argument_of(*of)?;
            let Data::Text(texts) = text.data() else { return Err(Error::mismatch("expected strings, found numbers")) };
            let (dims, tokens) = tokenizer.apply(text.dims(), texts, &mut tokens)?;
            Array::new(ElementType::String, dims, Data::Text(tokens))
        }
    };
    program.inputs.iter().enumerate().map(given).collect()
}

fn check_elements<'a>(declared: impl Iterator<Item = (&'a str, &'a Type)>, found: &[Array]) -> Result<()> {
    for ((name, ty), array) in declared.zip(found) {
        if ty.element != array.element() {
            let message = format!("expected `{}`, found `{}`", ty.element, array.element());
            return Err(Error::mismatch(message).at_value(name));
        }
    }
    Ok(())
}

fn shapes(arrays: &[Array]) -> Vec<&[usize]> {
    arrays.iter().map(Array::dims).collect()
}

/// Evaluates a primitive.
trait Rule {
    /// The values of the results. The operands have passed the primitive's type inference.
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>>;
}

macro_rules! dispatch {
    ($($family:ident :: $name:ident = $text:literal, $class:ident;)*) => {
        /// Evaluates any primitive. A listed primitive without a [`Rule`] does not compile.
        fn evaluate(prim: &Prim, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
            match prim {
                $(Prim::$name(prim) => <prim::$family::$name as Rule>::evaluate(prim, cx, operands),)*
            }
        }
    };
}
for_each_prim!(dispatch);

/// The operands of a primitive with `N` operands.
fn take<'a, const N: usize>(operands: &[&'a Array]) -> Result<[&'a Array; N]> {
    let found = operands.len();
    operands.try_into().map_err(|_| Error::bug(format!("expected {N} operands, found {found}")))
}

/// An error for an element type that a primitive does not support.
fn undefined(prim: &str, element: ElementType) -> Error {
    Error::bug(format!("`{prim}` of `{element}`"))
}

/// An error for operands of incompatible shapes.
fn misfit(prim: &str, operands: &[&Array]) -> Error {
    let shapes: Vec<String> = operands.iter().map(|array| format!("{:?}", array.dims())).collect();
    Error::bug(format!("`{prim}` of shapes {}", shapes.join(" and ")))
}

#[cfg(test)]
mod tests;
