//! `StringLookup` and `IntegerLookup`: tokens to indices of a vocabulary, and back.
//!
//! Reference: Keras's `keras/src/layers/preprocessing/index_lookup.py`.

use crate::call::Call;
use crate::config::{Config, FromJson, expected};
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use crate::types::ValueType;
use serde_json::Value as Json;
use std::collections::HashSet;
use std::sync::Arc;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp};
use tfjs_ir::prim::host::{self, Tokens, Unknown, Vocabulary};
use tfjs_ir::prim::layout::Padding;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Array, Data, ElementType, Value};
use tfjs_manifest::{Error, Limits, Result};

/// A vocabulary. No weights.
///
/// Indices: the mask token's (if there is one and the output is indices), those of tokens out of the
/// vocabulary, then the vocabulary's in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    /// The tokens that have an index of their own, without the special ones.
    pub vocabulary: Arc<Vocabulary>,
    /// The token that means nothing.
    pub mask_token: Option<Token>,
    /// The token that indices of tokens out of the vocabulary are turned into.
    pub oov_token: Token,
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
    pub idf: Idf,
}

/// The weights of indices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Idf {
    /// Those that are given; they come after the indices that are not.
    pub given: Vec<f32>,
    /// How many indices come before, which weigh the average of the others.
    pub before: usize,
}

impl Idf {
    /// The average of the weights that are given.
    pub fn average(&self) -> f32 {
        self.given.iter().sum::<f32>() / self.given.len().max(1) as f32
    }
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Token {
    /// Of a `StringLookup`.
    Text(String),
    /// Of an `IntegerLookup`.
    Number(i64),
}

impl Token {
    fn text(self) -> Option<String> {
        match self {
            Token::Text(text) => Some(text),
            Token::Number(_) => None,
        }
    }

