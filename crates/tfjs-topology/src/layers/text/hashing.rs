//! `Hashing`: tokens to hash buckets.
//!
//! References: Keras 2's and Keras 3's `hashing.py`; TensorFlow's `to_hash_bucket_fast` and, with a salt,
//! `to_hash_bucket_strong`, of a text or of the decimal digits of a number.

use super::rows::{OutputMode, Rows};
use super::vocabulary::{Mask, Token, salt};
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use std::sync::Arc;
use tfjs_ir::ElementType;
use tfjs_ir::prim::host::{self, Spread, Tokens, Unknown, Vocabulary};
use tfjs_manifest::{Error, Result};

/// Hash buckets of tokens. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Hashing {
    /// The mask token, which has the first bucket to itself.
    pub mask: Mask,
    /// How tokens are hashed.
    pub spread: Spread,
    /// The form of the output.
    pub rows: Rows,
}

impl FromConfig for Hashing {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        // How equal values are stored in memory.
        config.inert(&["sparse"]);
        let known = [OutputMode::Int, OutputMode::OneHot, OutputMode::MultiHot, OutputMode::Count];
        let output = OutputMode::read(config, OutputMode::Int, &known)?;
        let rows = Rows::read(config, output, config.req("num_bins")?, "num_bins")?;
        let mask: Option<Token> = config.opt("mask_value")?;
        let mask = mask.filter(|_| rows.depth > 1).into();
        Ok(Hashing { mask, spread: salt(config)?.unwrap_or(Spread::Farm), rows })
    }
}

impl LayerDef for Hashing {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?.value;
        let text = cx.ty(input).element == ElementType::String;
        let input = if text { input } else { cx.cast(input, ElementType::I64)? };
        if self.mask.exists() && self.mask.text.is_some() != text {
            let (expected, found) = if text { ("a string", "a number") } else { ("a number", "a string") };
            return Err(Error::malformed(format!("expected {expected} as `mask_value`, found {found}")));
        }
        let first = usize::from(self.mask.exists());
        let none = if text { Tokens::Text(Vec::new()) } else { Tokens::Numbers(Vec::new()) };
        let dealt = host::Lookup {
            vocabulary: Arc::new(Vocabulary::new(none, 0)),
            unknown: Unknown::Index { first, count: self.rows.depth - first, spread: self.spread },
            mask_text: self.mask.text.clone(),
            mask_number: self.mask.number,
            masked: 0,
        };
        let buckets = cx.one(dealt, &[input])?;
        Ok(vec![self.rows.of(cx, buckets, None)?.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_program, check_refused};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn programs() {
        let config = json!({"num_bins": 5, "mask_value": "-", "salt": [3, -1], "output_mode": "int"});
        check_program(
            "Hashing",
            config,
            &["string ?,?"],
            expect![[r#"
            input "x1": string[batch,x1.1]
            {
              %0 = input() {port=0} : string[batch,x1.1]
              %1 = lookup(%0) {vocabulary=0:text[], unknown=1/4/sip/3/18446744073709551615, mask_text="-", mask_number=none, masked=0} : i64[batch,x1.1]
              return %1 "y1"
            }
        "#]],
        );
        let config = json!({"num_bins": 5.0, "mask_value": 7, "dtype": "int32"});
        check_program(
            "Hashing",
            config,
            &["int32 ?"],
            expect![[r#"
            input "x1": i32[batch]
            {
              %0 = input() {port=0} : i32[batch]
              %1 = cast(%0) {to=i64} : i64[batch]
              %2 = lookup(%1) {vocabulary=0:[], unknown=1/4/farm, mask_text=none, mask_number=7, masked=0} : i64[batch]
              %3 = cast(%2) {to=i32} : i32[batch]
              return %3 "y1"
            }
        "#]],
        );
        let one = json!({"num_bins": 1, "mask_value": "", "salt": null});
        check_program(
            "Hashing",
            one,
            &["string ?"],
            expect![[r#"
            input "x1": string[batch]
            {
              %0 = input() {port=0} : string[batch]
              %1 = lookup(%0) {vocabulary=0:text[], unknown=0/1/farm, mask_text=none, mask_number=none, masked=0} : i64[batch]
              return %1 "y1"
            }
        "#]],
        );
    }

    #[test]
    fn shapes() {
        let of = |mode: &str| json!({"num_bins": 4, "output_mode": mode, "salt": 7});
        check_infer("Hashing", of("one_hot"), &["?,1"], &["?,4"]);
        check_infer("Hashing", of("multi_hot"), &["?,?"], &["?,4"]);
    }

    #[test]
    fn refuses() {
        check_refused("Hashing", json!({}), &["?,3"], "`config`: missing `num_bins`");
        let message = "expected a number as `mask_value`, found a string";
        check_refused("Hashing", json!({"num_bins": 3, "mask_value": ""}), &["?,3"], message);
        let message = "`config.salt`: expected one or two whole numbers, found `[1,2,3]`";
        check_refused("Hashing", json!({"num_bins": 3, "salt": [1, 2, 3]}), &["?,3"], message);
    }
}
