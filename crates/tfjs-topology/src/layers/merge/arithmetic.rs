//! `Add`, `Subtract`, `Multiply`, `Average`, `Maximum`, `Minimum`: element by element.
//!
//! Inputs of lower rank get axes after the batch, then shapes broadcast. In Keras 3, `Multiply`, `Maximum` and
//! `Minimum` leave masked elements out.
//!
//! Reference: <https://keras.io/api/layers/merging_layers/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::{Exactness, LayerDef, MaskRule};
use crate::ops::binary::broadcast;
use crate::registry::FromConfig;
use crate::types::{SymShape, TensorType, ValueType};
use tfjs_manifest::{Error, Result};

/// Which arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeKind {
    /// The sum.
    Add,
    /// The first less the second.
    Subtract,
    /// The product.
    Multiply,
    /// The mean.
    Average,
    /// The largest.
    Maximum,
    /// The smallest.
    Minimum,
}

/// A merge of elements. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Merge {
    /// Which arithmetic.
    pub kind: MergeKind,
    /// Whether masked elements are left out of the arithmetic.
    pub skips_masked: bool,
    /// What happens to the masks.
    pub mask: MaskRule,
}

impl FromConfig for Merge {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let kind = match class {
            "Add" => MergeKind::Add,
            "Subtract" => MergeKind::Subtract,
            "Multiply" => MergeKind::Multiply,
            "Average" => MergeKind::Average,
            "Maximum" => MergeKind::Maximum,
            "Minimum" => MergeKind::Minimum,
            other => return Err(Error::bug(format!("`{other}` is listed as a merge layer"))),
        };
        let masks = matches!(kind, MergeKind::Multiply | MergeKind::Maximum | MergeKind::Minimum);
        Ok(Merge {
            kind,
            skips_masked: masks && config.producer().is_keras3(),
            mask: super::mask_rule(config.producer()),
        })
    }
}

/// A shape with axes of 1 after the batch, up to a rank.
fn expanded(shape: &SymShape, rank: usize) -> SymShape {
    let mut dims = shape.0.clone();
    let missing = rank.saturating_sub(dims.len());
    let after_batch = dims.len().min(1);
    dims.splice(after_batch..after_batch, std::iter::repeat_n(Some(1), missing));
    SymShape(dims)
}

impl LayerDef for Merge {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let inputs = call.inputs();
        let Some((first, rest)) = inputs.split_first() else {
            return Err(Error::malformed("expected at least one input, found none"));
        };
        if self.kind == MergeKind::Subtract && inputs.len() != 2 {
            return Err(Error::malformed(format!("expected two inputs, found {}", inputs.len())));
        }
        let rank = inputs.iter().map(|t| t.shape.rank()).max().unwrap_or_default();
        let mut shape = expanded(&first.shape, rank);
        for input in rest {
            shape = broadcast(&shape, &expanded(&input.shape, rank))?;
        }
        let same = inputs.iter().all(|t| t.dtype == first.dtype);
        let whole = matches!(first.dtype, ValueType::Int32 | ValueType::Int64) && self.kind != MergeKind::Average;
        let dtype = if same && whole { first.dtype } else { ValueType::Float };
        Ok(vec![TensorType { shape, dtype }])
    }

    fn mask(&self) -> MaskRule {
        self.mask
    }

    fn exactness(&self) -> Exactness {
        match self.kind {
            MergeKind::Maximum | MergeKind::Minimum => Exactness::Exact,
            _ => Exactness::Rounded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producer::Family;
    use crate::testing::{check_infer, check_refused, read_layer_of};
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("Add", json!({}), &["?,4,3", "?,1,3", "2,4,3"], &["2,4,3"]);
        check_infer("Average", json!({}), &["?,5,4,3", "?,3"], &["?,5,4,3"]);
        check_infer("Multiply", json!({}), &["?,3", "?,5,1,3"], &["?,5,1,3"]);
        check_infer("Subtract", json!({}), &["?,?", "?,3"], &["?,3"]);
    }

    #[test]
    fn refuses() {
        check_refused("Add", json!({}), &["?,4", "?,3"], "shapes [?,4] and [?,3] do not broadcast");
        check_refused("Subtract", json!({}), &["?,3"], "expected two inputs, found 1");
        check_refused("Maximum", json!({}), &[], "expected at least one input, found none");
    }

    #[test]
    fn masks() {
        let rule = |family| read_layer_of(family, "Add", json!({})).unwrap().def().mask();
        assert_eq!(rule(Family::Keras2), MaskRule::And);
        assert_eq!(rule(Family::TensorFlowJs), MaskRule::And);
        assert_eq!(rule(Family::Keras3), MaskRule::Or);
    }
}
