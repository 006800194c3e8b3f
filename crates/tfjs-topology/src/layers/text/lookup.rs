//! `StringLookup` and `IntegerLookup`: tokens to indices of a vocabulary, and back.
//!
//! Reference: Keras's `keras/src/layers/preprocessing/index_lookup.py`.

use crate::call::Call;
use crate::config::{Config, FromJson, expected};
use crate::layer::{Exactness, LayerDef, single};
use crate::registry::FromConfig;
use crate::types::{Dim, TensorType, ValueType};
use serde_json::Value;
use std::collections::HashMap;
use tfjs_manifest::{Error, Result};

/// A vocabulary. No weights.
///
/// Indices: the mask token's (if there is one and the output is indices), those of tokens out of the
/// vocabulary, then the vocabulary's in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    /// The tokens of all indices, the special ones included.
    pub tokens: Vec<Token>,
    /// The index of each token of the vocabulary.
    pub index: HashMap<Token, usize>,
    /// The token that means nothing.
    pub mask_token: Option<Token>,
    /// The first index for tokens out of the vocabulary, and how many there are.
    pub oov: (usize, usize),
    /// Whether indices are turned into tokens.
    pub invert: bool,
    /// What is made of the indices.
    pub output: OutputMode,
    /// Whether tokens are text; numbers otherwise.
    pub text: bool,
    /// Length of an encoded output's last axis.
    pub depth: usize,
    /// The weight of each index for [`OutputMode::TfIdf`].
    pub idf: Vec<f32>,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Token {
    /// Of a `StringLookup`.
    Text(String),
    /// Of an `IntegerLookup`.
    Number(i64),
}

/// What is made of the indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputMode {
    /// The indices themselves.
    Int,
    /// A row of zeros with a one for each index.
    OneHot,
    /// A row for the whole last axis, with a one where an index occurs.
    MultiHot,
    /// A row for the whole last axis that counts the indices.
    Count,
    /// [`Count`](OutputMode::Count), weighted.
    TfIdf,
}

impl FromJson for OutputMode {
    fn from_json(value: &Value) -> Result<Self> {
        Ok(match value.as_str() {
            Some("int") => OutputMode::Int,
            Some("one_hot") => OutputMode::OneHot,
            Some("multi_hot" | "binary") => OutputMode::MultiHot,
            Some("count") => OutputMode::Count,
            Some("tf_idf" | "tf-idf") => OutputMode::TfIdf,
            _ => return Err(expected("`int`, `one_hot`, `multi_hot`, `count` or `tf_idf`", value)),
        })
    }
}

impl FromJson for Token {
    fn from_json(value: &Value) -> Result<Self> {
        match value {
            Value::String(text) => Ok(Token::Text(text.clone())),
            number => i64::from_json(number).map(Token::Number).map_err(|_| expected("a token", value)),
        }
    }
}

impl FromConfig for Lookup {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        // What the vocabulary's size already says, and how equal values are stored.
        config.inert(&["vocabulary_size", "vocab_size", "sparse", "has_static_table", "vocabulary_dtype"]);
        let text = class == "StringLookup";
        let output = config.or("output_mode", OutputMode::Int)?;
        let mask_token: Option<Token> = config.opt("mask_token")?;
        let oov_token = config.or("oov_token", if text { Token::Text("[UNK]".into()) } else { Token::Number(-1) })?;
        let num_oov: usize = config.or("num_oov_indices", 1)?;
        if text && num_oov > 1 {
            return Err(
                Error::unsupported("`num_oov_indices` above 1 hashes tokens, which is not supported").at_json("config")
            );
        }
        if config.or("oov_method", "floormod".to_string())? != "floormod" && num_oov > 1 {
            return Err(Error::unsupported("`oov_method` other than `floormod` is not supported").at_json("config"));
        }
        config.inert(&["salt"]);
        let encoding = config.or("encoding", "utf-8".to_string())?;
        if !encoding.eq_ignore_ascii_case("utf-8") {
            return Err(
                Error::unsupported(format!("`encoding` `{encoding}` is not supported, only `utf-8`")).at_json("config")
            );
        }
        let listed = read_vocabulary(config, text)?;

