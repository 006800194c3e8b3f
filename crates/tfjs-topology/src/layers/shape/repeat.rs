//! `RepeatVector`: repeats a vector `n` times, as the steps of a sequence.
//!
//! Reference: <https://keras.io/api/layers/reshaping_layers/repeat_vector/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_manifest::{Error, Result};

/// Repeats a vector. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct RepeatVector {
    /// The number of repetitions.
    pub n: usize,
}

impl FromConfig for RepeatVector {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["RepeatVector"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        match config.req("n")? {
            0 => Err(Error::malformed("expected at least 1, found 0").at_json("n").at_json("config")),
            n => Ok(RepeatVector { n }),
        }
    }
}

impl LayerDef for RepeatVector {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let x = cx.single_of_rank(call, 2)?.value;
        let mut dims = cx.dims_of(x);
        dims.insert(1, cx.number(self.n));
        Ok(vec![cx.broadcast(x, &dims, &[0, 2])?.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_program, check_refused};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn infers_and_refuses() {
        check_infer("RepeatVector", json!({"n": 3.0}), &["?,4"], &["?,3,4"]);
        check_refused("RepeatVector", json!({"n": 3}), &["?,2,4"], "expected an input of rank 2, found shape [?,2,4]");
        check_refused("RepeatVector", json!({"n": 0}), &[], "`config.n`: expected at least 1, found 0");
        check_refused("RepeatVector", json!({}), &[], "`config`: missing `n`");
    }

    #[test]
    fn one_broadcast() {
        check_program(
            "RepeatVector",
            json!({"n": 3}),
            &["?,4"],
            expect![[r#"
                input "x1": f32[batch,4]
                {
                  %0 = input() {port=0} : f32[batch,4]
                  %1 = broadcast(%0) {dims=[batch,3,4], axes=[0,2]} : f32[batch,3,4]
                  return %1 "y1"
                }
            "#]],
        );
    }
}
