//! `Permute`: the axes, but for the batch, in another order.
//!
//! Reference: <https://keras.io/api/layers/reshaping_layers/permute/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::{Exactness, LayerDef, single_of_rank};
use crate::registry::FromConfig;
use crate::types::TensorType;
use tfjs_manifest::{Error, Result};

/// The axes in another order. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Permute {
    /// The input's axis for each axis of the output, the batch counted as 0: a permutation of `1..rank`.
    pub dims: Vec<usize>,
}

impl FromConfig for Permute {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        let dims: Vec<usize> = config.req("dims")?;
        if !(1..=dims.len()).all(|axis| dims.contains(&axis)) {
            return Err(Error::malformed(format!("expected each axis from 1 on once, found `{dims:?}`"))
                .at_json("dims")
                .at_json("config"));
        }
        Ok(Permute { dims })
    }
}

impl LayerDef for Permute {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let input = single_of_rank(call, self.dims.len() + 1)?;
        let from = input.shape.dims();
        let dims: Vec<_> = std::iter::once(0).chain(self.dims.iter().copied()).map(|axis| from[axis]).collect();
        Ok(vec![input.with_shape(dims)])
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
        check_infer("Permute", json!({"dims": [2.0, 1]}), &["?,4,?"], &["?,?,4"]);
        check_refused("Permute", json!({"dims": [2, 1]}), &["?,4"], "expected an input of rank 3, found shape [?,4]");
        let message = "`config.dims`: expected each axis from 1 on once, found `[2, 2]`";
        check_refused("Permute", json!({"dims": [2, 2]}), &[], message);
    }
}
