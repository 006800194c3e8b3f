//! `Concatenate`: inputs one after the other along an axis.
//!
//! Reference: <https://keras.io/api/layers/merging_layers/concatenate/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::{Exactness, LayerDef, MaskRule};
use crate::registry::FromConfig;
use crate::types::{SymShape, TensorType, ValueType};
use tfjs_manifest::{Error, Result};

/// A concatenation. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Concatenate {
    /// The axis. DIFFERENCE: TensorFlow.js takes every negative one for the last.
    pub axis: i64,
    /// Whether a time step counts when one input has it, instead of all of them: Keras 3.
    pub mask_any: bool,
}

impl FromConfig for Concatenate {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Concatenate { axis: config.or("axis", -1)?, mask_any: config.producer().is_keras3() })
    }
}

impl LayerDef for Concatenate {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let inputs = call.inputs();
        let Some((first, rest)) = inputs.split_first() else {
            return Err(Error::malformed("expected at least one input, found none"));
        };
        let axis = first.shape.axis(self.axis)?;
        let mut dims = first.shape.0.clone();
        for input in rest {
            let differ = || {
                let (a, b) = (&first.shape, &input.shape);
                Error::malformed(format!("shapes {a} and {b} differ in another axis than {axis}"))
            };
            if input.shape.rank() != dims.len() {
                return Err(differ());
            }
            for (i, (dim, other)) in dims.iter_mut().zip(input.shape.dims()).enumerate() {
                *dim = match (*dim, *other) {
                    (Some(a), Some(b)) if i == axis => Some(a.checked_add(b).ok_or_else(differ)?),
                    _ if i == axis => None,
                    (Some(a), Some(b)) if a != b => return Err(differ()),
                    (a, b) => a.or(b),
                };
            }
        }
        let same = inputs.iter().all(|t| t.dtype == first.dtype);
        Ok(vec![TensorType { shape: SymShape(dims), dtype: if same { first.dtype } else { ValueType::Float } }])
    }

    /// Along time the masks follow each other; along another axis they are combined.
    fn mask(&self) -> MaskRule {
        MaskRule::Compute
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
    fn infers() {
        check_infer("Concatenate", json!({}), &["?,4,3", "?,?,5"], &["?,4,8"]);
        check_infer("Concatenate", json!({"axis": -2.0}), &["?,4,3", "2,?,3", "?,1,3"], &["2,?,3"]);
        check_infer("Concatenate", json!({"axis": 1}), &["?,4,3"], &["?,4,3"]);
    }

    #[test]
    fn refuses() {
        let message = "shapes [?,4,3] and [?,5,3] differ in another axis than 2";
        check_refused("Concatenate", json!({}), &["?,4,3", "?,5,3"], message);
        let message = "shapes [?,3] and [?,5,3] differ in another axis than 1";
        check_refused("Concatenate", json!({}), &["?,3", "?,5,3"], message);
        check_refused("Concatenate", json!({"axis": 2}), &["?,3"], "`axis` 2 does not exist in shape [?,3]");
    }
}
