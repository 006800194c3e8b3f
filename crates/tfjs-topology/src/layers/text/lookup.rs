//! `StringLookup` and `IntegerLookup`: tokens to indices of a vocabulary, and back.
//!
//! Reference: Keras's `keras/src/layers/preprocessing/index_lookup.py`.

use super::rows::{OutputMode, Rows};
use super::vocabulary::{Mask, Special, check_unique, read_vocabulary, tokens_of};
use crate::call::Call;
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::{LayerDef, WeightDecl};
use crate::lower::{KerasTensor, LowerCx};
use crate::producer::Family;
use crate::registry::FromConfig;
use crate::types::ValueType;
use std::sync::Arc;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_ir::prim::host::{self, Spread, Unknown, Vocabulary};
use tfjs_ir::prim::layout::Padding;
use tfjs_ir::{Array, ElementType, Value};
use tfjs_manifest::{Error, Result, Shape};

/// A vocabulary. Weights: in Keras 2, `Variable [depth]` for [`OutputMode::TfIdf`], which is the weight of each index;
/// none otherwise.
///
/// The order of indices: the mask token's (if there is one and the output is indices), those of out-of-vocabulary
/// tokens, then the vocabulary's in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    /// The tokens with an index of their own, without the special ones. For the inverse, every token: the mask token,
    /// the out-of-vocabulary token once, the others in order; the out-of-vocabulary token is last if it has no index.
    pub vocabulary: Arc<Vocabulary>,
    /// The mask token.
    pub mask: Mask,
    /// The first index of out-of-vocabulary tokens, and the number of such indices.
    pub oov: (usize, usize),
    /// How out-of-vocabulary tokens are distributed over several indices.
    pub spread: Spread,
    /// Whether indices are converted to tokens.
    pub invert: bool,
    /// Whether tokens are text; numbers otherwise.
    pub text: bool,
    /// The form of the output.
    pub rows: Rows,
    /// The element type of numeric tokens.
    pub number: ElementType,
    /// The weight of each index for [`OutputMode::TfIdf`].
    pub idf: Idf,
}

/// The weights of indices.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Idf {
    /// All indices have the same weight.
    #[default]
    None,
    /// A weight of the layer, without a name of its own in Keras 2.
    Variable,
    /// Weights in the configuration.
    Given {
        /// The weights in the configuration, which are those of the last indices.
        given: Vec<f32>,
        /// The number of indices before them, whose weight is the average of the others.
        before: usize,
    },
}

impl Idf {
    /// The weights are a weight of the layer; the copy in the configuration is ignored.
    fn variable(config: &Config<'_>) -> Self {
        config.inert(&["idf_weights"]);
        Idf::Variable
    }

    /// Writes the layer so that its weight is found when it is read.
    pub(super) fn encode(&self, out: &mut Encoding<'_>) {
        if *self == Idf::Variable {
            out.remove("idf_weights");
        }
    }
}

impl FromConfig for Lookup {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let text = match class {
            "StringLookup" => true,
            "IntegerLookup" => false,
            other => return Err(Error::bug(format!("`{other}` is listed as a lookup"))),
        };
        let special = Special::read(config, text)?;
        let output = config.or("output_mode", OutputMode::Int)?;
        Lookup::read(config, special, output, config.or("invert", false)?)
    }
}

/// Reads the weights of the vocabulary, which follow those of `before` special tokens.
fn read_idf(config: &Config<'_>, listed: usize, before: usize) -> Result<Idf> {
    let given: Vec<f32> = config.opt("idf_weights")?.ok_or_else(|| {
        Error::unsupported(
            "`idf_weights` is missing: a converted model does not have those that `adapt` has found; add it to the \
             layer's configuration, a number for each token of `vocabulary`",
        )
        .at_json("config")
    })?;
    if given.len() != listed {
        let message = format!("expected {listed} numbers, one for each token, found {}", given.len());
        return Err(Error::malformed(message).at_json("config.idf_weights"));
    }
    Ok(Idf::Given { given, before })
}

