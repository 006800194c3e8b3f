//! `RepeatVector`: a vector `n` times, as the steps of a sequence.
//!
//! Reference: <https://keras.io/api/layers/reshaping_layers/repeat_vector/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::{Exactness, LayerDef, single_of_rank};
use crate::registry::FromConfig;
use crate::types::TensorType;
use tfjs_manifest::{Error, Result};

/// A vector several times. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct RepeatVector {
    /// How often.
    pub n: usize,
}

impl FromConfig for RepeatVector {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        match config.req("n")? {
            0 => Err(Error::malformed("expected at least 1, found 0").at_json("n").at_json("config")),
            n => Ok(RepeatVector { n }),
        }
    }
}

impl LayerDef for RepeatVector {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let input = single_of_rank(call, 2)?;
        let dims = input.shape.dims();
        Ok(vec![input.with_shape([dims[0], Some(self.n), dims[1]])])
    }

    fn exactness(&self) -> Exactness {
        Exactness::Exact
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused};
    use serde_json::json;

    #[test]
    fn infers_and_refuses() {
        check_infer("RepeatVector", json!({"n": 3.0}), &["?,4"], &["?,3,4"]);
        check_refused("RepeatVector", json!({"n": 3}), &["?,2,4"], "expected an input of rank 2, found shape [?,2,4]");
        check_refused("RepeatVector", json!({"n": 0}), &[], "`config.n`: expected at least 1, found 0");
        check_refused("RepeatVector", json!({}), &[], "`config`: missing `n`");
    }
}
