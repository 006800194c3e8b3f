//! `Identity`: returns its input.

use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_manifest::Result;

/// Returns the input unchanged. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity;

impl FromConfig for Identity {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, _config: &Config<'_>) -> Result<Self> {
        Ok(Identity)
    }
}

impl LayerDef for Identity {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        Ok(vec![cx.single(call)?])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_program, check_refused};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn gives_back_its_input() {
        check_infer("Identity", json!({}), &["?,3"], &["?,3"]);
        check_refused("Identity", json!({}), &["?", "?"], "expected one input, found 2");
        check_program(
            "Identity",
            json!({}),
            &["?,5,3 masked"],
            expect![[r#"
                input "x1": f32[batch,5,3]
                input "x1.mask": bool[batch,5]
                {
                  %0 = input() {port=0} : f32[batch,5,3]
                  %1 = input() {port=1} : bool[batch,5]
                  return %0 "y1", %1 "y1.mask"
                }
            "#]],
        );
    }
}
