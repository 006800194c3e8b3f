//! Runs `LSTM`, `GRU`, `SimpleRNN` and `RNN`: the one loop over time.

use super::cell::{Step, Weighted};
use crate::run::{OrBug, Run, RunCx};
use crate::value::Value;
use candle_core::Tensor;
use tfjs_manifest::{Error, Result};
use tfjs_topology::call::Call;
use tfjs_topology::layers::rnn::arguments::Arguments;
use tfjs_topology::layers::rnn::recurrent::{HeldCell, MaskedOutput, Recurrent};

impl Run for Recurrent {
    fn run(&self, cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let arguments = Arguments::of(call)?;
        let given = arguments.input.tensor()?;
        let sequence = in_time(given, self.time_major)?.to_dtype(cx.weight(0)?.dtype()).or_bug()?;
        let (batch, time, _) = sequence.dims3().or_bug()?;
        let mask = match arguments.mask {
            Some(mask) => Some(mask.tensor()?.clone()),
            None => arguments.input.mask.clone(),
        };
        if let Some(mask) = mask.as_ref().filter(|mask| mask.dims() != &given.dims()[..2]) {
            let expected = &given.dims()[..2];
            return Err(Error::mismatch(format!("expected a mask of shape {expected:?}, found {:?}", mask.dims())));
        }
        let states = self.initial_states(&arguments.states, batch, &sequence)?;

        let (outputs, states) = if batch == 0 || time == 0 {
            let nothing = Tensor::zeros((batch, time.max(1), self.units()), sequence.dtype(), sequence.device());
            (nothing.or_bug()?.narrow(1, 0, if self.return_sequences { time } else { 1 }).or_bug()?, states)
        } else {
            let keep = mask.as_ref().map(|mask| self.in_steps(&in_time(mask, self.time_major)?)).transpose()?;
            self.through_cells(cx, self.in_steps(&sequence)?, keep.as_ref(), states)?
        };

        let output = match self.return_sequences {
            true => in_time(&outputs, self.time_major)?,
            false => outputs.squeeze(1).or_bug()?,
        };
        let mut values = vec![Value::new(output).with_mask(mask.filter(|_| self.return_sequences))];
        if self.return_state {
            values.extend(self.listed(states).into_iter().map(Value::new));
        }
        Ok(values)
    }
}

/// Time first or batch first: the same exchange both ways.
fn in_time(x: &Tensor, time_major: bool) -> Result<Tensor> {
    if time_major { x.transpose(0, 1).or_bug()?.contiguous().or_bug() } else { Ok(x.clone()) }
}

/// The loops of the running half: `[batch, time, ..]` in, in the order of the steps.
trait Loops {
    fn in_steps(&self, x: &Tensor) -> Result<Tensor>;
    fn initial_states(&self, given: &[&Value], batch: usize, like: &Tensor) -> Result<Vec<Vec<Tensor>>>;
    fn listed(&self, states: Vec<Vec<Tensor>>) -> Vec<Tensor>;
    fn through_cells(
        &self,
        cx: &RunCx<'_>,
        sequence: Tensor,
        mask: Option<&Tensor>,
        states: Vec<Vec<Tensor>>,
    ) -> Result<(Tensor, Vec<Vec<Tensor>>)>;
}

impl Loops for Recurrent {
    /// The time axis in the order of the steps.
    fn in_steps(&self, x: &Tensor) -> Result<Tensor> {
        if self.go_backwards { x.flip(&[1]).or_bug() } else { Ok(x.clone()) }
    }

    /// The states of each cell, lowest first: those given, or zeros.
    fn initial_states(&self, given: &[&Value], batch: usize, like: &Tensor) -> Result<Vec<Vec<Tensor>>> {
        let mut flat = Vec::new();
        for (i, units) in self.state_units().into_iter().enumerate() {
            flat.push(match given.get(i) {
                None => Tensor::zeros((batch, units), like.dtype(), like.device()).or_bug()?,
                Some(value) if value.dims() == [batch, units] => {
                    value.tensor()?.to_dtype(like.dtype()).or_bug()?.contiguous().or_bug()?
                }
                Some(value) => {
                    let (expected, found) = ([batch, units], value.dims());
                    return Err(Error::mismatch(format!("expected an initial state {expected:?}, found {found:?}")));
                }
            });
        }
        let mut flat = flat.into_iter();
        let mut take = |held: &HeldCell| flat.by_ref().take(held.cell.kind.states()).collect();
        if !self.reverse_states {
            return Ok(self.cells.iter().map(take).collect());
        }
        let mut states: Vec<Vec<Tensor>> = self.cells.iter().rev().map(&mut take).collect();
        states.reverse();
        Ok(states)
    }

    /// The states of the cells as one list, the way they are returned.
    fn listed(&self, mut states: Vec<Vec<Tensor>>) -> Vec<Tensor> {
        if self.reverse_states {
            states.reverse();
        }
        states.into_iter().flatten().collect()
    }

    /// A cell's outputs are the next one's sequence. Running the cells one after the other over all steps is
    /// the same as running all of them at every step: at a masked step every cell keeps its states, and what
    /// a lower cell gives there is used by nobody.
    fn through_cells(
        &self,
        cx: &RunCx<'_>,
        mut sequence: Tensor,
        mask: Option<&Tensor>,
        mut states: Vec<Vec<Tensor>>,
    ) -> Result<(Tensor, Vec<Vec<Tensor>>)> {
        let mut first = 0;
        let top = self.cells.len().saturating_sub(1);
        for (i, (held, states)) in self.cells.iter().zip(&mut states).enumerate() {
            let cell = Weighted::new(&held.cell, cx, first)?;
            first += held.cell.weight_count();
            let all = i < top || self.return_sequences;
            sequence = over_time(&cell, &sequence, mask, states, self.masked_output, all)?;
        }
        Ok((sequence, states))
    }
}

