//! `HashedCrossing`: combinations of tokens to buckets.
//!
//! References: Keras 2's and Keras 3's `hashed_crossing.py`; TensorFlow's `sparse.cross_hashed`.

use super::rows::{OutputMode, Rows};
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::host::Cross;
use tfjs_ir::{ElementType, Value};
use tfjs_manifest::{Error, Result};

/// Hash buckets of combinations of tokens, one from each input. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct HashedCrossing {
    /// The form of the output.
    pub rows: Rows,
}

impl FromConfig for HashedCrossing {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        // How equal values are stored in memory.
        config.inert(&["sparse"]);
        let output = OutputMode::read(config, OutputMode::Int, &[OutputMode::Int, OutputMode::OneHot])?;
        Ok(HashedCrossing { rows: Rows::read(config, output, config.req("num_bins")?, "num_bins")? })
    }
}

impl LayerDef for HashedCrossing {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let inputs: Vec<Value> = call.inputs().iter().map(|tensor| tensor.value).collect();
        if inputs.len() < 2 {
            return Err(Error::malformed(format!("expected at least two inputs, found {}", inputs.len())));
        }
        let mut columns = Vec::with_capacity(inputs.len());
        for input in inputs {
            let ty = cx.ty(input).clone();
            let one_each = match ty.dims[..] {
                [_] => true,
                [_, last] => cx.known_dim(last) == Some(1),
                _ => false,
            };
            if !one_each {
                let message = format!("expected inputs of shape [?] or [?,1], found {}", cx.shape(input));
                return Err(Error::malformed(message));
            }
            let is_token = ty.element == ElementType::String || ty.element.is_integer();
            if !is_token {
                return Err(Error::malformed("expected strings or whole numbers, found other numbers"));
            }
            columns.push(if ty.element == ElementType::String { input } else { cx.cast(input, ElementType::I64)? });
        }
        let buckets = cx.one(Cross { buckets: self.rows.depth }, &columns)?;
        Ok(vec![self.rows.of(cx, buckets, None)?.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_program, check_refused};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn programs() {
        let inputs = ["string ?,1", "int32 ?,1"];
        check_program(
            "HashedCrossing",
            json!({"num_bins": 5}),
            &inputs,
            expect![[r#"
            input "x1": string[batch,1]
            input "x2": i32[batch,1]
            {
              %0 = input() {port=0} : string[batch,1]
              %1 = input() {port=1} : i32[batch,1]
              %2 = cast(%1) {to=i64} : i64[batch,1]
              %3 = cross(%0, %2) {buckets=5} : i64[batch,1]
              return %3 "y1"
            }
        "#]],
        );
        let rows = json!({"num_bins": 5, "output_mode": "one_hot", "sparse": true});
        check_program(
            "HashedCrossing",
            rows,
            &["int64 ?", "int64 ?"],
            expect![[r#"
            input "x1": i64[batch]
            input "x2": i64[batch]
            {
              %0 = input() {port=0} : i64[batch]
              %1 = input() {port=1} : i64[batch]
              %2 = cross(%0, %1) {buckets=5} : i64[batch]
              %3 = one_hot(%2) {depth=5, element=f32} : f32[batch,5]
              return %3 "y1"
            }
        "#]],
        );
    }

    #[test]
    fn refuses() {
        let of =
            |inputs: &[&str], message: &str| check_refused("HashedCrossing", json!({"num_bins": 5}), inputs, message);
        of(&["?"], "expected at least two inputs, found 1");
        of(&["?", "?"], "expected strings or whole numbers, found other numbers");
        of(&["?,2", "?,2"], "expected inputs of shape [?] or [?,1], found [?,2]");
        let message = "`config.output_mode`: this layer has no output mode `count`";
        check_refused("HashedCrossing", json!({"num_bins": 5, "output_mode": "count"}), &["?"], message);
    }
}
