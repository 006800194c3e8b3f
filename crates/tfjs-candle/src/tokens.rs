//! Computes the token inputs of a program from the texts of the caller.

use crate::value::{Data, Strings};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;
use tfjs_ir::tokens::TokenBudget;
use tfjs_ir::{InputRole, Program};
use tfjs_manifest::{Error, Limits, Result, Shape};

/// The arguments of a call, with the tokens of texts inserted where the program has them: every input except the seed,
/// in the program's order. Also returns the bytes of these tokens, which are values of the call.
pub(crate) fn with_tokens<'a>(
    program: &Program,
    arguments: &'a [Data],
    limits: &Limits,
    deadline: Option<Instant>,
) -> Result<(Cow<'a, [Data]>, u64)> {
    if !program.inputs.iter().any(|input| matches!(input.role, InputRole::Tokens { .. })) {
        return Ok((Cow::Borrowed(arguments), 0));
    }
    let mut budget = TokenBudget::new(limits.elements, limits.activation_bytes, deadline);
    let mut left = arguments.iter();
    let mut all: Vec<Option<Data>> = Vec::with_capacity(program.inputs.len());
    for input in &program.inputs {
        let data = match &input.role {
            InputRole::Argument => left.next().cloned(),
            InputRole::Tokens { of, tokenizer } => {
                let Some(Some(Data::Strings(text))) = all.get(*of) else {
                    return Err(Error::bug("tokens of an input that is not text").at_value(&input.name));
                };
                let (dims, tokens) = tokenizer.apply(text.shape().dims(), text.items(), &mut budget)?;
                Some(Data::Strings(Arc::new(Strings::new(Shape::new(dims)?, tokens)?)))
            }
            _ => None,
        };
        all.push(data);
    }
    Ok((Cow::Owned(all.into_iter().flatten().collect()), budget.spent()))
}
