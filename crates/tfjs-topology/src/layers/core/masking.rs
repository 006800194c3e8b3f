//! `Masking`: masks the time steps whose elements all have a given value.
//!
//! Reference: <https://keras.io/api/layers/core_layers/masking/>.

use crate::call::Call;
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::LayerDef;
use crate::layers::masks;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::ElementType;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_manifest::{Error, Result};

/// `mask = any(x != mask_value)` over the last axis; the output is `x * mask`. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Masking {
    /// The value of masked elements.
    pub mask_value: f64,
}

impl FromConfig for Masking {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["Masking"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Masking { mask_value: config.or("mask_value", 0.0)? })
    }
}

impl LayerDef for Masking {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let (rank, element) = (cx.ty(input.value).rank(), cx.ty(input.value).element);
        if rank < 2 {
            let shape = cx.shape(input.value);
            return Err(Error::malformed(format!("expected an input of rank 2 or more, found shape {shape}")));
        }
        let differs = cx.compare_scalar(CompareOp::Ne, input.value, self.mask_value)?;
        let kept = cx.reduce(ReduceOp::Any, differs, &[rank - 1], true)?;
        let out = if element == ElementType::Bool {
            // Only TensorFlow.js multiplies truth values.
            cx.binary(BinaryOp::And, input.value, kept)?
        } else {
            let factor = cx.cast(kept, element)?;
            cx.mul(input.value, factor)?
        };
        let mask = cx.remove_axis(kept, rank - 1)?;
        Ok(vec![KerasTensor::from(out).with_mask(Some(mask))])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        masks::warn_of_made(out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::producer::Family;
    use crate::testing::{check_encoded, check_infer, check_program_of, check_refused};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn keeps_the_shape() {
        check_infer("Masking", json!({}), &["?,?,3"], &["?,?,3"]);
        check_infer("Masking", json!({"maskValue": -1}), &["2,5,3"], &["2,5,3"]);
        check_refused("Masking", json!({}), &["?"], "expected an input of rank 2 or more, found shape [?]");
    }

    #[test]
    fn truth_values() {
        check_program_of(
            Family::TensorFlowJs,
            "Masking",
            json!({}),
            &["bool ?,3,2"],
            expect![[r#"
            input "x1": bool[batch,3,2]
            const const0: bool[] = [false]
            {
              %0 = input() {port=0} : bool[batch,3,2]
              %1 = const() {constant=const0} : bool[]
              %2 = compare(%0, %1) {op=ne} : bool[batch,3,2]
              %3 = reduce(%2) {op=any, axes=[2], keep=true} : bool[batch,3,1]
              %4 = binary(%0, %3) {op=and} : bool[batch,3,2]
              %5 = reshape(%3) {dims=[batch,3]} : bool[batch,3]
              return %4 "y1", %5 "y1.mask"
            }
        "#]],
        );
    }

    #[test]
    fn tensorflow_js_hands_on_masks_otherwise() {
        let warning = "TensorFlow.js passes the mask of this layer to other layers than Keras does";
        check_encoded(Family::Keras2, &json!([null, 3, 2]), "Masking", &json!({}), &json!({}), &[warning]);
    }
}
