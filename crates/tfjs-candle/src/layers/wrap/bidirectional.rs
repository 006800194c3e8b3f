//! Runs `Bidirectional`.

use super::type_of;
use crate::engine::portable::run_graph;
use crate::run::{OrBug, Run, RunCx};
use crate::value::Value;
use candle_core::{D, Tensor};
use tfjs_manifest::{Error, Result};
use tfjs_topology::call::Call;
use tfjs_topology::inner::Inner;
use tfjs_topology::layers::wrap::bidirectional::{Bidirectional, Merge};

impl Run for Bidirectional {
    fn run(&self, cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let [forward, backward] = self.calls(call)?;
        let mut weights = cx.weights;
        let mut direction = |inner: &Inner, call: &Call<Value>| -> Result<(Value, Vec<Value>)> {
            let graph = inner.graph_admitting(&call.try_map(|v| Ok::<_, Error>(type_of(v)))?)?;
            let (own, rest) = weights
                .split_at_checked(graph.slots.len())
                .ok_or_else(|| Error::bug("a direction's weights were not bound"))?;
            weights = rest;
            let inputs: Vec<Value> = call.tensors().into_iter().cloned().collect();
            let mut outputs = run_graph(&graph, &cx.with_weights(own), &inputs)?.into_iter();
            let first = outputs.next().ok_or_else(|| Error::bug("a direction without an output"))?;
            Ok((first, outputs.collect()))
        };
        let (a, forward_states) = direction(&self.forward, &forward)?;
        let (b, backward_states) = direction(&self.backward, &backward)?;

        let mask = a.mask.clone();
        let (a, b) = (a.tensor()?, b.tensor()?);
        let b = match self.return_sequences {
            true => in_time(b, self.time_axis)?,
            false => b.clone(),
        };
        let mut outputs: Vec<Value> =
            self.merged(a, b)?.into_iter().map(|t| Value::new(t).with_mask(mask.clone())).collect();
        outputs.extend(forward_states.into_iter().chain(backward_states));
        Ok(outputs)
    }
}

/// A sequence in the order of the backward steps, put into the order of time.
fn in_time(x: &Tensor, axis: usize) -> Result<Tensor> {
    if x.elem_count() == 0 { Ok(x.clone()) } else { x.flip(&[axis]).or_bug() }
}

trait Merged {
    fn merged(&self, a: &Tensor, b: Tensor) -> Result<Vec<Tensor>>;
}

impl Merged for Bidirectional {
    fn merged(&self, a: &Tensor, b: Tensor) -> Result<Vec<Tensor>> {
        Ok(vec![
            match self.merge {
                Merge::Concat => Tensor::cat(&[a, &b], D::Minus1),
                Merge::Sum => a.broadcast_add(&b),
                Merge::Mul => a.broadcast_mul(&b),
                Merge::Average => a.broadcast_add(&b).and_then(|sum| sum * 0.5),
                Merge::Apart => return Ok(vec![a.clone(), b]),
            }
            .or_bug()?,
        ])
    }
}
