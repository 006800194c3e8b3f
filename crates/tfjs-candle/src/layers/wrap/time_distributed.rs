//! Runs `TimeDistributed`: time is folded into the batch.

use super::type_of;
use crate::engine::portable::run_graph;
use crate::run::{OrBug, Run, RunCx};
use crate::value::{Data, Strings, Value};
use candle_core::{D, DType, Tensor};
use tfjs_manifest::{Error, Result, Shape};
use tfjs_topology::call::Call;
use tfjs_topology::layer::LayerDef;
use tfjs_topology::layers::wrap::time_distributed::TimeDistributed;

impl Run for TimeDistributed {
    fn run(&self, cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let inputs = call.inputs();
        let (steps, mask) = match inputs.first() {
            Some(value) if value.dims().len() >= 2 => ([value.dims()[0], value.dims()[1]], value.mask.clone()),
            _ => return Err(Error::bug("an input without time")),
        };
        if steps.contains(&0) {
            return nothing(self, call, mask);
        }
        let folded = inputs.iter().map(|v| fold(v, steps)).collect::<Result<Vec<Value>>>()?;
        let graph = self.inner.graph_admitting(&Call::of(folded.iter().map(type_of)))?;
        let outputs = run_graph(&graph, cx, &folded)?;
        outputs.into_iter().map(|value| self.unfold(value, steps, mask.as_ref())).collect()
    }
}

/// `[batch, time, ..]` as `[batch * time, ..]`; so is a mask that says more than which steps count.
fn fold(value: &Value, [batch, time]: [usize; 2]) -> Result<Value> {
    let folded =
        |dims: &[usize]| -> Vec<usize> { std::iter::once(batch * time).chain(dims.iter().skip(2).copied()).collect() };
    let mask = match &value.mask {
        Some(mask) if mask.rank() > 2 => Some(mask.reshape(folded(mask.dims())).or_bug()?),
        _ => None,
    };
    reshaped(value, folded(value.dims())).map(|v| v.with_mask(mask))
}

fn reshaped(value: &Value, dims: Vec<usize>) -> Result<Value> {
    Ok(match &value.data {
        Data::Tensor(tensor) => Value::new(tensor.reshape(dims).or_bug()?),
        Data::Strings(strings) => Value::strings(Strings::new(Shape::new(dims)?, strings.items().to_vec())?),
    })
}

trait Unfold {
    fn unfold(&self, value: Value, steps: [usize; 2], mask: Option<&Tensor>) -> Result<Value>;
}

impl Unfold for TimeDistributed {
    fn unfold(&self, value: Value, steps: [usize; 2], mask: Option<&Tensor>) -> Result<Value> {
        let unfolded =
            |dims: &[usize]| -> Vec<usize> { steps.into_iter().chain(dims.iter().skip(1).copied()).collect() };
        let mask = match &value.mask {
            Some(inner) if self.inner_mask => Some(inner.reshape(unfolded(inner.dims())).or_bug()?),
            _ if self.inner_mask => mask.map(of_steps).transpose()?,
            _ => mask.cloned(),
        };
        let dims = unfolded(value.dims());
        reshaped(&value, dims).map(|v| v.with_mask(mask))
    }
}

/// Which steps a mask leaves anything of.
fn of_steps(mask: &Tensor) -> Result<Tensor> {
    let mut mask = mask.clone();
    while mask.rank() > 2 {
        mask = mask.max(D::Minus1).or_bug()?;
    }
    Ok(mask)
}

/// The outputs for no steps at all.
fn nothing(layer: &TimeDistributed, call: &Call<Value>, mask: Option<Tensor>) -> Result<Vec<Value>> {
    let device = match call.inputs().first() {
        Some(Value { data: Data::Tensor(tensor), .. }) => tensor.device().clone(),
        _ => candle_core::Device::Cpu,
    };
    let types = layer.infer(&call.try_map(|v| Ok::<_, Error>(type_of(v)))?)?;
    let empty = |ty: &tfjs_topology::types::TensorType| {
        let shape = ty.shape.concrete()?.ok_or_else(|| Error::bug("a running layer's shape is not known"))?;
        Ok(Value::new(Tensor::zeros(shape.dims(), DType::F32, &device).or_bug()?).with_mask(mask.clone()))
    };
    types.iter().map(empty).collect()
}
