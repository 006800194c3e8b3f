//! Runs `LayerNormalization`.

use super::{inverse_deviation, moments};
use crate::activation::to_float;
use crate::run::{OrBug, Run, RunCx, one, single};
use crate::value::Value;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::layers::norm::layer::LayerNormalization;
use tfjs_topology::types::SymShape;

impl Run for LayerNormalization {
    fn run(&self, cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let x = to_float(single(call)?)?;
        let dims: Vec<Option<usize>> = x.dims().iter().copied().map(Some).collect();
        let axes = self.axes(&SymShape(dims))?;
        let shape: Vec<usize> =
            x.dims().iter().enumerate().map(|(i, &d)| if axes.contains(&i) { d } else { 1 }).collect();
        let (mean, variance) = moments(&x, &axes).or_bug()?;
        let inverse = inverse_deviation(&variance, self.epsilon).or_bug()?;
        let centered = if self.rms_scaling { x } else { x.broadcast_sub(&mean).or_bug()? };
        let mut out = centered.broadcast_mul(&inverse).or_bug()?;
        if self.scale {
            let gamma = cx.weight(0)?.reshape(shape.as_slice()).or_bug()?;
            out = out.broadcast_mul(&gamma).or_bug()?;
        }
        if self.center {
            let beta = cx.weight(usize::from(self.scale))?.reshape(shape.as_slice()).or_bug()?;
            out = out.broadcast_add(&beta).or_bug()?;
        }
        one(out)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_run_of, tensor};
    use crate::value::Value;
    use serde_json::json;
    use tfjs_topology::producer::Family;

    #[test]
    fn axes_and_weights() {
        let x = [Value::new(tensor(&[1, 2, 2], &[1.0, 3.0, 5.0, 7.0]))];
        let last = json!({"epsilon": 3.0, "center": false});
        let gamma = tensor(&[2], &[2.0, 4.0]);
        check_run_of(
            (Family::Keras2, "LayerNormalization", last),
            &x,
            std::slice::from_ref(&gamma),
            &[-1.0, 2.0, -1.0, 2.0],
        );
        // Mean 4, variance 5.
        let both = json!({"axis": [1, 2], "epsilon": 4.0, "scale": false});
        let beta = tensor(&[2, 2], &[0.0, 1.0, 2.0, 3.0]);
        let expect = [-1.0, 2.0 / 3.0, 7.0 / 3.0, 4.0];
        check_run_of((Family::Keras2, "LayerNormalization", both), &x, &[beta], &expect);
        let rms = json!({"epsilon": 3.0, "rms_scaling": true});
        check_run_of((Family::Keras3, "LayerNormalization", rms), &x, &[gamma], &[1.0, 6.0, 5.0, 14.0]);
    }
}