impl Lookup {
    /// Reads the vocabulary and the keys that all layers with one share.
    pub(super) fn read(config: &Config<'_>, special: Special, output: OutputMode, invert: bool) -> Result<Self> {
        // The size of the vocabulary is known from its tokens; `sparse` is about storage in memory.
        config.inert(&["vocabulary_size", "vocab_size", "sparse", "has_static_table", "has_input_vocabulary"]);
        let Special { text, mask_token, oov_token, num_oov, spread } = special;
        let encoding = config.or("encoding", "utf-8".to_string())?;
        if !encoding.eq_ignore_ascii_case("utf-8") {
            return Err(
                Error::unsupported(format!("`encoding` `{encoding}` is not supported, only `utf-8`")).at_json("config")
            );
        }
        if invert && output != OutputMode::Int {
            let message = "expected `int` of a layer with `invert`, found another output mode";
            return Err(Error::malformed(message).at_json("output_mode").at_json("config"));
        }
        let listed = read_vocabulary(config, text)?;

        let oov_start = usize::from(mask_token.is_some() && output == OutputMode::Int);
        // `num_oov` may be any number; it is only counted, and no list has that length.
        let too_many = || Error::limit(format!("`num_oov_indices` {num_oov} is too large")).at_json("config");
        let first = oov_start.checked_add(num_oov).ok_or_else(too_many)?;
        // A vocabulary may include the special tokens at its start.
        let given = first > 0
            && listed.split_at_checked(first).is_some_and(|(front, _)| {
                let (mask, oov) = front.split_at(oov_start);
                mask.iter().eq(mask_token.iter().take(oov_start)) && oov.iter().all(|token| *token == oov_token)
            });
        let front = if given { first } else { 0 };
        let weighted = listed.len();
        let tokens = listed.into_iter().skip(front).collect::<Vec<_>>();
        check_unique(&tokens)?;
        let indices = first.checked_add(tokens.len()).ok_or_else(too_many)?;
        let pad: Option<usize> = if config.or("pad_to_max_tokens", false)? { config.opt("max_tokens")? } else { None };
        config.inert(&["max_tokens"]);
        let depth = pad.unwrap_or(indices);
        if depth < indices {
            let message = format!("`max_tokens` {depth} is less than the {indices} tokens of the vocabulary");
            return Err(Error::malformed(message).at_json("config"));
        }
        let idf = match output {
            OutputMode::TfIdf => match config.producer().family {
                Family::Keras2 => Idf::variable(config),
                // A layer of Keras 2, written for TensorFlow.js.
                Family::TensorFlowJs if config.value("idf_weights").is_none() => Idf::variable(config),
                _ => read_idf(config, weighted, first - front)?,
            },
            _ => {
                config.inert(&["idf_weights"]);
                Idf::None
            }
        };
        let rows = Rows::read(config, output, depth, "vocabulary")?;
        // Keras 3 drops the configured type.
        let usual = if output == OutputMode::Int { ElementType::I64 } else { ElementType::F32 };
        let element = if config.producer().is_keras3() { usual } else { rows.element };
        let is_short = config.or("vocabulary_dtype", String::new())? == "int32";
        let vocabulary = match invert {
            true => {
                let mask = mask_token.iter().take(oov_start).cloned();
                let unknown = std::iter::once(oov_token);
                let (before, after) = if num_oov > 0 { (Some(unknown), None) } else { (None, Some(unknown)) };
                let all = mask.chain(before.into_iter().flatten()).chain(tokens).chain(after.into_iter().flatten());
                Vocabulary::new(tokens_of(all, text), 0)
            }
            false => Vocabulary::new(tokens_of(tokens, text), first),
        };
        Ok(Lookup {
            vocabulary: Arc::new(vocabulary),
            mask: mask_token.into(),
            oov: (oov_start, num_oov),
            spread,
            invert,
            text,
            rows: Rows { element, ..rows },
            number: if is_short { ElementType::I32 } else { ElementType::I64 },
            idf,
        })
    }

    fn token_type(&self) -> ValueType {
        if self.text { ValueType::String } else { ValueType::Int64 }
    }

