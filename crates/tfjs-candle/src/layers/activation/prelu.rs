//! Runs `PReLU`.

use crate::activation::to_float;
use crate::run::{OrBug, Run, RunCx, one, single};
use crate::value::Value;
use candle_core::Tensor;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::layers::activation::prelu::PRelu;

impl Run for PRelu {
    fn run(&self, cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        one(prelu(&to_float(single(call)?)?, cx.weight(0)?).or_bug()?)
    }
}

/// Strictly below zero, so that a NaN stays one.
fn prelu(x: &Tensor, alpha: &Tensor) -> candle_core::Result<Tensor> {
    x.lt(0f32)?.where_cond(&x.broadcast_mul(alpha)?, x)
}
