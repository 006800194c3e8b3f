//! Rules of vocabularies and hash buckets: tokens to indices and back.

use super::{Evaluator, Rule, misfit, take, undefined};
use crate::array::{Array, Data};
use crate::hash::{concatenated, fingerprint, sip};
use crate::prim::host::{Cross, Lookup, Spread, ToText, Tokens, Unknown};
use crate::ty::ElementType;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

impl Rule for Lookup {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let [x] = take(operands)?;
        let of_text = |token: &Arc<str>| {
            cx.look(token.len())?;
            self.of_text(token)
        };
        let indices = match x.data() {
            Data::Text(tokens) => cx.try_collect(x.dims(), tokens.iter().map(of_text))?,
            Data::Int(tokens) => cx.try_collect(x.dims(), tokens.iter().map(|&token| self.of_number(token)))?,
            _ => return Err(undefined("lookup", x.element())),
        };
        Ok(vec![Array::new(ElementType::I64, x.dims(), Data::Int(indices))?])
    }
}

impl Lookup {
    fn of_text(&self, token: &str) -> Result<i64> {
        match (self.vocabulary.of_text(token), self.unknown) {
            _ if self.mask_text.as_deref() == Some(token) => Ok(self.masked),
            (Some(index), _) => Ok(index as i64),
            (None, Unknown::Index { first, count, spread }) => Ok(spread.index(first, count, token.as_bytes())),
            (None, Unknown::Error) => Err(not_in_vocabulary(token)),
        }
    }

    fn of_number(&self, token: i64) -> Result<i64> {
        match (self.vocabulary.of_number(token), self.unknown) {
            _ if self.mask_number == Some(token) => Ok(self.masked),
            (Some(index), _) => Ok(index as i64),
            (None, Unknown::Index { first, count, spread: Spread::Modulo }) => {
                let offset = token.checked_rem_euclid(count as i64).unwrap_or(0);
                Ok((first as i64).wrapping_add(offset))
            }
            (None, Unknown::Index { first, count, spread }) => {
                Ok(spread.index(first, count, token.to_string().as_bytes()))
            }
            (None, Unknown::Error) => Err(not_in_vocabulary(&token.to_string())),
        }
    }
}

impl Spread {
    /// The bucket of a token, one of `count` indices from `first`.
    fn index(self, first: usize, count: usize, token: &[u8]) -> i64 {
        let hash = match self {
            Spread::Modulo => 0,
            Spread::Farm => fingerprint(token),
            Spread::Sip(a, b) => sip((a, b), token),
        };
        (first as i64).wrapping_add(hash.checked_rem(count as u64).unwrap_or(0).cast_signed())
    }
}

fn not_in_vocabulary(token: &str) -> Error {
    Error::mismatch(format!("`{token}` is not in the vocabulary, and `num_oov_indices` is 0"))
}

impl Rule for ToText {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let [x] = take(operands)?;
        let tokens = self.vocabulary.tokens();
        let position = |index: i64| {
            let known = usize::try_from(index).ok().and_then(|index| index.checked_sub(self.vocabulary.first()));
            let known = known.filter(|&position| position < tokens.len());
            let position = known.or(self.unknown.filter(|&position| position < tokens.len()));
            position.ok_or_else(|| Error::mismatch(format!("index `{index}` is not in the vocabulary")))
        };
        let positions = cx.try_collect(x.dims(), x.to_ints()?.into_iter().map(position))?;
        let (element, data) = match tokens {
            Tokens::Text(tokens) => {
                let text = positions.into_iter().map(|position| tokens[position].clone());
                (ElementType::String, Data::Text(cx.collect(x.dims(), text)?))
            }
            Tokens::Numbers(tokens) => {
                let numbers = positions.into_iter().map(|position| tokens[position]);
                (ElementType::I64, Data::Int(cx.collect(x.dims(), numbers)?))
            }
        };
        Ok(vec![Array::new(element, x.dims(), data)?])
    }
}

impl Rule for Cross {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        /// The hash that combinations start from: TensorFlow's default key of feature crosses.
        const KEY: u64 = 0xde_cafc_affe;
        let Some(first) = operands.first() else { return Err(Error::bug("a crossing without operands")) };
        let mut hashes = cx.filled(first.dims(), KEY)?;
        for column in operands {
            if column.dims() != first.dims() {
                return Err(misfit("cross", operands));
            }
            match column.data() {
                Data::Text(tokens) => {
                    for (hash, token) in hashes.iter_mut().zip(tokens) {
                        cx.look(token.len() + 1)?;
                        *hash = concatenated(*hash, fingerprint(token.as_bytes()));
                    }
                }
                Data::Int(tokens) => hashes
                    .iter_mut()
                    .zip(tokens)
                    .for_each(|(hash, token)| *hash = concatenated(*hash, token.cast_unsigned())),
                _ => return Err(undefined("cross", column.element())),
            }
        }
        let buckets = self.buckets as u64;
        let indices = hashes.iter().map(|hash| hash.checked_rem(buckets).unwrap_or(0).cast_signed()).collect();
        Ok(vec![Array::new(ElementType::I64, first.dims(), Data::Int(indices))?])
    }
}