    fn number(self) -> Option<i64> {
        match self {
            Token::Text(_) => None,
            Token::Number(number) => Some(number),
        }
    }
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
    fn from_json(value: &Json) -> Result<Self> {
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
    fn from_json(value: &Json) -> Result<Self> {
        match value {
            Json::String(text) => Ok(Token::Text(text.clone())),
            number => i64::from_json(number).map(Token::Number).map_err(|_| expected("a token", value)),
        }
    }
}

impl FromConfig for Lookup {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        // What the vocabulary's size already says, and how equal values are stored.
        config.inert(&["vocabulary_size", "vocab_size", "sparse", "has_static_table", "vocabulary_dtype"]);
        let text = match class {
            "StringLookup" => true,
            "IntegerLookup" => false,
            other => return Err(Error::bug(format!("`{other}` is listed as a lookup"))),
        };
        let output = config.or("output_mode", OutputMode::Int)?;
        let mask_token: Option<Token> = config.opt("mask_token")?;
        let oov_token = config.or("oov_token", if text { Token::Text("[UNK]".into()) } else { Token::Number(-1) })?;
        check_kind(&oov_token, text).map_err(|e| e.at_json("config.oov_token"))?;
        mask_token.iter().try_for_each(|token| check_kind(token, text)).map_err(|e| e.at_json("config.mask_token"))?;
        let num_oov: usize = config.or("num_oov_indices", 1)?;
        if text && num_oov > 1 {
            return Err(
                Error::unsupported("`num_oov_indices` above 1 hashes tokens, which is not supported").at_json("config")
            );
        }
        check_buckets(num_oov, config)?;
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
        // `num_oov` is any number at all: it is counted, never listed.
        let too_many = || Error::limit(format!("`num_oov_indices` {num_oov} is too large")).at_json("config");
        let special = oov_start.checked_add(num_oov).ok_or_else(too_many)?;
        // A vocabulary may be given with the special tokens in front.
        let given = special > 0
            && listed.split_at_checked(special).is_some_and(|(front, _)| {
                let (mask, oov) = front.split_at(oov_start);
                mask.iter().eq(mask_token.iter().take(oov_start)) && oov.iter().all(|token| *token == oov_token)
            });
        let front = if given { special } else { 0 };
        let weighted = listed.len();
        let vocabulary = listed.into_iter().skip(front).collect::<Vec<_>>();
        check_unique(&vocabulary)?;
        let tokens = special.checked_add(vocabulary.len()).ok_or_else(too_many)?;
        let pad: Option<usize> = if config.or("pad_to_max_tokens", false)? { config.opt("max_tokens")? } else { None };
        config.inert(&["max_tokens"]);
        let depth = pad.unwrap_or(tokens);
        if depth < tokens {
            let message = format!("`max_tokens` {depth} is less than the {tokens} tokens of the vocabulary");
            return Err(Error::malformed(message).at_json("config"));
        }
        let idf = match output {
            OutputMode::TfIdf => read_idf(config, weighted, special - front)?,
            _ => {
                config.inert(&["idf_weights"]);
                Idf::default()
            }
        };
        Ok(Lookup {
            vocabulary: Arc::new(Vocabulary::new(tokens_of(vocabulary, text), special)),
            mask_token,
            oov_token,
            oov: (oov_start, num_oov),
            invert: config.or("invert", false)?,
            output,
            text,
            depth,
            idf,
        })
    }
}

/// Unknown tokens are given so many indices, and what reads the indices is that wide.
fn check_buckets(num_oov: usize, config: &Config<'_>) -> Result<()> {
    const MANY: usize = 1 << 20;
    Limits::check("elements (num_oov_indices)", num_oov as u64, config.cx().limits.elements)
        .map_err(|e| e.at_json("config.num_oov_indices"))?;
    if num_oov > MANY {
        config.cx().warn(format!("`num_oov_indices` is {num_oov}: unknown tokens are spread over so many indices"));
    }
    Ok(())
}

fn check_unique(tokens: &[Token]) -> Result<()> {
    let mut known = HashSet::with_capacity(tokens.len());
    match tokens.iter().find(|token| !known.insert(*token)) {
        Some(token) => {
            let message = format!("the token `{}` is in the vocabulary twice", shown(token));
            Err(Error::malformed(message).at_json("config.vocabulary"))
        }
        None => Ok(()),
    }
}

/// Tokens of one kind.
fn tokens_of(tokens: impl IntoIterator<Item = Token>, text: bool) -> Tokens {
    let tokens = tokens.into_iter();
    match text {
        true => Tokens::Text(tokens.filter_map(Token::text).collect()),
        false => Tokens::Numbers(tokens.filter_map(Token::number).collect()),
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Text(text) => text.clone(),
        Token::Number(number) => number.to_string(),
    }
}

fn read_vocabulary(config: &Config<'_>, text: bool) -> Result<Vec<Token>> {
    if config.value("vocabulary").is_some_and(Json::is_string) {
        let message = "the vocabulary is in a file, which is not supported; save the layer with its vocabulary";
        return Err(Error::unsupported(message).at_json("config.vocabulary"));
    }
    let listed: Vec<Token> = config.opt("vocabulary")?.ok_or_else(|| {
        Error::unsupported("a lookup without `vocabulary`; adapt the layer before it is saved").at_json("config")
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
    Err(Error::malformed(format!("expected {what}, found `{}`", shown(token))))
}

/// The weights of the vocabulary, behind those of `before` special tokens.
fn read_idf(config: &Config<'_>, listed: usize, before: usize) -> Result<Idf> {
    let given: Vec<f32> = config.req("idf_weights")?;
    if given.len() != listed {
        let message = format!("expected {listed} numbers, one for each token, found {}", given.len());
        return Err(Error::malformed(message).at_json("config.idf_weights"));
    }
    Ok(Idf { given, before })
}

impl Lookup {
    fn token_type(&self) -> ValueType {
        if self.text { ValueType::String } else { ValueType::Int64 }
    }
}

impl Lookup {
    /// The input, which has the type of tokens or, for the inverse, of indices.
    fn input(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Value> {
        let input = cx.single(call)?.value;
        let expects_text = self.text && !self.invert;
        if expects_text != (cx.ty(input).element == ElementType::String) {
            let (expected, found) = if expects_text { ("strings", "numbers") } else { ("numbers", "strings") };
            return Err(Error::malformed(format!("expected {expected}, found {found}")));
        }
        if expects_text { Ok(input) } else { cx.cast(input, ElementType::I64) }
    }

    /// The token of every index.
    fn tokens(&self, cx: &mut LowerCx<'_>, indices: Value) -> Result<Value> {
        let (mask, count) = self.oov;
        if count <= 1 {
            // Every index is that of a token: the mask's, the unknown one's, those of the vocabulary.
            let special = self.mask_token.iter().take(mask).chain(std::iter::repeat_n(&self.oov_token, count)).cloned();
            let vocabulary = Vocabulary::new(self.listed(special.collect(), Vec::new()), 0);
            return cx
                .one(host::ToText { vocabulary: vocabulary.into(), unknown: (count > 0).then_some(mask) }, &[indices]);
        }
        // The token of many indices stands behind the vocabulary, once.
        let tokens = self.listed(Vec::new(), vec![self.oov_token.clone()]);
        let unknown = Some(tokens.len() - 1);
        let vocabulary = Arc::new(Vocabulary::new(tokens, self.vocabulary.first()));
        let tokens = cx.one(host::ToText { vocabulary, unknown }, &[indices])?;
        match self.mask_token {
            // Only numbers have several indices for unknown ones.
            Some(Token::Number(number)) if mask > 0 => {
                let masked = cx.compare_scalar(CompareOp::Eq, indices, 0.0)?;
                let number = cx.constant(Array::new(ElementType::I64, [], Data::Int(vec![number]))?)?;
                cx.select(masked, number, tokens)
            }
            _ => Ok(tokens),
        }
    }

    /// The vocabulary with tokens before and after it.
    fn listed(&self, before: Vec<Token>, after: Vec<Token>) -> Tokens {
        let known: Vec<Token> = match self.vocabulary.tokens() {
            Tokens::Text(tokens) => tokens.iter().cloned().map(Token::Text).collect(),
            Tokens::Numbers(tokens) => tokens.iter().copied().map(Token::Number).collect(),
        };
        tokens_of(before.into_iter().chain(known).chain(after), self.text)
    }

    /// The index of every token. That of the mask token is -1 where it has none.
    fn indices(&self, cx: &mut LowerCx<'_>, tokens: Value) -> Result<Value> {
        let (first, count) = self.oov;
        let mask = self.mask_token.clone();
        let lookup = host::Lookup {
            vocabulary: self.vocabulary.clone(),
            unknown: if count == 0 { Unknown::Error } else { Unknown::Index { first, count } },
            mask_text: mask.clone().and_then(Token::text),
            mask_number: mask.and_then(Token::number),
            masked: if self.output == OutputMode::Int { 0 } else { -1 },
        };
        cx.one(lookup, &[tokens])
    }

    /// Rows of zeros with something at the indices. -1 is no index of a row.
    fn encode(&self, cx: &mut LowerCx<'_>, mut indices: Value) -> Result<Value> {
        let dims = cx.dims_of(indices);
        let Some(last) = dims.len().checked_sub(1) else {
            return Err(Error::malformed("expected an input of rank 1 or more, found a scalar"));
        };
        let depth = cx.number(self.depth);
        if self.output == OutputMode::OneHot {
            if last > 0 && cx.known_dim(dims[last]) == Some(1) {
                indices = cx.remove_axis(indices, last)?;
            }
            return cx.one_hot(indices, depth, ElementType::F32);
        }
        if last == 0 {
            return Err(Error::malformed("expected an input of rank 2 or more, found rank 1"));
        }
        let rows = cx.one_hot(indices, depth, ElementType::F32)?;
        let counts = cx.reduce(ReduceOp::Sum, rows, &[last], false)?;
        match self.output {
            OutputMode::MultiHot => cx.binary_scalar(BinaryOp::Min, counts, 1.0),
            OutputMode::TfIdf => {
                let weights = self.weights(cx)?;
                cx.mul(counts, weights)
            }
            _ => Ok(counts),
        }
    }

    /// The weight of every index, `[depth]`; that of indices without a token is 0.
    fn weights(&self, cx: &mut LowerCx<'_>) -> Result<Value> {
        let Idf { given, before } = &self.idf;
        let weights = Array::floats([given.len()], given.iter().copied().map(f64::from))?;
        let weights = cx.constant(weights)?;
        let (low, high) = (cx.number(*before), cx.number(self.depth - before - given.len()));
        let weights = cx.pad(weights, &[Padding { low, ..Padding::NONE }], self.idf.average().into())?;
        cx.pad(weights, &[Padding { high, ..Padding::NONE }], 0.0)
    }
}

impl LayerDef for Lookup {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = self.input(cx, call)?;
        let out = match (self.invert, self.output) {
            (true, _) => self.tokens(cx, input)?,
            (false, OutputMode::Int) => self.indices(cx, input)?,
            (false, _) => {
                let indices = self.indices(cx, input)?;
                self.encode(cx, indices)?
            }
        };
        Ok(vec![KerasTensor::from(out)])
    }

    fn input_type(&self) -> Option<ValueType> {
        Some(if self.invert { ValueType::Int64 } else { self.token_type() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Layer;
    use crate::testing::{check_infer, check_program, check_refused, read_layer};
    use expect_test::expect;
    use serde_json::json;

    fn read(class: &str, config: Json) -> Lookup {
        match read_layer(class, config).unwrap() {
            Layer::Lookup(layer) => (*layer).clone(),
            other => panic!("{other:?} is no lookup"),
        }
    }

    /// The token of an index: the one for tokens out of the vocabulary where there is no other.
    fn token(lookup: &Lookup, index: i64) -> Option<Token> {
        let index = usize::try_from(index).ok();
        if let Some(mask) = lookup.mask_token.as_ref().filter(|_| lookup.oov.0 == 1 && index == Some(0)) {
            return Some(mask.clone());
        }
        let position = index.and_then(|index| index.checked_sub(lookup.vocabulary.first()));
        let known = position.and_then(|position| match lookup.vocabulary.tokens() {
            Tokens::Text(tokens) => tokens.get(position).cloned().map(Token::Text),
            Tokens::Numbers(tokens) => tokens.get(position).copied().map(Token::Number),
        });
        known.or_else(|| Some(lookup.oov_token.clone()).filter(|_| lookup.oov.1 > 0))
    }

    #[track_caller]
    fn check(config: Json, tokens: &[&str]) {
        let found = read("StringLookup", config);
        let found = (0..).take(found.vocabulary.first() + found.vocabulary.tokens().len()).map(|i| token(&found, i));
        assert_eq!(found.map(|token| shown(&token.unwrap())).collect::<Vec<_>>(), tokens);
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
        let found = read("StringLookup", config);
        assert_eq!(
            (found.idf.average(), found.idf.before, &found.idf.given[..], found.depth),
            (1.5, 1, &[1.0, 2.0][..], 4)
        );
    }

    #[test]
    fn indices_out_of_the_vocabulary_are_counted_not_listed() {
        let config = json!({"vocabulary": [5, 7], "num_oov_indices": 1_000_000_000, "mask_token": 0});
        let found = read("IntegerLookup", config.clone());
        assert_eq!(found.vocabulary.first(), 1_000_000_001);
        let tokens = [0, 1, 1_000_000_001].map(|index| token(&found, index));
        assert_eq!(tokens, [0, -1, 5].map(|n| Some(Token::Number(n))));
        check_infer("IntegerLookup", config.clone(), &["?,?"], &["?,?"]);
        let mut inverse = config;
        inverse["invert"] = json!(true);
        check_infer("IntegerLookup", inverse, &["?,?"], &["?,?"]);
        let too_many = json!({"vocabulary": [5], "num_oov_indices": 1u64 << 40});
        check_refused(
            "IntegerLookup",
            too_many,
            &["?"],
            "`config.num_oov_indices`: limit `elements (num_oov_indices)`: allowed 2147483648, asked 1099511627776; raise it in `Limits` if this model is trusted",
        );
    }

    #[test]
    fn indices() {
        let config = json!({"vocabulary": ["a", "b"], "mask_token": "", "num_oov_indices": 0});
        check_program(
            "StringLookup",
            config.clone(),
            &["string ?,?"],
            expect![[r#"
            input "x1": string[batch,x1.1]
            {
              %0 = input() {port=0} : string[batch,x1.1]
              %1 = lookup(%0) {vocabulary=1:["a","b"], unknown=error, mask_text="", mask_number=none, masked=0} : i64[batch,x1.1]
              return %1 "y1"
            }
        "#]],
        );
        let mut inverse = config;
        inverse["invert"] = json!(true);
        check_program(
            "StringLookup",
            inverse,
            &["int64 ?,?"],
            expect![[r#"
            input "x1": i64[batch,x1.1]
            {
              %0 = input() {port=0} : i64[batch,x1.1]
              %1 = to_text(%0) {vocabulary=0:["","a","b"], unknown=none} : string[batch,x1.1]
              return %1 "y1"
            }
        "#]],
        );
        let dealt_out = json!({"vocabulary": [5, 7], "mask_token": 0, "num_oov_indices": 3, "invert": true});
        check_program(
            "IntegerLookup",
            dealt_out,
            &["int64 ?"],
            expect![[r#"
                input "x1": i64[batch]
                const const0: i64[] = [0]
                {
                  %0 = input() {port=0} : i64[batch]
                  %1 = to_text(%0) {vocabulary=4:[5,7,-1], unknown=2} : i64[batch]
                  %2 = const() {constant=const0} : i64[]
                  %3 = compare(%0, %2) {op=eq} : bool[batch]
                  %4 = const() {constant=const0} : i64[]
                  %5 = select(%3, %4, %1) {} : i64[batch]
                  return %5 "y1"
                }
            "#]],
        );
    }

    #[test]
    fn bags() {
        let of = |mode: &str| {
            json!({"vocabulary": ["a"], "mask_token": "-", "output_mode": mode, "idf_weights": [2.0],
            "max_tokens": 3, "pad_to_max_tokens": true})
        };
        check_program(
            "StringLookup",
            of("multi_hot"),
            &["string ?,?"],
            expect![[r#"
            input "x1": string[batch,x1.1]
            const const0: f32[] = [1.0]
            {
              %0 = input() {port=0} : string[batch,x1.1]
              %1 = lookup(%0) {vocabulary=1:["a"], unknown=0/1, mask_text="-", mask_number=none, masked=-1} : i64[batch,x1.1]
              %2 = one_hot(%1) {depth=3, element=f32} : f32[batch,x1.1,3]
              %3 = reduce(%2) {op=sum, axes=[1], keep=false} : f32[batch,3]
              %4 = const() {constant=const0} : f32[]
              %5 = binary(%3, %4) {op=min} : f32[batch,3]
              return %5 "y1"
            }
        "#]],
        );
        check_program(
            "StringLookup",
            of("tf_idf"),
            &["string ?,?"],
            expect![[r#"
            input "x1": string[batch,x1.1]
            const const0: f32[1] = [2.0]
            {
              %0 = input() {port=0} : string[batch,x1.1]
              %1 = lookup(%0) {vocabulary=1:["a"], unknown=0/1, mask_text="-", mask_number=none, masked=-1} : i64[batch,x1.1]
              %2 = one_hot(%1) {depth=3, element=f32} : f32[batch,x1.1,3]
              %3 = reduce(%2) {op=sum, axes=[1], keep=false} : f32[batch,3]
              %4 = const() {constant=const0} : f32[1]
              %5 = pad(%4) {padding=[1|0|0], value=2.0} : f32[2]
              %6 = pad(%5) {padding=[0|1|0], value=0.0} : f32[3]
              %7 = binary(%3, %6) {op=mul} : f32[batch,3]
              return %7 "y1"
            }
        "#]],
        );
        check_program(
            "StringLookup",
            of("one_hot"),
            &["string ?,1"],
            expect![[r#"
            input "x1": string[batch,1]
            {
              %0 = input() {port=0} : string[batch,1]
              %1 = lookup(%0) {vocabulary=1:["a"], unknown=0/1, mask_text="-", mask_number=none, masked=-1} : i64[batch,1]
              %2 = reshape(%1) {dims=[batch]} : i64[batch]
              %3 = one_hot(%2) {depth=3, element=f32} : f32[batch,3]
              return %3 "y1"
            }
        "#]],
        );
    }

    #[test]
    fn special_tokens_are_of_the_vocabulary_s_kind() {
        let config = json!({"vocabulary": ["a"], "oov_token": 1});
        check_refused("StringLookup", config, &["?"], "`config.oov_token`: expected a string, found `1`");
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
