//! Text, on the host: tokens to indices of a vocabulary or to buckets, and back.

use super::attribute::{Attribute, Reader, Writer};
use super::infer::{of_element, take};
use super::primitive;
use crate::ty::ElementType;
use std::collections::HashMap;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// The tokens of a vocabulary, each with its index.
#[derive(Clone, Debug, PartialEq)]
pub struct Vocabulary {
    tokens: Tokens,
    first: usize,
    text_index: HashMap<Arc<str>, usize>,
    number_index: HashMap<i64, usize>,
}

/// Tokens, all of one kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Tokens {
    /// Text.
    Text(Vec<Arc<str>>),
    /// Numbers.
    Numbers(Vec<i64>),
}

impl Tokens {
    /// The number of tokens.
    pub fn len(&self) -> usize {
        match self {
            Tokens::Text(tokens) => tokens.len(),
            Tokens::Numbers(tokens) => tokens.len(),
        }
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Vocabulary {
    /// A vocabulary whose indices start at `first`. A repeated token has the index of its first occurrence.
    pub fn new(tokens: Tokens, first: usize) -> Self {
        let (mut text_index, mut number_index) = (HashMap::new(), HashMap::new());
        match &tokens {
            Tokens::Text(tokens) => tokens.iter().enumerate().for_each(|(i, token)| {
                text_index.entry(token.clone()).or_insert(first.saturating_add(i));
            }),
            Tokens::Numbers(tokens) => tokens.iter().enumerate().for_each(|(i, &token)| {
                number_index.entry(token).or_insert(first.saturating_add(i));
            }),
        }
        Vocabulary { tokens, first, text_index, number_index }
    }

    /// The tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The index of the first token.
    pub fn first(&self) -> usize {
        self.first
    }

    /// The index of a text token.
    pub fn of_text(&self, token: &str) -> Option<usize> {
        self.text_index.get(token).copied()
    }

    /// The index of a number token.
    pub fn of_number(&self, token: i64) -> Option<usize> {
        self.number_index.get(&token).copied()
    }
}

impl Attribute for Arc<Vocabulary> {
    fn write(&self, out: &mut Writer<'_>) {
        self.first.write(out);
        out.text(":");
        match &self.tokens {
            // An empty list must name the kind of its tokens.
            Tokens::Text(tokens) if tokens.is_empty() => out.text("text[]"),
            Tokens::Text(tokens) => tokens.write(out),
            Tokens::Numbers(tokens) => tokens.write(out),
        }
    }

    fn read(input: &mut Reader<'_>) -> Result<Self> {
        let error = input.error("a vocabulary");
        let (first, rest) = input.rest.trim_start().split_once(':').ok_or_else(|| input.error("a vocabulary"))?;
        let first = first.parse().map_err(|_| error)?;
        input.rest = rest;
        let text = input.take("text") || rest.starts_with("[\"");
        let tokens = if text { Tokens::Text(Vec::read(input)?) } else { Tokens::Numbers(Vec::read(input)?) };
        Ok(Arc::new(Vocabulary::new(tokens, first)))
    }
}

/// How a token that is not in the vocabulary is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The call fails, naming the token.
    Error,
    /// The token gets one of `count` indices, which start at `first`.
    Index {
        /// The first index.
        first: usize,
        /// The number of indices, at least 1.
        count: usize,
        /// How a token's index is chosen.
        spread: Spread,
    },
}

/// How tokens are distributed over indices. A number is hashed as its decimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// A number modulo the count of indices. Text has a single index.
    Modulo,
    /// The [fingerprint](crate::hash::fingerprint) modulo the count.
    Farm,
    /// The [hash with a key](crate::hash::sip) modulo the count.
    Sip(u64, u64),
}

impl Attribute for Unknown {
    fn write(&self, out: &mut Writer<'_>) {
        match self {
            Unknown::Error => out.text("error"),
            Unknown::Index { first, count, spread: Spread::Modulo } => out.text(&format!("{first}/{count}")),
            Unknown::Index { first, count, spread: Spread::Farm } => out.text(&format!("{first}/{count}/farm")),
            Unknown::Index { first, count, spread: Spread::Sip(a, b) } => {
                out.text(&format!("{first}/{count}/sip/{a}/{b}"));
            }
        }
    }

