//! Runs `UpSampling1D`, `2D`, `3D`, one axis after the other.

use crate::activation::to_float;
use crate::run::{OrBug, Run, RunCx, one, single};
use crate::value::Value;
use candle_core::{Result as CandleResult, Tensor};
use tfjs_manifest::{Error, Result};
use tfjs_topology::call::Call;
use tfjs_topology::layers::shape::upsample::{Interpolation, UpSampling};

impl Run for UpSampling {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let mut x = single(call)?.clone();
        if self.interpolation != Interpolation::Nearest {
            x = to_float(&x)?;
        }
        for (axis, &size) in (self.spatial.format.first_spatial()..).zip(&self.size) {
            x = match self.interpolation {
                Interpolation::Nearest => repeat(&x, axis, size),
                Interpolation::Bilinear => between(&x, axis, size, 0.5),
                Interpolation::BilinearFromCorner => between(&x, axis, size, 0.0),
                other => return Err(Error::bug(format!("no running half for {other:?}"))),
            }
            .or_bug()?;
        }
        one(x)
    }
}

fn repeat(x: &Tensor, axis: usize, size: usize) -> CandleResult<Tensor> {
    let mut dims = x.dims().to_vec();
    dims[axis] *= size;
    let mut wide = x.dims().to_vec();
    wide.insert(axis + 1, size);
    x.unsqueeze(axis + 1)?.broadcast_as(wide)?.reshape(dims)
}

/// Linear interpolation: output `i` stands at `(i + center) / size - center` between the inputs.
fn between(x: &Tensor, axis: usize, size: usize, center: f32) -> CandleResult<Tensor> {
    let length = x.dim(axis)?;
    let outputs = length * size;
    let last = length.saturating_sub(1);
    let (mut low, mut high, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..outputs {
        let at = ((i as f32 + center) / size as f32 - center).max(0.0);
        let below = (at.floor() as usize).min(last);
        low.push(below as u32);
        high.push((below + 1).min(last) as u32);
        weights.push(at - below as f32);
    }
    let pick = |index: Vec<u32>| x.contiguous()?.index_select(&Tensor::new(index, x.device())?, axis);
    let (low, high) = (pick(low)?, pick(high)?);
    let mut shape = vec![1; x.rank()];
    shape[axis] = outputs;
    let weights = Tensor::from_vec(weights, shape, x.device())?.to_dtype(x.dtype())?;
    &low + (high - &low)?.broadcast_mul(&weights)?
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_run, check_run_of, tensor};
    use crate::value::Value;
    use serde_json::json;
    use tfjs_topology::producer::Family;

    #[test]
    fn nearest_and_bilinear() {
        let x = [Value::new(tensor(&[1, 1, 2, 1], &[1.0, 2.0]))];
        check_run("UpSampling2D", json!({"size": [1, 3]}), &x, &[], &[1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
        let bilinear = json!({"size": [1, 2], "interpolation": "bilinear"});
        check_run("UpSampling2D", bilinear.clone(), &x, &[], &[1.0, 1.25, 1.75, 2.0]);
        check_run_of((Family::TensorFlowJs, "UpSampling2D", bilinear), &x, &[], &[1.0, 1.5, 2.0, 2.0]);
    }
}