/// Steps a cell over a sequence `[batch, time, in]`, which is not empty. Gives all outputs, or the last one
/// with a time axis of length 1; leaves the final states in `states`.
fn over_time(
    cell: &dyn Step,
    sequence: &Tensor,
    mask: Option<&Tensor>,
    states: &mut Vec<Tensor>,
    masked_output: MaskedOutput,
    all: bool,
) -> Result<Tensor> {
    let projected = cell.project(sequence)?;
    let time = projected.dim(1).or_bug()?;
    let mut outputs = Vec::with_capacity(if all { time } else { 1 });
    let mut previous: Option<Tensor> = None;
    for t in 0..time {
        let x = projected.narrow(1, t, 1).or_bug()?.squeeze(1).or_bug()?;
        let mut new = cell.step(&x, states)?;
        let mut output = new.first().cloned().ok_or_else(|| Error::bug("a cell without states"))?;
        if let Some(mask) = mask {
            let keep = Keep::at(mask, t)?;
            let instead = match (masked_output, previous, states.first()) {
                (MaskedOutput::Previous, Some(previous), _) => previous,
                (MaskedOutput::State, _, Some(state)) => state.clone(),
                _ => output.zeros_like().or_bug()?,
            };
            output = keep.select(&output, &instead)?;
            new = new.iter().zip(states.iter()).map(|(new, old)| keep.select(new, old)).collect::<Result<_>>()?;
        }
        *states = new;
        if all {
            outputs.push(output.clone());
        }
        previous = Some(output);
    }
    if !all {
        outputs.extend(previous);
    }
    Tensor::stack(&outputs, 1).or_bug()
}

/// The mask of one step: which rows of the batch take it.
struct Keep(Tensor);

impl Keep {
    fn at(mask: &Tensor, t: usize) -> Result<Self> {
        Ok(Keep(mask.narrow(1, t, 1).or_bug()?.ne(0.0).or_bug()?))
    }

    fn select(&self, yes: &Tensor, no: &Tensor) -> Result<Tensor> {
        self.0.broadcast_as(yes.shape()).or_bug()?.contiguous().or_bug()?.where_cond(yes, no).or_bug()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custom::CustomLayers;
    use candle_core::Device;
    use serde_json::json;
    use tfjs_topology::producer::{Family, Producer};
    use tfjs_topology::read::ReadCx;
    use tfjs_topology::registry::Layer;

    /// `h' = x + 2 h` as a `SimpleRNN` of one unit over the sequence 1, 10, 100.
    #[track_caller]
    fn check(mut config: serde_json::Value, mask: Option<[u8; 3]>, h: Option<f32>, expect: &[&[f32]]) {
        let object = config.as_object_mut().unwrap();
        object.insert("units".into(), json!(1));
        object.insert("activation".into(), json!("linear"));
        object.insert("use_bias".into(), json!(false));
        let producer = Producer::of(if object.contains_key("tfjs") { Family::TensorFlowJs } else { Family::Keras3 });
        let layer = Layer::read("SimpleRNN", object, &ReadCx::new(&producer)).unwrap().layer;
        let Layer::Recurrent(layer) = layer else { panic!("not recurrent") };
        let tensor = |v: f32| Tensor::new(&[[v]], &Device::Cpu).unwrap();
        let custom = CustomLayers::new();
        let cx = RunCx { weights: &[tensor(1.0), tensor(2.0)], training: false, custom: &custom };
        let x = Tensor::new(&[[[1f32], [10.0], [100.0]]], &Device::Cpu).unwrap();
        let mask = mask.map(|m| Tensor::new(&[m], &Device::Cpu).unwrap());
        let mut inputs = vec![Value::new(x).with_mask(mask.clone())];
        inputs.extend(h.map(|h| Value::new(tensor(h))));
        let out = layer.run(&cx, &Call::of(inputs)).unwrap();
        let found: Vec<Vec<f32>> =
            out.iter().map(|v| v.tensor().unwrap().flatten_all().unwrap().to_vec1().unwrap()).collect();
        assert_eq!(found, expect);
        assert_eq!(out[0].mask.is_some(), mask.is_some() && layer.return_sequences);
    }

    #[test]
    fn all_outputs_or_the_last() {
        check(json!({}), None, None, &[&[124.0]]);
        check(json!({"return_sequences": true}), None, None, &[&[1.0, 12.0, 124.0]]);
        check(json!({"return_state": true}), None, Some(5.0), &[&[164.0], &[164.0]]);
    }

    #[test]
    fn backwards_outputs_are_in_the_order_of_the_steps() {
        check(json!({"return_sequences": true, "go_backwards": true}), None, None, &[&[100.0, 210.0, 421.0]]);
    }

    #[test]
    fn a_masked_step_keeps_the_state() {
        let all = json!({"return_sequences": true, "return_state": true});
        check(all.clone(), Some([0, 1, 0]), None, &[&[0.0, 10.0, 10.0], &[10.0]]);
        check(all.clone(), Some([0, 1, 0]), Some(1.0), &[&[0.0, 12.0, 12.0], &[12.0]]);
        let tfjs = json!({"return_sequences": true, "return_state": true, "tfjs": null});
        check(tfjs, Some([0, 1, 0]), Some(1.0), &[&[1.0, 12.0, 12.0], &[12.0]]);
        let zeros = json!({"return_sequences": true, "zero_output_for_mask": true});
        check(zeros, Some([1, 0, 1]), None, &[&[1.0, 0.0, 102.0]]);
        let backwards = json!({"return_sequences": true, "go_backwards": true});
        check(backwards, Some([1, 1, 0]), None, &[&[0.0, 10.0, 21.0]]);
    }
}
