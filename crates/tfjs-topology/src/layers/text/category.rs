//! `CategoryEncoding`: integers to rows.
//!
//! References: Keras 2's and Keras 3's `category_encoding.py`, TensorFlow.js's `category_encoding.ts`. Keras 2 fails
//! for a number that is not an index of a row; Keras 3 ignores it. DIFFERENCE: TensorFlow.js fails too.

use super::rows::{OutputMode, Rows};
use crate::call::{Arg, Call};
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::producer::Family;
use crate::registry::FromConfig;
use crate::types::{TensorType, ValueType};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::{ElementType, Value};
use tfjs_manifest::{Error, Result};

/// Rows of numbers in `[0, num_tokens)`. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct CategoryEncoding {
    /// The form of the output.
    pub rows: Rows,
    /// Whether a number outside the row is an error.
    pub checks: bool,
}

impl FromConfig for CategoryEncoding {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["CategoryEncoding"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        // How equal values are stored in memory.
        config.inert(&["sparse"]);
        let known = [OutputMode::OneHot, OutputMode::MultiHot, OutputMode::Count, OutputMode::Int];
        // Only TensorFlow.js gives the numbers themselves back.
        let known = if config.producer().is_tfjs() { &known[..] } else { &known[..3] };
        let output = OutputMode::read(config, OutputMode::MultiHot, known)?;
        // The key before Keras 2.7.
        let (key, tokens) = match config.opt("max_tokens")? {
            Some(tokens) => ("max_tokens", tokens),
            None => ("num_tokens", config.req("num_tokens")?),
        };
        let rows = Rows::read(config, output, tokens, key)?;
        Ok(CategoryEncoding { rows, checks: config.producer().family == Family::Keras2 })
    }
}

impl CategoryEncoding {
    /// The weights of the numbers: the second argument, or the keyword argument.
    fn weights(call: &Call<KerasTensor>) -> Option<Value> {
        let named = call.kwarg("count_weights").or_else(|| call.kwarg("countWeights"));
        let second = call.args.get(1);
        named.or(second).and_then(Arg::tensor).map(|tensor| tensor.value)
    }

    /// The numbers, checked by a lookup in a table with exactly one entry for each valid index.
    fn checked(&self, cx: &mut LowerCx<'_>, numbers: Value) -> Result<Value> {
        if !self.checks {
            return Ok(numbers);
        }
        let depth = cx.number(self.rows.depth);
        let table = cx.iota(0, &[depth], ElementType::I64)?;
        cx.gather(table, numbers, 0, Bounds::Error)
    }
}

impl LayerDef for CategoryEncoding {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let first = call.inputs().first().map(|tensor| tensor.value);
        let input = first.ok_or_else(|| Error::malformed("expected numbers, found no input"))?;
        if cx.ty(input).element == ElementType::String {
            return Err(Error::malformed("expected numbers, found strings"));
        }
        let weights = Self::weights(call);
        if weights.is_some() && self.rows.output != OutputMode::Count {
            return Err(Error::malformed("`count_weights` is given, and `output_mode` is not `count`"));
        }
        let numbers = cx.cast(input, ElementType::I64)?;
        let numbers = self.checked(cx, numbers)?;
        Ok(vec![self.rows.of(cx, numbers, weights)?.into()])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        out.rename("max_tokens", "num_tokens");
        let depth = self.rows.depth;
        let is_as_wide = |ty: &TensorType| matches!(ty.shape.dims(), &[_, Some(width)] if width == depth);
        if out.producer().is_tfjs() {
            return Ok(());
        }
        if out.calls().is_empty() || !out.calls().iter().all(|call| call.first().is_some_and(is_as_wide)) {
            out.warn(
                "TensorFlow.js changes the shape of this layer's input to that of its output: directly behind an input it \
                 predicts only if that has `num_tokens` columns",
            );
        }
        if out.calls().iter().any(|call| call.len() > 1) {
            out.warn("TensorFlow.js does not pass `count_weights` on");
        }
        if !self.checks {
            out.warn("TensorFlow.js fails for numbers outside of a row, Keras 3 counts nothing for them");
        }
        Ok(())
    }

    fn input_type(&self) -> Option<ValueType> {
        Some(ValueType::Int32)
    }
}

