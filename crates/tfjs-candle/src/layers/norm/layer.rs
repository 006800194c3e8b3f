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
