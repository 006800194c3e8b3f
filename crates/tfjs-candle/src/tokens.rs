//! The tokens that a program has as inputs, made from the texts that the caller gives.

use crate::value::{Data, Strings};
use std::borrow::Cow;
use std::sync::Arc;
use tfjs_ir::{InputRole, Program};
use tfjs_manifest::{Error, Limits, Result, Shape};

/// The arguments of a call, and the tokens of texts among them where the program has those: every input but the seed,
/// in the program's order.
pub(crate) fn with_tokens<'a>(program: &Program, arguments: &'a [Data], limits: &Limits) -> Result<Cow<'a, [Data]>> {
    if !program.inputs.iter().any(|input| matches!(input.role, InputRole::Tokens { .. })) {
        return Ok(Cow::Borrowed(arguments));
    }
    let mut left = arguments.iter();
    let mut all: Vec<Option<Data>> = Vec::with_capacity(program.inputs.len());
    for input in &program.inputs {
        let data = match &input.role {
            InputRole::Argument => left.next().cloned(),
            InputRole::Tokens { of, tokenizer } => {
                let Some(Some(Data::Strings(text))) = all.get(*of) else {
                    return Err(Error::bug("tokens of an input that is no text").at_value(&input.name));
                };
                let (dims, tokens) = tokenizer.apply(text.shape().dims(), text.items(), limits.into())?;
                Some(Data::Strings(Arc::new(Strings::new(Shape::new(dims)?, tokens)?)))
            }
            _ => None,
        };
        all.push(data);
    }
    Ok(Cow::Owned(all.into_iter().flatten().collect()))
}