    /// The input, cast to the type of tokens or, for the inverse, of indices.
    fn input(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Value> {
        let input = cx.single(call)?.value;
        let expects_text = self.text && !self.invert;
        if expects_text != (cx.ty(input).element == ElementType::String) {
            let (expected, found) = if expects_text { ("strings", "numbers") } else { ("numbers", "strings") };
            return Err(Error::malformed(format!("expected {expected}, found {found}")));
        }
        if expects_text { Ok(input) } else { cx.cast(input, ElementType::I64) }
    }

    /// The token of every index; the out-of-vocabulary token if there is no other.
    fn tokens(&self, cx: &mut LowerCx<'_>, mut indices: Value) -> Result<Value> {
        let (oov, count) = self.oov;
        if count > 1 {
            // All indices of out-of-vocabulary tokens become one, and those of the vocabulary follow it.
            let moved = cx.binary_scalar(BinaryOp::Sub, indices, (count - 1) as f64)?;
            let kept = cx.binary_scalar(BinaryOp::Min, indices, oov as f64)?;
            indices = cx.binary(BinaryOp::Max, moved, kept)?;
        }
        let last = self.vocabulary.tokens().len().saturating_sub(1);
        let unknown = Some(if count > 0 { oov } else { last });
        let tokens = cx.one(host::ToText { vocabulary: self.vocabulary.clone(), unknown }, &[indices])?;
        if self.text { Ok(tokens) } else { cx.cast(tokens, self.number) }
    }

    /// The output for tokens: their indices, or rows with entries at these indices.
    pub(super) fn of(&self, cx: &mut LowerCx<'_>, tokens: Value) -> Result<Value> {
        let (first, count) = self.oov;
        // With a single index no hash is needed.
        let spread = if count > 1 { self.spread } else { Spread::Modulo };
        // In rows, the index of the mask token is outside every row.
        let lookup = host::Lookup {
            vocabulary: self.vocabulary.clone(),
            unknown: if count == 0 { Unknown::Error } else { Unknown::Index { first, count, spread } },
            mask_text: self.mask.text.clone(),
            mask_number: self.mask.number,
            masked: if self.rows.output == OutputMode::Int { 0 } else { -1 },
        };
        let indices = cx.one(lookup, &[tokens])?;
        let rows = self.rows.of(cx, indices, None)?;
        let weights = match &self.idf {
            Idf::None => return Ok(rows),
            Idf::Variable => {
                let shape = Shape::new([self.rows.depth])?;
                cx.weight(WeightDecl::new("Variable", shape).frozen())?
            }
            Idf::Given { given, before } => self.weights(cx, given, *before)?,
        };
        let weights = cx.cast_like(weights, rows)?;
        cx.mul(rows, weights)
    }

    /// The weight of every index, `[depth]`; 0 for indices without a token.
    fn weights(&self, cx: &mut LowerCx<'_>, given: &[f32], before: usize) -> Result<Value> {
        let average = given.iter().sum::<f32>() / given.len().max(1) as f32;
        let weights = Array::floats([given.len()], given.iter().copied().map(f64::from))?;
        let weights = cx.constant(weights)?;
        let (low, high) = (cx.number(before), cx.number(self.rows.depth - before - given.len()));
        let weights = cx.pad(weights, &[Padding { low, ..Padding::NONE }], average.into())?;
        cx.pad(weights, &[Padding { high, ..Padding::NONE }], 0.0)
    }
}

impl LayerDef for Lookup {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = self.input(cx, call)?;
        let out = if self.invert { self.tokens(cx, input)? } else { self.of(cx, input)? };
        Ok(vec![KerasTensor::from(out)])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        self.idf.encode(out);
        Ok(())
    }