        let oov_start = usize::from(mask_token.is_some() && output == OutputMode::Int);
        let special: Vec<Token> =
            mask_token.iter().take(oov_start).chain(std::iter::repeat_n(&oov_token, num_oov)).cloned().collect();
        // A vocabulary may be given with the special tokens in front.
        let given = listed.starts_with(&special) && !special.is_empty();
        let vocabulary = if given { &listed[special.len()..] } else { &listed[..] };
        let mut index = HashMap::with_capacity(vocabulary.len());
        for (i, token) in vocabulary.iter().enumerate() {
            if index.insert(token.clone(), special.len() + i).is_some() {
                let message = format!("the token `{}` is in the vocabulary twice", shown(token));
                return Err(Error::malformed(message).at_json("config.vocabulary"));
            }
        }
        let tokens: Vec<Token> = special.iter().chain(vocabulary).cloned().collect();
        let pad: Option<usize> = if config.or("pad_to_max_tokens", false)? { config.opt("max_tokens")? } else { None };
        config.inert(&["max_tokens"]);
        let depth = pad.unwrap_or(tokens.len());
        if depth < tokens.len() {
            let message = format!("`max_tokens` {depth} is less than the {} tokens of the vocabulary", tokens.len());
            return Err(Error::malformed(message).at_json("config"));
        }
        let idf = match output {
            OutputMode::TfIdf => read_idf(config, listed.len(), if given { 0 } else { special.len() }, depth)?,
            _ => {
                config.inert(&["idf_weights"]);
                Vec::new()
            }
        };
        let oov = (oov_start, num_oov);
        Ok(Lookup { tokens, index, mask_token, oov, invert: config.or("invert", false)?, output, text, depth, idf })
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Text(text) => text.clone(),
        Token::Number(number) => number.to_string(),
    }
}

fn read_vocabulary(config: &Config<'_>, text: bool) -> Result<Vec<Token>> {
    if config.value("vocabulary").is_some_and(Value::is_string) {
        let message = "the vocabulary is in a file, which is not supported; save the layer with its vocabulary";
        return Err(Error::unsupported(message).at_json("config.vocabulary"));
    }
    let listed: Vec<Token> = config.opt("vocabulary")?.ok_or_else(|| {
        Error::unsupported("a lookup without `vocabulary`; adapt the layer before it is saved").at_json("config")
    })?;
    let wrong = listed.iter().position(|token| matches!(token, Token::Text(_)) != text);
    match wrong {
        Some(i) => {
            let what = if text { "a string" } else { "a whole number" };
            let message = format!("expected {what}, found `{}`", shown(&listed[i]));
            Err(Error::malformed(message).at_json(format!("config.vocabulary[{i}]")))
        }
        None => Ok(listed),
    }
}

/// The weights of the vocabulary, behind `padding` times their average for the tokens out of it.
fn read_idf(config: &Config<'_>, listed: usize, padding: usize, depth: usize) -> Result<Vec<f32>> {
    let given: Vec<f32> = config.req("idf_weights")?;
    if given.len() != listed {
        let message = format!("expected {listed} numbers, one for each token, found {}", given.len());
        return Err(Error::malformed(message).at_json("config.idf_weights"));
    }
    let average = given.iter().sum::<f32>() / given.len().max(1) as f32;
    let mut idf = vec![average; padding];
    idf.extend(given);
    idf.resize(depth, 0.0);
    Ok(idf)
}

impl Lookup {
    /// What an output of this shape makes of an input of that.
    fn encoded(&self, dims: &[Dim]) -> Result<Vec<Dim>> {
        let (&last, before) =
            dims.split_last().ok_or_else(|| Error::malformed("expected an input of rank 1 or more, found a scalar"))?;
        let mut out = match self.output {
            OutputMode::Int => return Ok(dims.to_vec()),
            // An axis of length 1 is replaced, as it would be for a bag of one token.
            OutputMode::OneHot if last == Some(1) && !before.is_empty() => before.to_vec(),
            OutputMode::OneHot => dims.to_vec(),
            _ if before.is_empty() => {
                return Err(Error::malformed("expected an input of rank 2 or more, found rank 1"));
            }
            _ => before.to_vec(),
        };
        out.push(Some(self.depth));
        Ok(out)
    }