    fn read(input: &mut Reader<'_>) -> Result<Self> {
        let error = input.error("`error`, `first/count`, `first/count/farm` or `first/count/sip/key/key`");
        let word = input.word()?;
        if word == "error" {
            return Ok(Unknown::Error);
        }
        let parts: Vec<&str> = word.split('/').collect();
        let index = |first: &str, count: &str, spread| {
            Some(Unknown::Index { first: first.parse().ok()?, count: count.parse().ok()?, spread })
        };
        let found = match parts[..] {
            [first, count] => index(first, count, Spread::Modulo),
            [first, count, "farm"] => index(first, count, Spread::Farm),
            [first, count, "sip", a, b] => {
                let key = a.parse().ok().zip(b.parse().ok());
                key.and_then(|(a, b)| index(first, count, Spread::Sip(a, b)))
            }
            _ => None,
        };
        found.ok_or(error)
    }
}

primitive! {
    /// The index of each token in a vocabulary, as `i64`. Operand: text, or integers.
    Lookup {
        /// The vocabulary.
        vocabulary: Arc<Vocabulary>,
        /// How other tokens are treated.
        unknown: Unknown,
        /// The mask token, if it is text: its index is `masked`.
        mask_text: Option<Arc<str>>,
        /// The mask token, if it is a number.
        mask_number: Option<i64>,
        /// The index of the mask token.
        masked: i64,
    }
    infer(self, _cx, operands) {
        let [x] = take(operands)?;
        let text = matches!(self.vocabulary.tokens, Tokens::Text(_));
        let fits = if text { x.element == ElementType::String } else { x.element.is_integer() };
        if !fits {
            return Err(Error::bug(format!("a lookup of `{}`", x.element)));
        }
        match self.unknown {
            Unknown::Index { count: 0, .. } => return Err(Error::bug("a lookup with no index for unknown tokens")),
            Unknown::Index { count: 2.., spread: Spread::Modulo, .. } if text => {
                return Err(Error::bug("a lookup of text modulo a number"));
            }
            _ => {}
        }
        Ok(vec![x.with_element(ElementType::I64)])
    }
}

primitive! {
    /// The token of each index. Operand: `i64`. Result: text, or `i64` where tokens are numbers.
    ToText {
        /// The vocabulary.
        vocabulary: Arc<Vocabulary>,
        /// The position in the vocabulary of the token for indices outside it; without one the call fails.
        unknown: Option<usize>,
    }
    infer(self, _cx, operands) {
        let [x] = take(operands)?;
        of_element(x, ElementType::I64)?;
        let text = matches!(self.vocabulary.tokens, Tokens::Text(_));
        Ok(vec![x.with_element(if text { ElementType::String } else { ElementType::I64 })])
    }
}

primitive! {
    /// The bucket of each combination of tokens, one from each operand, as `i64`. There is at least one operand; all
    /// have one shape and hold text or integers. An integer is its own fingerprint.
    Cross {
        /// The number of buckets, at least 1.
        buckets: usize,
    }
    infer(self, cx, operands) {
        let Some(first) = operands.first() else { return Err(Error::bug("a crossing without operands")) };
        for x in operands {
            if x.element != ElementType::String && !x.element.is_integer() {
                return Err(Error::bug(format!("a crossing of `{}`", x.element)));
            }
            let differ = x.dims.iter().zip(&first.dims).any(|(&a, &b)| cx.same(a, b).is_none());
            if x.rank() != first.rank() || differ {
                let (a, b) = (cx.shape(&first.dims), cx.shape(&x.dims));
                return Err(Error::malformed(format!("expected inputs of one shape, found {a} and {b}")));
            }
        }
        if self.buckets == 0 {
            return Err(Error::bug("a crossing without buckets"));
        }
        Ok(vec![first.with_element(ElementType::I64)])
    }
}