    fn input_type(&self) -> Option<ValueType> {
        Some(if self.invert { ValueType::Int64 } else { self.token_type() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Layer;
    use crate::testing::{
        check_infer, check_program, check_program_of, check_refused, check_weights, read_layer, read_layer_of,
    };
    use expect_test::expect;
    use serde_json::{Value as Json, json};
    use tfjs_ir::prim::host::Tokens;

    fn read(class: &str, config: Json) -> Lookup {
        match read_layer(class, config).unwrap() {
            Layer::Lookup(layer) => (*layer).clone(),
            other => panic!("{other:?} is no lookup"),
        }
    }

    /// Checks the tokens of all indices.
    #[track_caller]
    fn check(mut config: Json, tokens: &[&str]) {
        config["invert"] = json!(config["output_mode"].is_null());
        let found = read("StringLookup", config);
        let Tokens::Text(words) = found.vocabulary.tokens() else { panic!("numbers") };
        assert!(words.iter().map(|word| &**word).eq(tokens.iter().copied()), "{words:?}");
    }

    #[test]
    fn special_tokens_come_first() {
        check(json!({"vocabulary": ["a", "b"]}), &["[UNK]", "a", "b"]);
        check(json!({"vocabulary": ["a"], "maskToken": "", "oov_token": "?"}), &["", "?", "a"]);
        check(json!({"vocabulary": ["", "[UNK]", "a"], "mask_token": ""}), &["", "[UNK]", "a"]);
        check(json!({"vocabulary": ["a"], "num_oov_indices": 0.0}), &["a", "[UNK]"]);
        check(json!({"vocabulary": ["a"], "mask_token": "", "num_oov_indices": 3}), &["", "[UNK]", "a"]);
        let counted = json!({"vocabulary": ["a"], "mask_token": "", "output_mode": "count"});
        assert_eq!(read("StringLookup", counted).vocabulary.first(), 1);
    }

    #[test]
    fn weights_of_the_vocabulary() {
        let config = json!({"vocabulary": ["a", "b"], "output_mode": "tf_idf", "idf_weights": [1, 2],
            "max_tokens": 4, "pad_to_max_tokens": true});
        let mut numbers = config.clone();
        numbers["vocabulary"] = json!([1, 2]);
        check_weights("IntegerLookup", numbers, &["?,?"], &["Variable[4]"]);
        let Layer::Lookup(found) = read_layer_of(Family::Keras3, "StringLookup", config).unwrap() else {
            panic!("another layer")
        };
        assert_eq!((&found.idf, found.rows.depth), (&Idf::Given { given: vec![1.0, 2.0], before: 1 }, 4));
        let missing = json!({"vocabulary": ["a"], "output_mode": "tf_idf"});
        let message = "`config`: `idf_weights` is missing: a converted model does not have those that `adapt` has \
                       found; add it to the layer's configuration, a number for each token of `vocabulary`";
        let error = read_layer_of(Family::Keras3, "StringLookup", missing).unwrap_err();
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn indices_out_of_the_vocabulary_are_counted_not_listed() {
        let config = json!({"vocabulary": [5, 7], "num_oov_indices": 1_000_000_000, "mask_token": 0});
        let found = read("IntegerLookup", config.clone());
        assert_eq!(found.vocabulary.first(), 1_000_000_001);
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
                  %1 = to_text(%0) {vocabulary=0:["","a","b","[UNK]"], unknown=3} : string[batch,x1.1]
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
                const const0: i64[] = [2]
                const const1: i64[] = [1]
                {
                  %0 = input() {port=0} : i64[batch]
                  %1 = const() {constant=const0} : i64[]
                  %2 = binary(%0, %1) {op=sub} : i64[batch]
                  %3 = const() {constant=const1} : i64[]
                  %4 = binary(%0, %3) {op=min} : i64[batch]
                  %5 = binary(%2, %4) {op=max} : i64[batch]
                  %6 = to_text(%5) {vocabulary=0:[0,-1,5,7], unknown=1} : i64[batch]
                  return %6 "y1"
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
                const const0: i64[] = [0]
                const const1: i64[] = [3]
                const const2: i64[] = [2]
                const const3: f32[] = [0.0]
                const const4: f32[] = [1.0]
                {
                  %0 = input() {port=0} : string[batch,x1.1]
                  %1 = lookup(%0) {vocabulary=1:["a"], unknown=0/1, mask_text="-", mask_number=none, masked=-1} : i64[batch,x1.1]
                  %2 = const() {constant=const0} : i64[]
                  %3 = compare(%1, %2) {op=ge} : bool[batch,x1.1]
                  %4 = const() {constant=const1} : i64[]
                  %5 = compare(%1, %4) {op=lt} : bool[batch,x1.1]
                  %6 = binary(%3, %5) {op=and} : bool[batch,x1.1]
                  %7 = cast(%6) {to=f32} : f32[batch,x1.1]
                  %8 = binary(%1, %2) {op=max} : i64[batch,x1.1]
                  %9 = const() {constant=const2} : i64[]
                  %10 = binary(%8, %9) {op=min} : i64[batch,x1.1]
                  %11 = iota() {axis=0, dims=[batch], element=i64} : i64[batch]
                  %12 = binary(%11, %4) {op=mul} : i64[batch]
                  %13 = reshape(%12) {dims=[batch,1]} : i64[batch,1]
                  %14 = binary(%10, %13) {op=add} : i64[batch,x1.1]
                  %15 = const() {constant=const3} : f32[]
                  %16 = broadcast(%15) {dims=[3*batch], axes=[]} : f32[3*batch]
                  %17 = scatter_add(%16, %14, %7) {axis=0} : f32[3*batch]
                  %18 = reshape(%17) {dims=[batch,3]} : f32[batch,3]
                  %19 = const() {constant=const4} : f32[]
                  %20 = binary(%18, %19) {op=min} : f32[batch,3]
                  return %20 "y1"
                }
            "#]],
        );
        check_program_of(
            Family::Keras3,
            "StringLookup",
            of("tf_idf"),
            &["string ?,?"],
            expect![[r#"
                input "x1": string[batch,x1.1]
                const const0: i64[] = [0]
                const const1: i64[] = [3]
                const const2: i64[] = [2]
                const const3: f32[] = [0.0]
                const const4: f32[1] = [2.0]
                {
                  %0 = input() {port=0} : string[batch,x1.1]
                  %1 = lookup(%0) {vocabulary=1:["a"], unknown=0/1, mask_text="-", mask_number=none, masked=-1} : i64[batch,x1.1]
                  %2 = const() {constant=const0} : i64[]
                  %3 = compare(%1, %2) {op=ge} : bool[batch,x1.1]
                  %4 = const() {constant=const1} : i64[]
                  %5 = compare(%1, %4) {op=lt} : bool[batch,x1.1]
                  %6 = binary(%3, %5) {op=and} : bool[batch,x1.1]
                  %7 = cast(%6) {to=f32} : f32[batch,x1.1]
                  %8 = binary(%1, %2) {op=max} : i64[batch,x1.1]
                  %9 = const() {constant=const2} : i64[]
                  %10 = binary(%8, %9) {op=min} : i64[batch,x1.1]
                  %11 = iota() {axis=0, dims=[batch], element=i64} : i64[batch]
                  %12 = binary(%11, %4) {op=mul} : i64[batch]
                  %13 = reshape(%12) {dims=[batch,1]} : i64[batch,1]
                  %14 = binary(%10, %13) {op=add} : i64[batch,x1.1]
                  %15 = const() {constant=const3} : f32[]
                  %16 = broadcast(%15) {dims=[3*batch], axes=[]} : f32[3*batch]
                  %17 = scatter_add(%16, %14, %7) {axis=0} : f32[3*batch]
                  %18 = reshape(%17) {dims=[batch,3]} : f32[batch,3]
                  %19 = const() {constant=const4} : f32[1]
                  %20 = pad(%19) {padding=[1|0|0], value=2.0} : f32[2]
                  %21 = pad(%20) {padding=[0|1|0], value=0.0} : f32[3]
                  %22 = binary(%18, %21) {op=mul} : f32[batch,3]
                  return %22 "y1"
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
        let message = "`config.vocabulary`: expected at least 1, found 0";
        check_refused("StringLookup", json!({"vocabulary": [], "num_oov_indices": 0}), &["?"], message);
        let message = "expected an input of rank 2 or more, found rank 1";
        check_refused("IntegerLookup", json!({"vocabulary": [1], "output_mode": "count"}), &["?"], message);
    }
}