#[cfg(test)]
mod tests {
    use crate::producer::Family;
    use crate::testing::{check_encoded, check_infer, check_program_of, check_refused};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn shapes() {
        let of = |mode: &str| json!({"num_tokens": 4.0, "output_mode": mode});
        check_infer("CategoryEncoding", json!({"numTokens": 4}), &["?,?"], &["?,4"]);
        check_infer("CategoryEncoding", of("one_hot"), &["?"], &["?,4"]);
        check_infer("CategoryEncoding", of("oneHot"), &["?,1"], &["?,4"]);
        check_infer("CategoryEncoding", of("count"), &["?,3"], &["?,4"]);
    }

    #[test]
    fn the_numbers_themselves() {
        let config = json!({"num_tokens": 4, "output_mode": "int"});
        check_program_of(
            Family::TensorFlowJs,
            "CategoryEncoding",
            config,
            &["?,?"],
            expect![[r#"
            input "x1": f32[batch,x1.1]
            {
              %0 = input() {port=0} : f32[batch,x1.1]
              %1 = cast(%0) {to=i64} : i64[batch,x1.1]
              %2 = cast(%1) {to=i32} : i32[batch,x1.1]
              return %2 "y1"
            }
        "#]],
        );
    }

    #[test]
    fn programs() {
        check_program_of(
            Family::Keras3,
            "CategoryEncoding",
            json!({"num_tokens": 4, "output_mode": "count"}),
            &["int32 ?,?"],
            expect![[r#"
                input "x1": i32[batch,x1.1]
                const const0: i64[] = [0]
                const const1: i64[] = [4]
                const const2: i64[] = [3]
                const const3: f32[] = [0.0]
                {
                  %0 = input() {port=0} : i32[batch,x1.1]
                  %1 = cast(%0) {to=i64} : i64[batch,x1.1]
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
                  %16 = broadcast(%15) {dims=[4*batch], axes=[]} : f32[4*batch]
                  %17 = scatter_add(%16, %14, %7) {axis=0} : f32[4*batch]
                  %18 = reshape(%17) {dims=[batch,4]} : f32[batch,4]
                  return %18 "y1"
                }
            "#]],
        );
        check_program_of(
            Family::Keras2,
            "CategoryEncoding",
            json!({"num_tokens": 4, "output_mode": "one_hot"}),
            &["int32 ?,1"],
            expect![[r#"
                input "x1": i32[batch,1]
                {
                  %0 = input() {port=0} : i32[batch,1]
                  %1 = cast(%0) {to=i64} : i64[batch,1]
                  %2 = iota() {axis=0, dims=[4], element=i64} : i64[4]
                  %3 = gather(%2, %1) {axis=0, bounds=error} : i64[batch,1]
                  %4 = reshape(%3) {dims=[batch]} : i64[batch]
                  %5 = one_hot(%4) {depth=4, element=f32} : f32[batch,4]
                  return %5 "y1"
                }
            "#]],
        );
    }

    #[test]
    fn written() {
        let config = json!({"max_tokens": 4, "output_mode": "count"});
        let keys = json!({"num_tokens": 4, "max_tokens": null, "output_mode": "count"});
        check_encoded(Family::Keras2, &json!([null, 4]), "CategoryEncoding", &config, &keys, &[]);
        let warnings = [
            "TensorFlow.js changes the shape of this layer's input to that of its output: directly behind an input it \
             predicts only if that has `num_tokens` columns",
            "TensorFlow.js fails for numbers outside of a row, Keras 3 counts nothing for them",
        ];
        check_encoded(Family::Keras3, &json!([null, 3]), "CategoryEncoding", &config, &keys, &warnings);
    }

    #[test]
    fn refuses() {
        check_refused("CategoryEncoding", json!({}), &["?,3"], "`config`: missing `num_tokens`");
        let message = "`config.num_tokens`: expected at least 1, found 0";
        check_refused("CategoryEncoding", json!({"num_tokens": 0}), &["?,3"], message);
        let message = "`config.output_mode`: this layer has no output mode `int`";
        check_refused("CategoryEncoding", json!({"num_tokens": 2, "output_mode": "int"}), &["?,3"], message);
        let message = "expected an input of rank 2 or more, found rank 1";
        check_refused("CategoryEncoding", json!({"num_tokens": 2}), &["?"], message);
        let message = "expected an input of rank 2, found shape [?,2,3]";
        check_refused("CategoryEncoding", json!({"num_tokens": 2}), &["?,2,3"], message);
        let message = "`count_weights` is given, and `output_mode` is not `count`";
        check_refused("CategoryEncoding", json!({"num_tokens": 2}), &["?,3", "?,3"], message);
    }
}
