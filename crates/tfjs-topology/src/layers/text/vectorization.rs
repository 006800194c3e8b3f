//! `TextVectorization`: texts to the indices of their tokens, or to rows that count them.
//!
//! References: Keras 2's and Keras 3's `text_vectorization.py`. Texts are split by [`tfjs_ir::tokens`]. Tokens are
//! looked up as in a `StringLookup` with the mask token `""`: rows are padded with it, and its index is 0.

use super::lookup::Lookup;
use super::rows::OutputMode;
use super::vocabulary::{Special, Token};
use crate::call::Call;
use crate::config::{Config, FromJson, expected};
use crate::encode::{Encoding, Target};
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use crate::types::ValueType;
use serde_json::Value as Json;
use std::sync::Arc;
use tfjs_ir::ElementType;
use tfjs_ir::prim::elementwise::CompareOp;
use tfjs_ir::prim::host::Spread;
use tfjs_ir::tokens::{Ngrams, Split, Tokenizer};
use tfjs_manifest::{Error, Limits, Result};

/// A tokenizer and a vocabulary. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct TextVectorization {
    /// How a text is tokenized.
    pub tokenizer: Arc<Tokenizer>,
    /// How tokens are encoded.
    pub lookup: Lookup,
    /// Whether rows are as long as their texts, and not filled up.
    pub ragged: bool,
}

/// The value of a key for which null and an absent key differ.
enum Word<'a> {
    Absent,
    Null,
    Text(&'a str),
}

impl<'a> Word<'a> {
    fn read(config: &Config<'a>, key: &str) -> Result<Self> {
        match config.value(key) {
            Some(Json::String(text)) => Ok(Word::Text(text)),
            Some(_) => Err(Word::own(key, "a function of its own")),
            None if config.map().contains_key(key) => Ok(Word::Null),
            None => Ok(Word::Absent),
        }
    }

    /// An error for a function that the file refers to by name only.
    fn own(key: &str, found: &str) -> Error {
        Error::unsupported(format!("`{key}` is {found}, which is not in the file")).at_json(key).at_json("config")
    }
}

impl FromJson for Ngrams {
    fn from_json(value: &Json) -> Result<Self> {
        match value {
            Json::Array(widths) => {
                // Each of them is tried at each token.
                Limits::check("widths of n-grams", widths.len() as u64, 1 << 10)?;
                Vec::from_json(value).map(Ngrams::Widths)
            }
            _ => usize::from_json(value)
                .map(Ngrams::UpTo)
                .map_err(|_| expected("a whole number of at least 0, or a list of them", value)),
        }
    }
}

impl FromConfig for TextVectorization {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        let (lower, strip) = match Word::read(config, "standardize")? {
            Word::Absent | Word::Text("lower_and_strip_punctuation") => (true, true),
            Word::Text("lower") => (true, false),
            Word::Text("strip_punctuation") => (false, true),
            Word::Null => (false, false),
            Word::Text(other) => return Err(Word::own("standardize", &format!("the function `{other}`"))),
        };
        let split = match Word::read(config, "split")? {
            Word::Absent | Word::Text("whitespace") => Split::Whitespace,
            Word::Text("character") => Split::Characters,
            Word::Null => Split::Whole,
            Word::Text(other) => return Err(Word::own("split", &format!("the function `{other}`"))),
        };
        if config.value("output_mode").is_none() && config.map().contains_key("output_mode") {
            let message = "`output_mode` is null: the tokens themselves are not supported as an output";
            return Err(Error::unsupported(message).at_json("config"));
        }
        let output = config.or("output_mode", OutputMode::Int)?;
        let length: Option<usize> = config.opt("output_sequence_length")?;
        if length.is_some() && output != OutputMode::Int {
            let message = "`output_sequence_length` is given, and `output_mode` is not `int`";
            return Err(Error::malformed(message).at_json("config"));
        }
        let ragged = config.or("ragged", false)?;
        if ragged && (output != OutputMode::Int || length.is_some() || split == Split::Whole) {
            let message =
                "`ragged` is for texts that are split, with `output_mode` `int` and no `output_sequence_length`";
            return Err(Error::malformed(message).at_json("config"));
        }
        let ngrams = config.or("ngrams", Ngrams::No)?;
        let special = Special {
            text: true,
            mask_token: Some(Token::Text(String::new())),
            oov_token: Token::Text("[UNK]".into()),
            num_oov: 1,
            spread: Spread::Modulo,
        };
        let lookup = Lookup::read(config, special, output, false)?;
        let tokenizer = Arc::new(Tokenizer { lower, strip, split, ngrams, length });
        Ok(TextVectorization { tokenizer, lookup, ragged })
    }
}

