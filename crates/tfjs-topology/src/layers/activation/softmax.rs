//! `Softmax`: `exp(x) / sum(exp(x))` over one or several axes; masked elements get a very negative number first.
//!
//! Reference: <https://keras.io/api/layers/activation_layers/softmax/>.

use crate::call::{Arg, Call};
use crate::config::Config;
use crate::layer::{LayerDef, MaskRule, single};
use crate::layers::axes::Axes;
use crate::registry::FromConfig;
use crate::types::{Dim, SymShape, TensorType};
use tfjs_manifest::{Error, Result};

/// A softmax. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Softmax {
    /// The axes over which the outputs sum to 1.
    pub axes: Axes,
    /// What a masked element becomes.
    pub masked: MaskedSoftmax,
}

/// What masked elements become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskedSoftmax {
    /// `-1e9` is added before: a row with every element masked keeps its softmax.
    Added,
    /// `-1e9` replaces them before, 0 after: Keras 3.
    Replaced,
}

impl FromConfig for Softmax {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        let producer = config.producer();
        let default = if producer.is_tfjs() { 1 } else { -1 };
        let masked = if producer.is_keras3() { MaskedSoftmax::Replaced } else { MaskedSoftmax::Added };
        Ok(Softmax { axes: config.or("axis", Axes(vec![default]))?, masked })
    }
}

impl Softmax {
    /// The axes as indices into the input's shape.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for an axis the input does not have.
    pub fn axes(&self, shape: &SymShape) -> Result<Vec<usize>> {
        self.axes.of(shape)
    }
}

/// Whether a mask broadcasts to the input: aligned at the last axis, each dimension 1 or the input's.
fn fits(mask: &SymShape, input: &SymShape) -> bool {
    let differs = |(m, d): (&Dim, &Dim)| matches!((m, d), (Some(m), Some(d)) if *m != 1 && m != d);
    mask.rank() <= input.rank() && !mask.dims().iter().rev().zip(input.dims().iter().rev()).any(differs)
}

impl LayerDef for Softmax {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let shape = &single(call)?.shape;
        for axis in self.axes(shape)? {
            if shape.dims()[axis] == Some(0) {
                return Err(Error::malformed(format!("a softmax over an empty axis, found shape {shape}")));
            }
        }
        if let Some(mask) = call.kwarg("mask").and_then(Arg::tensor)
            && !fits(&mask.shape, shape)
        {
            return Err(Error::malformed(format!("a mask of shape {} does not fit an input {shape}", mask.shape)));
        }
        Ok(vec![TensorType::float(shape.clone())])
    }

    fn mask(&self) -> MaskRule {
        MaskRule::Pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producer::Family;
    use crate::registry::Layer;
    use crate::testing::{check_infer, check_refused, read_layer_of};
    use serde_json::{Value, json};

    #[track_caller]
    fn check(family: Family, config: Value, axes: &[i64], masked: MaskedSoftmax) {
        let Layer::Softmax(layer) = read_layer_of(family, "Softmax", config).unwrap() else { panic!("no softmax") };
        assert_eq!(*layer, Softmax { axes: Axes(axes.to_vec()), masked });
    }

    #[test]
    fn the_producer_decides() {
        check(Family::TensorFlowJs, json!({}), &[1], MaskedSoftmax::Added);
        check(Family::Keras2, json!({"axis": null}), &[-1], MaskedSoftmax::Added);
        check(Family::Keras3, json!({"axis": [1.0, 2]}), &[1, 2], MaskedSoftmax::Replaced);
    }

    #[test]
    fn infers_and_refuses() {
        check_infer("Softmax", json!({"axis": [1, -1]}), &["?,4,3"], &["?,4,3"]);
        check_refused("Softmax", json!({"axis": 3}), &["?,4,3"], "`axis` 3 does not exist in shape [?,4,3]");
        check_refused("Softmax", json!({"axis": []}), &["?,4"], "expected at least one `axis`, found `[]`");
        check_refused("Softmax", json!({}), &["?,0"], "a softmax over an empty axis, found shape [?,0]");
    }
}
