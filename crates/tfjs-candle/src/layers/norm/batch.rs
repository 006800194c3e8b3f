//! Runs `BatchNormalization`.

use super::{inverse_deviation, moments};
use crate::activation::to_float;
use crate::run::{OrBug, Run, RunCx, one, single};
use crate::value::Value;
use candle_core::Tensor;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::layers::norm::batch::BatchNormalization;
use tfjs_topology::types::SymShape;

impl Run for BatchNormalization {
    fn run(&self, cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let x = to_float(single(call)?)?;
        let dims: Vec<Option<usize>> = x.dims().iter().copied().map(Some).collect();
        let axes = self.axes(&SymShape(dims))?;
        let shape: Vec<usize> =
            x.dims().iter().enumerate().map(|(i, &d)| if axes.contains(&i) { d } else { 1 }).collect();
        let mut next = 0;
        let mut weight = || -> Result<Tensor> {
            let weight = cx.weight(next)?.reshape(shape.as_slice()).or_bug()?;
            next += 1;
            Ok(weight)
        };
        let gamma = if self.scale { Some(weight()?) } else { None };
        let beta = if self.center { Some(weight()?) } else { None };
        let (mean, variance) = if cx.training {
            let others: Vec<usize> = (0..x.rank()).filter(|i| !axes.contains(i)).collect();
            moments(&x, &others).or_bug()?
        } else {
            (weight()?, weight()?)
        };
        one(normalize(&x, &mean, &variance, self.epsilon, gamma, beta).or_bug()?)
    }
}

fn normalize(
    x: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
    epsilon: f32,
    gamma: Option<Tensor>,
    beta: Option<Tensor>,
) -> candle_core::Result<Tensor> {
    let inverse = inverse_deviation(variance, epsilon)?;
    let factor = match gamma {
        Some(gamma) => (inverse * gamma)?,
        None => inverse,
    };
    let out = x.broadcast_sub(mean)?.broadcast_mul(&factor)?;
    match beta {
        Some(beta) => out.broadcast_add(&beta),
        None => Ok(out),
    }
}