    fn token_type(&self) -> ValueType {
        if self.text { ValueType::String } else { ValueType::Int64 }
    }
}

impl LayerDef for Lookup {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let input = single(call)?;
        let wants_text = self.text && !self.invert;
        if wants_text != (input.dtype == ValueType::String) {
            let (expected, found) = if wants_text { ("strings", "numbers") } else { ("numbers", "strings") };
            return Err(Error::malformed(format!("expected {expected}, found {found}")));
        }
        let dtype = match (self.invert, self.output) {
            (true, _) => return Ok(vec![TensorType { shape: input.shape.clone(), dtype: self.token_type() }]),
            (false, OutputMode::Int) => ValueType::Int64,
            (false, _) => ValueType::Float,
        };
        Ok(vec![TensorType { dtype, ..input.with_shape(self.encoded(&input.shape.0)?) }])
    }

    fn input_type(&self) -> Option<ValueType> {
        Some(if self.invert { ValueType::Int64 } else { self.token_type() })
    }

    fn exactness(&self) -> Exactness {
        Exactness::Exact
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Layer;
    use crate::testing::{check_infer, check_refused, read_layer};
    use serde_json::json;

    fn read(class: &str, config: Value) -> Lookup {
        match read_layer(class, config).unwrap() {
            Layer::Lookup(layer) => (*layer).clone(),
            other => panic!("{other:?} is no lookup"),
        }
    }

    #[track_caller]
    fn check(config: Value, tokens: &[&str]) {
        let found = read("StringLookup", config).tokens;
        assert_eq!(found.iter().map(shown).collect::<Vec<_>>(), tokens);
    }

    #[test]
    fn special_tokens_come_first() {
        check(json!({"vocabulary": ["a", "b"]}), &["[UNK]", "a", "b"]);
        check(json!({"vocabulary": ["a"], "maskToken": "", "oov_token": "?"}), &["", "?", "a"]);
        check(json!({"vocabulary": ["", "[UNK]", "a"], "mask_token": ""}), &["", "[UNK]", "a"]);
        check(json!({"vocabulary": ["a"], "mask_token": "", "output_mode": "count"}), &["[UNK]", "a"]);
        check(json!({"vocabulary": ["a"], "num_oov_indices": 0.0}), &["a"]);
    }

    #[test]
    fn weights_of_the_vocabulary() {
        let config = json!({"vocabulary": ["a", "b"], "output_mode": "tf_idf", "idf_weights": [1, 2],
            "max_tokens": 4, "pad_to_max_tokens": true});
        assert_eq!(read("StringLookup", config).idf, [1.5, 1.0, 2.0, 0.0]);
    }

    #[test]
    fn shapes() {
        let of = |mode: &str| json!({"vocabulary": [5, 7], "output_mode": mode});
        check_infer("IntegerLookup", of("int"), &["?,?"], &["?,?"]);
        check_infer("IntegerLookup", of("one_hot"), &["?"], &["?,3"]);
        check_infer("IntegerLookup", of("one_hot"), &["?,1"], &["?,3"]);
        check_infer("IntegerLookup", of("one_hot"), &["?,4"], &["?,4,3"]);
        check_infer("IntegerLookup", of("multi_hot"), &["?,?"], &["?,3"]);
    }

    #[test]
    fn refuses() {
        check_refused("StringLookup", json!({"vocabulary": ["a"]}), &["?"], "expected strings, found numbers");
        let message = "`config.vocabulary`: the token `a` is in the vocabulary twice";
        check_refused("StringLookup", json!({"vocabulary": ["a", "a"]}), &["?"], message);
        let message = "`config.vocabulary[1]`: expected a whole number, found `b`";
        check_refused("IntegerLookup", json!({"vocabulary": [1, "b"]}), &["?"], message);
        let message = "`config`: `num_oov_indices` above 1 hashes tokens, which is not supported";
        check_refused("StringLookup", json!({"vocabulary": [], "num_oov_indices": 3}), &["?"], message);
        let message = "expected an input of rank 2 or more, found rank 1";
        check_refused("IntegerLookup", json!({"vocabulary": [1], "output_mode": "count"}), &["?"], message);
    }
}
