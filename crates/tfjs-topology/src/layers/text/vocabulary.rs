//! The vocabulary of a lookup in a configuration: its tokens, the special ones, and the treatment of unknown ones.

use crate::config::{Config, FromJson, expected};
use serde_json::Value as Json;
use std::collections::HashSet;
use std::sync::Arc;
use tfjs_ir::prim::host::{Spread, Tokens};
use tfjs_manifest::account::text_bytes;
use tfjs_manifest::{Error, Limits, Result};

/// A token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Token {
    /// A token of a `StringLookup`.
    Text(String),
    /// A token of an `IntegerLookup`.
    Number(i64),
}

impl Token {
    /// The token, if it is text.
    pub fn text(self) -> Option<String> {
        match self {
            Token::Text(text) => Some(text),
            Token::Number(_) => None,
        }
    }

    /// The token, if it is a number.
    pub fn number(self) -> Option<i64> {
        match self {
            Token::Text(_) => None,
            Token::Number(number) => Some(number),
        }
    }

    /// The token as shown in messages.
    pub(super) fn shown(&self) -> String {
        match self {
            Token::Text(text) => text.clone(),
            Token::Number(number) => number.to_string(),
        }
    }
}

/// A mask token, which all calls of its layer share. Neither text nor a number if there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    /// The token, if it is text.
    pub text: Option<Arc<str>>,
    /// The token, if it is a number.
    pub number: Option<i64>,
}

impl Mask {
    /// Whether there is a mask token.
    pub fn exists(&self) -> bool {
        self.text.is_some() || self.number.is_some()
    }
}

impl From<Option<Token>> for Mask {
    fn from(token: Option<Token>) -> Self {
        match token {
            Some(Token::Text(text)) => Mask { text: Some(text.into()), number: None },
            Some(Token::Number(number)) => Mask { text: None, number: Some(number) },
            None => Mask::default(),
        }
    }
}

impl FromJson for Token {
    fn from_json(value: &Json) -> Result<Self> {
        match value {
            Json::String(text) => Ok(Token::Text(text.clone())),
            number => i64::from_json(number).map(Token::Number).map_err(|_| expected("a token", value)),
        }
    }
}

/// The special tokens of a lookup, and the treatment of unknown ones.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Special {
    /// Whether tokens are text; numbers otherwise.
    pub(super) text: bool,
    /// The mask token.
    pub(super) mask_token: Option<Token>,
    /// The out-of-vocabulary token.
    pub(super) oov_token: Token,
    /// The number of indices for unknown tokens.
    pub(super) num_oov: usize,
    /// How unknown tokens are distributed over several indices.
    pub(super) spread: Spread,
}

impl Special {
    pub(super) fn read(config: &Config<'_>, text: bool) -> Result<Self> {
        let mask_token: Option<Token> = config.opt("mask_token")?;
        let oov_token = config.or("oov_token", if text { Token::Text("[UNK]".into()) } else { Token::Number(-1) })?;
        check_kind(&oov_token, text).map_err(|e| e.at_json("config.oov_token"))?;
        mask_token.iter().try_for_each(|token| check_kind(token, text)).map_err(|e| e.at_json("config.mask_token"))?;
        let num_oov: usize = config.or("num_oov_indices", 1)?;
        check_buckets(num_oov, config)?;
        let hashed = match config.or("oov_method", "floormod".to_string())?.as_str() {
            // Text is hashed with either method.
            "floormod" => text,
            "farmhash" => true,
            other => {
                let message = format!("expected `floormod` or `farmhash`, found `{other}`");
                return Err(Error::malformed(message).at_json("oov_method").at_json("config"));
            }
        };
        let salted = salt(config)?;
        let spread = if hashed { salted.unwrap_or(Spread::Farm) } else { Spread::Modulo };
        Ok(Special { text, mask_token, oov_token, num_oov, spread })
    }
}

/// The keyed hash for `salt`: two numbers, or one that is used twice.
pub(super) fn salt(config: &Config<'_>) -> Result<Option<Spread>> {
    let Some(value) = config.value("salt") else { return Ok(None) };
    let numbers = if value.is_array() { Vec::from_json(value) } else { i64::from_json(value).map(|n| vec![n]) };
    match numbers.as_deref() {
        Ok(&[both]) if !value.is_array() => Ok(Some(Spread::Sip(both.cast_unsigned(), both.cast_unsigned()))),
        Ok(&[a, b]) => Ok(Some(Spread::Sip(a.cast_unsigned(), b.cast_unsigned()))),
        _ => Err(expected("one or two whole numbers", value).at_json("salt").at_json("config")),
    }
}

/// Limits `num_oov_indices`, because the layers that read the indices need a weight for each of them.
fn check_buckets(num_oov: usize, config: &Config<'_>) -> Result<()> {
    const MANY: usize = 1 << 20;
    Limits::check("elements (num_oov_indices)", num_oov as u64, config.cx().limits.elements)
        .map_err(|e| e.at_json("config.num_oov_indices"))?;
    if num_oov > MANY {
        config.cx().warn(format!("`num_oov_indices` is {num_oov}: unknown tokens are spread over that many indices"));
    }
    Ok(())
}

/// Reads the tokens in the configuration, which must be of one kind.
pub(super) fn read_vocabulary(config: &Config<'_>, text: bool) -> Result<Vec<Token>> {
    if config.value("vocabulary").is_some_and(Json::is_string) {
        let message = "the vocabulary is in a file, which is not supported; write its tokens as a list instead";
        return Err(Error::unsupported(message).at_json("config.vocabulary"));
    }
    // The list, the table, and the texts of each.
    let items = config.value("vocabulary").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    let texts = items.iter().filter_map(Json::as_str).map(|token| 3 * text_bytes(token)).sum();
    config.cx().account.charge_many::<[Token; 4]>(items.len())?;
    config.cx().account.charge(texts)?;
    let listed: Vec<Token> = config.opt("vocabulary")?.ok_or_else(|| {
        Error::unsupported(
            "the vocabulary is missing: a converted model does not have one that `adapt` or `set_vocabulary` made; add \
             `vocabulary`, the list that the layer's `get_vocabulary()` gives, to its configuration",
        )
        .at_json("config")
    })?;
    for (i, token) in listed.iter().enumerate() {
        check_kind(token, text).map_err(|e| e.at_json(format!("config.vocabulary[{i}]")))?;
    }
    Ok(listed)
}

fn check_kind(token: &Token, text: bool) -> Result<()> {
    if matches!(token, Token::Text(_)) == text {
        return Ok(());
    }
    let what = if text { "a string" } else { "a whole number" };
    Err(Error::malformed(format!("expected {what}, found `{}`", token.shown())))
}

pub(super) fn check_unique(tokens: &[Token]) -> Result<()> {
    let mut known = HashSet::with_capacity(tokens.len());
    match tokens.iter().find(|token| !known.insert(*token)) {
        Some(token) => {
            let message = format!("the token `{}` is in the vocabulary twice", token.shown());
            Err(Error::malformed(message).at_json("config.vocabulary"))
        }
        None => Ok(()),
    }
}

/// Converts tokens of one kind.
pub(super) fn tokens_of(tokens: impl IntoIterator<Item = Token>, text: bool) -> Tokens {
    let tokens = tokens.into_iter();
    match text {
        true => Tokens::Text(tokens.filter_map(Token::text).map(Into::into).collect()),
        false => Tokens::Numbers(tokens.filter_map(Token::number).collect()),
    }
}
