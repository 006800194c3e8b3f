//! `Dot`: for each entry of the batch, the products of two inputs summed over one axis of each.
//!
//! Reference: <https://keras.io/api/layers/merging_layers/dot/>, Keras's `backend.batch_dot`.

use crate::call::Call;
use crate::config::{Config, FromJson, expected};
use crate::encode::{Encoding, Target};
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use serde_json::Value as Json;
use tfjs_ir::Value;
use tfjs_ir::prim::normalize::{Norm, Normalize};
use tfjs_manifest::{Error, Result};

/// A product of two inputs. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Dot {
    /// The axis of each input that is summed over; the batch is axis 0.
    pub axes: Pair,
    /// Whether the vectors along these axes are normalized first, so that the product is the cosine of their angle.
    pub normalize: bool,
    /// The lower bound of the square of a vector's length in the normalization.
    pub epsilon: f64,
}

/// One axis for both inputs, or one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair(pub [i64; 2]);

impl FromJson for Pair {
    fn from_json(value: &Json) -> Result<Self> {
        match value {
            Json::Array(_) => match Vec::<i64>::from_json(value)?[..] {
                [a, b] => Ok(Pair([a, b])),
                _ => Err(expected("one axis, or one for each of two inputs", value)),
            },
            one => i64::from_json(one).map(|axis| Pair([axis; 2])),
        }
    }
}

impl FromConfig for Dot {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["Dot"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Dot {
            axes: config.req("axes")?,
            normalize: config.or("normalize", false)?,
            epsilon: if config.producer().is_keras3() { 1e-24 } else { 1e-12 },
        })
    }
}

impl Dot {
    /// An input as the product takes it.
    fn operand(&self, cx: &mut LowerCx<'_>, input: &KerasTensor, axis: i64) -> Result<Value> {
        let index = summed_axis(cx, input.value, axis)?;
        let x = cx.to_float(input.value)?;
        if !self.normalize {
            return Ok(x);
        }
        let norm = Normalize { norm: Norm::L2, axes: vec![index], epsilon: self.epsilon, scale: false, center: false };
        cx.one(norm, &[x])
    }
}

fn summed_axis(cx: &LowerCx<'_>, x: Value, axis: i64) -> Result<usize> {
    match cx.axis(axis, x)? {
        0 => Err(Error::malformed(format!("`axes` names the batch of shape {}", cx.shape(x))).at_json("config")),
        index => Ok(index),
    }
}

/// For each entry of the batch, the products of two values summed over one axis of each; a number is a vector of one.
pub(super) fn batch_dot(cx: &mut LowerCx<'_>, a: Value, b: Value, axes: Pair) -> Result<Value> {
    let (axis_a, axis_b) = (summed_axis(cx, a, axes.0[0])?, summed_axis(cx, b, axes.0[1])?);
    let out = cx.dot(a, b, &[(0, 0)], &[(axis_a, axis_b)])?;
    if cx.ty(out).rank() == 1 { cx.insert_axis(out, 1) } else { Ok(out) }
}

impl LayerDef for Dot {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let inputs: Vec<KerasTensor> = call.inputs().into_iter().cloned().collect();
        let [a, b] = &inputs[..] else {
            return Err(Error::malformed(format!("expected two inputs, found {}", inputs.len())));
        };
        let a = self.operand(cx, a, self.axes.0[0])?;
        let b = self.operand(cx, b, self.axes.0[1])?;
        Ok(vec![batch_dot(cx, a, b, self.axes)?.into()])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        if out.calls().iter().flatten().any(|input| input.shape.rank() > 3) {
            out.warn("TensorFlow.js has no products of inputs of rank 4 or more");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::producer::Family;
    use crate::testing::{check_infer, check_refused, encoded};
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("Dot", json!({"axes": 1}), &["?,4", "?,4"], &["?,1"]);
        check_infer("Dot", json!({"axes": [2, 1.0]}), &["?,?,4", "?,4,5"], &["?,?,5"]);
        check_infer("Dot", json!({"axes": -1, "normalize": true}), &["?,3,4", "?,5,4"], &["?,3,5"]);
        check_infer("Dot", json!({"axes": [1, 2]}), &["?,4", "?,3,4"], &["?,3"]);
    }

    #[test]
    fn tensorflow_js_has_matrices_alone() {
        let input = |name: &str, shape: &[usize]| {
            let shape: Vec<_> = std::iter::once(json!(null)).chain(shape.iter().map(|n| json!(n))).collect();
            json!({"class_name": "InputLayer", "name": name, "config": {"name": name, "batch_input_shape": shape}, "inbound_nodes": []})
        };
        let warnings = |shape: &[usize]| {
            let dot = json!({"class_name": "Dot", "name": "d", "config": {"name": "d", "axes": 2, "normalize": false},
                             "inbound_nodes": [[["a", 0, 0, {}], ["b", 0, 0, {}]]]});
            let config = json!({"name": "m", "layers": [input("a", shape), input("b", shape), dot],
                                "input_layers": [["a", 0, 0], ["b", 0, 0]], "output_layers": [["d", 0, 0]]});
            encoded(Family::Keras2, &json!({"class_name": "Functional", "config": config})).warnings
        };
        assert_eq!(warnings(&[3, 4]), Vec::<String>::new());
        assert_eq!(
            warnings(&[3, 4, 2]),
            ["layer `d` (Dot): TensorFlow.js has no products of inputs of rank 4 or more"]
        );
    }

    #[test]
    fn refuses() {
        check_refused("Dot", json!({"axes": 1}), &["?,4"], "expected two inputs, found 1");
        let message = "shapes [?,4] and [?,3] cannot be multiplied";
        check_refused("Dot", json!({"axes": 1}), &["?,4", "?,3"], message);
        let message = "`config`: `axes` names the batch of shape [?,4]";
        check_refused("Dot", json!({"axes": 0}), &["?,4", "?,4"], message);
        let message = "`config.axes`: expected one axis, or one for each of two inputs, found `[1]`";
        check_refused("Dot", json!({"axes": [1]}), &[], message);
    }
}
