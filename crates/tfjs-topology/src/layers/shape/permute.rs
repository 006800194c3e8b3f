//! `Permute`: permutes all axes except the batch.
//!
//! Reference: <https://keras.io/api/layers/reshaping_layers/permute/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_manifest::{Error, Result};

/// A permutation of the axes. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Permute {
    /// The input's axis for each axis of the output; the batch is axis 0. A permutation of `1..rank`.
    pub dims: Vec<usize>,
}

impl FromConfig for Permute {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["Permute"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        let dims: Vec<usize> = config.req("dims")?;
        let mut seen = vec![false; dims.len()];
        let mut is_new =
            |axis: usize| seen.get_mut(axis.wrapping_sub(1)).is_some_and(|seen| !std::mem::replace(seen, true));
        if !dims.iter().all(|&axis| is_new(axis)) {
            return Err(Error::malformed(format!("expected each axis from 1 on once, found `{dims:?}`"))
                .at_json("dims")
                .at_json("config"));
        }
        Ok(Permute { dims })
    }
}

impl LayerDef for Permute {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let x = cx.single_of_rank(call, self.dims.len() + 1)?.value;
        let order: Vec<usize> = std::iter::once(0).chain(self.dims.iter().copied()).collect();
        Ok(vec![cx.transpose(x, &order)?.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_program, check_refused};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers_and_refuses() {
        check_infer("Permute", json!({"dims": [2.0, 1]}), &["?,4,?"], &["?,?,4"]);
        check_refused("Permute", json!({"dims": [2, 1]}), &["?,4"], "expected an input of rank 3, found shape [?,4]");
        let message = "`config.dims`: expected each axis from 1 on once, found `[2, 2]`";
        check_refused("Permute", json!({"dims": [2, 2]}), &[], message);
    }

    #[test]
    fn one_transpose() {
        check_program(
            "Permute",
            json!({"dims": [2, 1]}),
            &["?,4,?"],
            expect![[r#"
                input "x1": f32[batch,4,x1.2]
                {
                  %0 = input() {port=0} : f32[batch,4,x1.2]
                  %1 = transpose(%0) {order=[0,2,1]} : f32[batch,x1.2,4]
                  return %1 "y1"
                }
            "#]],
        );
        check_program(
            "Permute",
            json!({"dims": [1, 2]}),
            &["?,4,?"],
            expect![[r#"
                input "x1": f32[batch,4,x1.2]
                {
                  %0 = input() {port=0} : f32[batch,4,x1.2]
                  return %0 "y1"
                }
            "#]],
        );
    }
}