impl LayerDef for TextVectorization {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?.value;
        if cx.ty(input).element != ElementType::String {
            return Err(Error::malformed("expected strings, found numbers"));
        }
        let tokens = cx.tokens(input, &self.tokenizer)?;
        let found = self.lookup.of(cx, tokens)?;
        if !self.ragged {
            return Ok(vec![found.into()]);
        }
        // Only what fills rows up has index 0.
        let mask = cx.compare_scalar(CompareOp::Ne, found, 0.0)?;
        Ok(vec![KerasTensor { ragged: true, ..KerasTensor::from(found).with_mask(Some(mask)) }])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        self.lookup.idf.encode(out);
        Ok(())
    }

    fn input_type(&self) -> Option<ValueType> {
        Some(ValueType::String)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_program, check_refused};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn programs() {
        let sequence = json!({"vocabulary": ["a", "b"], "output_sequence_length": 4});
        check_program(
            "TextVectorization",
            sequence,
            &["string ?,1"],
            expect![[r#"
            input "x1": string[batch,1]
            tokens "x1.tokens": string[batch,4] of 0 {lower=true, strip=true, split=whitespace, ngrams=no, length=4}
            {
              %0 = input() {port=0} : string[batch,1]
              %1 = input() {port=1} : string[batch,4]
              %2 = lookup(%1) {vocabulary=2:["a","b"], unknown=1/1, mask_text="", mask_number=none, masked=0} : i64[batch,4]
              return %2 "y1"
            }
        "#]],
        );
        let open = json!({"vocabulary": ["", "[UNK]", "b"], "ngrams": 2, "standardize": null, "split": "character"});
        check_program(
            "TextVectorization",
            open,
            &["string ?"],
            expect![[r#"
            input "x1": string[batch]
            tokens "x1.tokens": string[batch,tokens1] of 0 {lower=false, strip=false, split=characters, ngrams=2, length=none}
            {
              %0 = input() {port=0} : string[batch]
              %1 = input() {port=1} : string[batch,tokens1]
              %2 = lookup(%1) {vocabulary=2:["b"], unknown=1/1, mask_text="", mask_number=none, masked=0} : i64[batch,tokens1]
              return %2 "y1"
            }
        "#]],
        );
        let whole = json!({"vocabulary": ["b"], "split": null, "standardize": "lower"});
        check_program(
            "TextVectorization",
            whole,
            &["string ?,3"],
            expect![[r#"
            input "x1": string[batch,3]
            tokens "x1.tokens": string[batch,3] of 0 {lower=true, strip=false, split=whole, ngrams=no, length=none}
            {
              %0 = input() {port=0} : string[batch,3]
              %1 = input() {port=1} : string[batch,3]
              %2 = lookup(%1) {vocabulary=2:["b"], unknown=1/1, mask_text="", mask_number=none, masked=0} : i64[batch,3]
              return %2 "y1"
            }
        "#]],
        );
    }

    #[test]
    fn refuses() {
        let of = |config, message: &str| check_refused("TextVectorization", config, &["?,1"], message);
        of(json!({"vocabulary": ["a"]}), "expected strings, found numbers");
        of(
            json!({"vocabulary": null}),
            "`config`: the vocabulary is missing: a converted model does not have one that `adapt` or `set_vocabulary` \
             made; add `vocabulary`, the list that the layer's `get_vocabulary()` gives, to its configuration",
        );
        let message = "`config.standardize`: `standardize` is the function `string_upper`, which is not in the file";
        of(json!({"standardize": "string_upper"}), message);
        let message = "`config`: `output_mode` is null: the tokens themselves are not supported as an output";
        of(json!({"output_mode": null}), message);
        let message = "`config`: `ragged` is for texts that are split, with `output_mode` `int` and no \
                       `output_sequence_length`";
        of(json!({"vocabulary": ["a"], "ragged": true, "output_sequence_length": 3}), message);
        let message = "`config.ngrams`: expected a whole number of at least 0, or a list of them, found `-1`";
        of(json!({"ngrams": -1, "vocabulary": ["a"]}), message);
    }
}
