//! `LSTM`, `GRU`, `SimpleRNN` and `RNN`: one or several stacked cells, run over a sequence.
//!
//! Reference: Keras's `keras/src/layers/rnn/rnn.py`, `keras/src/backend/tensorflow/rnn.py`.

use super::arguments::Arguments;
use super::cell::{Cell, CellKind, Sequence, cell_scope};
use super::cells::{read_cells, warn_of};
use super::states::{States, carry};
use super::steps::{MaskedOutput, Steps, check_time, mask_of};
use crate::call::Call;
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::{LayerDef, Scope};
use crate::layers::masks;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::{FromConfig, built_in_name};
use serde_json::Value as Json;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result};

/// Cells run over a sequence `[batch, time, in]`. Weights: those of the cells, from the lowest up.
///
/// Outputs: the last output `[batch, units]` or all of them `[batch, time, units]`, then the final states if
/// `return_state`. A masked step keeps the states. A `stateful` layer with a known batch size starts from the final
/// states of the previous call; every other call starts from zeros unless it is given states.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurrent {
    /// The cells, lowest first. Never empty.
    pub cells: Vec<HeldCell>,
    /// How the steps are run.
    pub steps: Steps,
    /// Whether the states of stacked cells are listed from the highest cell down.
    pub reverse_states: bool,
}

/// A cell with the objects that hold it.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldCell {
    /// The cell.
    pub cell: Cell,
    /// The objects that hold it, outermost first.
    pub scope: Vec<Scope>,
}

impl FromConfig for Recurrent {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["LSTM", "GRU", "SimpleRNN", "RNN"];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let (cells, reverse_states) = match CellKind::of_class(class, config)? {
            Some(kind) => {
                let scope = vec![cell_scope(kind.cell_name(), "cell")];
                (vec![HeldCell { cell: Cell::read(kind, class, config)?, scope }], false)
            }
            None => {
                let cell = config.req_json("cell")?;
                // TensorFlow.js repeats the keys of the cell in the layer.
                for (key, value) in cell.get("config").and_then(Json::as_object).into_iter().flatten() {
                    if config.map().get(key) == Some(value) {
                        config.inert(&[key]);
                    }
                }
                let mut ignored = Vec::new();
                let cells = read_cells(cell, config.cx(), &mut ignored);
                let cells = cells.map_err(|e| e.at_json("cell").at_json("config"))?;
                warn_of(class, config, &ignored);
                cells
            }
        };
        Ok(Recurrent { cells, steps: Steps::read(config)?, reverse_states })
    }
}

impl Recurrent {
    /// The units of the highest cell, which are the size of the output.
    pub fn units(&self) -> usize {
        self.cells.last().map_or(0, |held| held.cell.units)
    }

    /// The sizes of the states, in the order in which they are passed and returned.
    pub fn state_units(&self) -> Vec<usize> {
        // SIZE: at most two states.
        let of = |held: &HeldCell| vec![held.cell.units; held.cell.kind.states()];
        match self.reverse_states {
            true => self.cells.iter().rev().flat_map(of).collect(),
            false => self.cells.iter().flat_map(of).collect(),
        }
    }
}

impl Recurrent {
    /// Whether both compute the same from the same weights, regardless of the objects that hold their cells.
    pub fn computes_as(&self, other: &Self) -> bool {
        let bare = |layer: &Self| {
            let mut layer = layer.clone();
            layer.cells.iter_mut().for_each(|held| held.scope.clear());
            layer
        };
        bare(self) == bare(other)
    }

    /// Writes the keys of the layer except `zero_output_for_mask`.
    pub(crate) fn encode_steps(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        self.steps.warn_of_states(out);
        if self.steps.time_major {
            out.warn("TensorFlow.js ignores `time_major`");
        }
        if built_in_name(out.class()) != "RNN" {
            let [held] = &self.cells[..] else { return Err(Error::bug("several cells in the configuration of one")) };
            held.cell.encode(target, out);
        } else if let Some(written) = out.remove("cell") {
            let written = self.encode_cells(target, &written, &mut self.cells.iter(), out)?;
            out.set("cell", written);
        }
        Ok(())
    }
}

impl Recurrent {
    /// The dimensions `[batch, time]` of the sequence and its channels, after all checks.
    fn sequence_dims(&self, cx: &mut LowerCx<'_>, input: Value) -> Result<([Dim; 2], Dim)> {
        let (batch, time, channels) = match (&cx.ty(input).dims[..], self.steps.time_major) {
            (&[batch, time, channels], false) | (&[time, batch, channels], true) => (batch, time, channels),
            _ => {
                let shape = cx.shape(input);
                return Err(Error::malformed(format!("expected an input of rank 3, found shape {shape}")));
            }
        };
        check_time(cx, time, input)?;
        Ok(([batch, time], channels))
    }

    /// Swaps time and batch, if the layer is `time_major`.
    fn exchanged(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        match (self.steps.time_major, cx.ty(x).rank()) {
            (false, _) => Ok(x),
            (true, rank) => cx.transpose(x, &[&[1, 0], &(2..rank).collect::<Vec<_>>()[..]].concat()),
        }
    }
}

impl LayerDef for Recurrent {
    /// Runs each cell over all steps before the next cell, which is equivalent to running all cells at every step: at a
    /// masked step every cell keeps its states, and the output of a lower cell there is not used.
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let Arguments { input, states: given } = Arguments::of(call)?;
        let ([batch, _], channels) = self.sequence_dims(cx, input.value)?;
        let dims = self.state_units().into_iter().map(|units| vec![batch, cx.number(units)]).collect();
        let states = States { steps: &self.steps, dims };
        states.check(cx, &given)?;
        let mask = mask_of(cx, input)?;
        let mut channels = cx.known(channels, "the last axis", input.value)?;
        if channels == 0 {
            let shape = cx.shape(input.value);
            return Err(Error::malformed(format!("expected at least one channel, found shape {shape}")));
        }
        let mut weights = Vec::new();
        for held in &self.cells {
            weights.push(held.cell.take_weights(cx, &[], channels, &held.scope)?);
            channels = held.cell.units;
        }
        let carried = states.carried(cx)?;
        let states = states.initial(cx, &given, &carried)?;

        let inputs = cx.to_float(input.value)?;
        let inputs = self.exchanged(cx, inputs)?;
        let steps_mask = self.steps.told_mask(call, given.len(), mask);
        let steps_mask = steps_mask.map(|mask| self.exchanged(cx, mask)).transpose()?;
        let (mut finals, mut top) = (Vec::new(), None);
        let mut over = Sequence {
            inputs,
            states: Vec::new(),
            mask: steps_mask,
            backwards: self.steps.go_backwards,
            masked_output: match self.steps.zeroes_unturned() {
                true => MaskedOutput::Previous,
                false => self.steps.masked_output,
            },
        };
        for ((held, weights), states) in self.cells.iter().zip(weights).zip(self.by_cell(states)) {
            if top.is_some() && over.backwards {
                // The outputs of the lowest cell are already in the order in which the steps run.
                over.backwards = false;
                over.mask = over.mask.map(|mask| cx.reverse(mask, &[1])).transpose()?;
            }
            over.states = states;
            let stepped = held.cell.step_over(cx, weights, &over)?;
            over.inputs = stepped.outputs;
            finals.push(stepped.states.clone());
            top = Some(stepped);
        }
        let mut top = top.ok_or_else(|| Error::bug("a recurrent layer without cells"))?;
        if let Some(mask) = steps_mask.filter(|_| self.steps.zeroes_unturned()) {
            let zero = cx.scalar_like(top.outputs, 0.0)?;
            let whole = masks::over_first_axes(cx, mask, top.outputs)?;
            top.outputs = cx.select(whole, top.outputs, zero)?;
            // The walk ends at the first step.
            let first = cx.columns(mask, Dim::ZERO, Dim::ONE)?;
            top.last = cx.select(first, top.last, zero)?;
        }
        let finals = self.listed(finals);
        carry(cx, &carried, &finals)?;
        let outputs = if self.steps.return_sequences { self.exchanged(cx, top.outputs)? } else { top.outputs };
        Ok(self.steps.outputs(outputs, top.last, finals, mask))
    }

    fn takes_ragged(&self) -> bool {
        !self.steps.return_sequences && !self.steps.time_major
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        if self.steps.masked_output == MaskedOutput::Zeros {
            out.warn("TensorFlow.js ignores `zero_output_for_mask`");
        }
        self.encode_steps(target, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::producer::Family;
    use crate::registry::Layer;
    use crate::testing::{
        check_encoded, check_infer, check_program, check_program_of, check_refused, check_weights, read_layer_of,
    };
    use crate::types::TensorType;
    use expect_test::expect;
    use serde_json::json;

    fn read(family: Family, class: &str, config: Json) -> Recurrent {
        match read_layer_of(family, class, config).unwrap() {
            Layer::Recurrent(layer) => (*layer).clone(),
            other => panic!("{other:?} is not recurrent"),
        }
    }

    #[test]
    fn outputs() {
        check_infer("LSTM", json!({"units": 4.0}), &["?,?,3"], &["?,4"]);
        check_infer("GRU", json!({"units": 4, "returnSequences": true}), &["2,5,3"], &["2,5,4"]);
        let config = json!({"units": 4, "return_sequences": true, "return_state": true});
        check_infer("LSTM", config.clone(), &["?,?,3", "?,4", "?,?"], &["?,?,4", "?,4", "?,4"]);
        check_infer("SimpleRNN", config, &["?,?,3"], &["?,?,4", "?,4"]);
        let config = json!({"units": 4, "return_sequences": true, "time_major": true});
        check_infer("LSTM", config, &["7,2,3"], &["7,2,4"]);
    }

    #[test]
    fn weights() {
        let cell = "lstm_cell";
        let expect = [&format!("{cell}/kernel[3,16]")[..], "lstm_cell/recurrent_kernel[4,16]", "lstm_cell/bias[16]"];
        check_weights("LSTM", json!({"units": 4}), &["?,?,3"], &expect);
        let gru = json!({"units": 4, "reset_after": true});
        let expect = ["gru_cell/kernel[3,12]", "gru_cell/recurrent_kernel[4,12]", "gru_cell/bias[2,12]"];
        check_weights("GRU", gru, &["?,?,3"], &expect);
        let simple = json!({"units": 4, "use_bias": false});
        let expect = ["simple_rnn_cell/kernel[3,4]", "simple_rnn_cell/recurrent_kernel[4,4]"];
        check_weights("SimpleRNN", simple, &["?,?,3"], &expect);
    }

    #[test]
    fn stacked_cells() {
        let cell = |class: &str, units| json!({"class_name": class, "config": {"units": units}});
        let cells = json!([cell("LSTMCell", 4), cell("LSTMCell", 5)]);
        let stacked = json!({"class_name": "StackedRNNCells", "config": {"name": "s", "cells": cells}});
        let config = json!({"cell": stacked, "return_state": true});
        check_infer("RNN", config.clone(), &["?,?,3"], &["?,5", "?,4", "?,4", "?,5", "?,5"]);
        let layer = read(Family::Keras2, "RNN", config.clone());
        let attrs: Vec<_> = layer.cells.iter().map(|c| c.scope[1].attr.clone()).collect();
        assert_eq!(attrs, ["cells/lstm_cell", "cells/lstm_cell_1"]);
        assert_eq!(read(Family::TensorFlowJs, "RNN", config).state_units(), [5, 5, 4, 4]);
        check_infer("RNN", json!({"cell": cell("GRUCell", 2)}), &["?,?,3"], &["?,2"]);
    }

    #[test]
    fn the_producer_decides() {
        let gate = |family| read(family, "LSTM", json!({"units": 1})).cells[0].cell.recurrent_activation;
        assert_eq!(gate(Family::TensorFlowJs), Activation::HARD_SIGMOID);
        assert_eq!(gate(Family::Keras2), Activation::SIGMOID);
        let kind = |family| read(family, "GRU", json!({"units": 1})).cells[0].cell.kind;
        assert_eq!(kind(Family::TensorFlowJs), CellKind::Gru { reset_after: false });
        assert_eq!(kind(Family::Keras3), CellKind::Gru { reset_after: true });
        let masked = |family, zero: bool| {
            read(family, "GRU", json!({"units": 1, "zero_output_for_mask": zero})).steps.masked_output
        };
        assert_eq!(masked(Family::TensorFlowJs, false), MaskedOutput::State);
        assert_eq!(masked(Family::Keras3, false), MaskedOutput::Previous);
        assert_eq!(masked(Family::Keras2, true), MaskedOutput::Zeros);
    }

    #[test]
    fn a_masked_sequence() {
        let config = json!({"units": 4, "return_sequences": true, "return_state": true});
        check_program(
            "LSTM",
            config,
            &["?,?,3 masked"],
            expect![[r#"
            input "x1": f32[batch,x1.1,3]
            input "x1.mask": bool[batch,x1.1]
            slot slot0 "/kernel": f32[3,16]
            slot slot1 "/recurrent_kernel": f32[4,16]
            slot slot2 "/bias": f32[16]
            const const0: f32[] = [0.0]
            guard at_least(x1.1, 1)
            {
              %0 = input() {port=0} : f32[batch,x1.1,3]
              %1 = input() {port=1} : bool[batch,x1.1]
              %2 = param() {slot=slot0} : f32[3,16]
              %3 = param() {slot=slot1} : f32[4,16]
              %4 = param() {slot=slot2} : f32[16]
              %5 = const() {constant=const0} : f32[]
              %6 = broadcast(%5) {dims=[batch,4], axes=[]} : f32[batch,4]
              %7 = broadcast(%5) {dims=[batch,4], axes=[]} : f32[batch,4]
              %8, %9, %10, %11 = rnn(%0, %2, %3, %4, %6, %7, %1) {cell=lstm, activation=tanh, recurrent_activation=sigmoid, backwards=false, bias=true, mask=true, masked_output=previous} : f32[batch,x1.1,4]; f32[batch,4]; f32[batch,4]; f32[batch,4]
              return %8 "y1", %1 "y1.mask", %10 "y2", %11 "y3"
            }
        "#]],
        );
    }

    #[test]
    fn time_first() {
        let config = json!({"units": 4, "return_sequences": true, "time_major": true, "use_bias": false});
        check_program(
            "SimpleRNN",
            config,
            &["?,2,3 masked"],
            expect![[r#"
            input "x1": f32[batch,2,3]
            input "x1.mask": bool[batch,2]
            slot slot0 "/kernel": f32[3,4]
            slot slot1 "/recurrent_kernel": f32[4,4]
            const const0: f32[] = [0.0]
            guard at_least(batch, 1)
            {
              %0 = input() {port=0} : f32[batch,2,3]
              %1 = input() {port=1} : bool[batch,2]
              %2 = param() {slot=slot0} : f32[3,4]
              %3 = param() {slot=slot1} : f32[4,4]
              %4 = const() {constant=const0} : f32[]
              %5 = broadcast(%4) {dims=[2,4], axes=[]} : f32[2,4]
              %6 = transpose(%0) {order=[1,0,2]} : f32[2,batch,3]
              %7 = transpose(%1) {order=[1,0]} : bool[2,batch]
              %8, %9, %10 = rnn(%6, %2, %3, %5, %7) {cell=simple, activation=tanh, recurrent_activation=linear, backwards=false, bias=false, mask=true, masked_output=previous} : f32[2,batch,4]; f32[2,4]; f32[2,4]
              %11 = transpose(%8) {order=[1,0,2]} : f32[batch,2,4]
              return %11 "y1", %1 "y1.mask"
            }
        "#]],
        );
    }

    #[test]
    fn stacked_cells_backwards() {
        let cell = |units| json!({"class_name": "GRUCell", "config": {"units": units, "use_bias": false}});
        let config = json!({"cell": [cell(4), cell(5)], "go_backwards": true});
        check_program_of(
            Family::TensorFlowJs,
            "RNN",
            config,
            &["?,?,3 masked"],
            expect![[r#"
                input "x1": f32[batch,x1.1,3]
                input "x1.mask": bool[batch,x1.1]
                slot slot0 "/RNNCell_0/kernel": f32[3,12]
                slot slot1 "/RNNCell_0/recurrent_kernel": f32[4,12]
                slot slot2 "/RNNCell_1/kernel": f32[4,15]
                slot slot3 "/RNNCell_1/recurrent_kernel": f32[5,15]
                const const0: f32[] = [0.0]
                guard at_least(x1.1, 1)
                {
                  %0 = input() {port=0} : f32[batch,x1.1,3]
                  %1 = input() {port=1} : bool[batch,x1.1]
                  %2 = param() {slot=slot0} : f32[3,12]
                  %3 = param() {slot=slot1} : f32[4,12]
                  %4 = param() {slot=slot2} : f32[4,15]
                  %5 = param() {slot=slot3} : f32[5,15]
                  %6 = const() {constant=const0} : f32[]
                  %7 = broadcast(%6) {dims=[batch,5], axes=[]} : f32[batch,5]
                  %8 = broadcast(%6) {dims=[batch,4], axes=[]} : f32[batch,4]
                  %9, %10, %11 = rnn(%0, %2, %3, %8, %1) {cell=gru, activation=tanh, recurrent_activation=hard_sigmoid/0.2/0.5, backwards=true, bias=false, mask=true, masked_output=state} : f32[batch,x1.1,4]; f32[batch,4]; f32[batch,4]
                  %12 = reverse(%1) {axes=[1]} : bool[batch,x1.1]
                  %13, %14, %15 = rnn(%9, %4, %5, %7, %12) {cell=gru, activation=tanh, recurrent_activation=hard_sigmoid/0.2/0.5, backwards=false, bias=false, mask=true, masked_output=state} : f32[batch,x1.1,5]; f32[batch,5]; f32[batch,5]
                  return %14 "y1"
                }
            "#]],
        );
    }

    #[test]
    fn states_are_carried_where_the_batch_is_a_number() {
        let config = json!({"units": 4, "stateful": true, "use_bias": false});
        check_program(
            "SimpleRNN",
            config.clone(),
            &["2,?,3"],
            expect![[r#"
            input "x1": f32[2,x1.1,3]
            slot slot0 "/kernel": f32[3,4]
            slot slot1 "/recurrent_kernel": f32[4,4]
            state state0 "/state0": f32[2,4] = 0.0
            guard at_least(x1.1, 1)
            {
              %0 = input() {port=0} : f32[2,x1.1,3]
              %1 = param() {slot=slot0} : f32[3,4]
              %2 = param() {slot=slot1} : f32[4,4]
              %3 = state() {state=state0} : f32[2,4]
              %4, %5, %6 = rnn(%0, %1, %2, %3) {cell=simple, activation=tanh, recurrent_activation=linear, backwards=false, bias=false, mask=false, masked_output=previous} : f32[2,x1.1,4]; f32[2,4]; f32[2,4]
              return %5 "y1"
            }
            update state0 = %6
        "#]],
        );
        check_program(
            "SimpleRNN",
            config,
            &["?,?,3"],
            expect![[r#"
            input "x1": f32[batch,x1.1,3]
            slot slot0 "/kernel": f32[3,4]
            slot slot1 "/recurrent_kernel": f32[4,4]
            const const0: f32[] = [0.0]
            guard at_least(x1.1, 1)
            {
              %0 = input() {port=0} : f32[batch,x1.1,3]
              %1 = param() {slot=slot0} : f32[3,4]
              %2 = param() {slot=slot1} : f32[4,4]
              %3 = const() {constant=const0} : f32[]
              %4 = broadcast(%3) {dims=[batch,4], axes=[]} : f32[batch,4]
              %5, %6, %7 = rnn(%0, %1, %2, %4) {cell=simple, activation=tanh, recurrent_activation=linear, backwards=false, bias=false, mask=false, masked_output=previous} : f32[batch,x1.1,4]; f32[batch,4]; f32[batch,4]
              return %6 "y1"
            }
        "#]],
        );
    }

    #[test]
    fn carried_states_and_given_ones() {
        let config = json!({"units": 4, "stateful": true, "use_bias": false});
        check_program(
            "SimpleRNN",
            config.clone(),
            &["2,?,3", "2,4"],
            expect![[r#"
            input "x1": f32[2,x1.1,3]
            input "x2": f32[2,4]
            slot slot0 "/kernel": f32[3,4]
            slot slot1 "/recurrent_kernel": f32[4,4]
            state state0 "/state0": f32[2,4] = 0.0
            const const0: f32[] = [0.0]
            guard at_least(x1.1, 1)
            {
              %0 = input() {port=0} : f32[2,x1.1,3]
              %1 = input() {port=1} : f32[2,4]
              %2 = param() {slot=slot0} : f32[3,4]
              %3 = param() {slot=slot1} : f32[4,4]
              %4 = state() {state=state0} : f32[2,4]
              %5 = const() {constant=const0} : f32[]
              %6 = compare(%4, %5) {op=ne} : bool[2,4]
              %7 = reduce(%6) {op=any, axes=[0,1], keep=false} : bool[]
              %8 = select(%7, %4, %1) {} : f32[2,4]
              %9, %10, %11 = rnn(%0, %2, %3, %8) {cell=simple, activation=tanh, recurrent_activation=linear, backwards=false, bias=false, mask=false, masked_output=previous} : f32[2,x1.1,4]; f32[2,4]; f32[2,4]
              return %10 "y1"
            }
            update state0 = %11
        "#]],
        );
        check_program_of(
            Family::Keras3,
            "SimpleRNN",
            config,
            &["2,?,3", "2,4"],
            expect![[r#"
            input "x1": f32[2,x1.1,3]
            input "x2": f32[2,4]
            slot slot0 "/kernel": f32[3,4]
            slot slot1 "/recurrent_kernel": f32[4,4]
            state state0 "/state0": f32[2,4] = 0.0
            guard at_least(x1.1, 1)
            {
              %0 = input() {port=0} : f32[2,x1.1,3]
              %1 = input() {port=1} : f32[2,4]
              %2 = param() {slot=slot0} : f32[3,4]
              %3 = param() {slot=slot1} : f32[4,4]
              %4 = state() {state=state0} : f32[2,4]
              %5, %6, %7 = rnn(%0, %2, %3, %1) {cell=simple, activation=tanh, recurrent_activation=linear, backwards=false, bias=false, mask=false, masked_output=previous} : f32[2,x1.1,4]; f32[2,4]; f32[2,4]
              return %6 "y1"
            }
            update state0 = %7
        "#]],
        );
    }

    #[test]
    fn an_activation_over_the_units_is_a_loop() {
        let config = json!({"units": 4, "activation": "softmax", "go_backwards": true, "return_sequences": true});
        check_program(
            "SimpleRNN",
            config,
            &["?,?,3 masked"],
            expect![[r#"
            input "x1": f32[batch,x1.1,3]
            input "x1.mask": bool[batch,x1.1]
            slot slot0 "/kernel": f32[3,4]
            slot slot1 "/recurrent_kernel": f32[4,4]
            slot slot2 "/bias": f32[4]
            const const0: f32[] = [0.0]
            guard at_least(x1.1, 1)
            {
              %0 = input() {port=0} : f32[batch,x1.1,3]
              %1 = input() {port=1} : bool[batch,x1.1]
              %2 = param() {slot=slot0} : f32[3,4]
              %3 = param() {slot=slot1} : f32[4,4]
              %4 = param() {slot=slot2} : f32[4]
              %5 = const() {constant=const0} : f32[]
              %6 = broadcast(%5) {dims=[batch,4], axes=[]} : f32[batch,4]
              %7 = dot(%0, %2) {batch=[], contract=[(2,0)]} : f32[batch,x1.1,4]
              %8 = binary(%7, %4) {op=add} : f32[batch,x1.1,4]
              %9 = broadcast(%5) {dims=[batch,4], axes=[]} : f32[batch,4]
              %10, %11, %12 = scan(%9, %6, %8, %1, %3) {carries=2, sequences=2, length=x1.1, axis=1, reverse=true, body={
                take %0: f32[batch,4]; %1: f32[batch,4]; %2: f32[batch,4]; %3: bool[batch]; %4: f32[4,4]
                %5 = dot(%1, %4) {batch=[], contract=[(1,0)]} : f32[batch,4]
                %6 = binary(%2, %5) {op=add} : f32[batch,4]
                %7 = softmax(%6) {axes=[1], log=false} : f32[batch,4]
                %8 = reshape(%3) {dims=[batch,1]} : bool[batch,1]
                %9 = select(%8, %7, %0) {} : f32[batch,4]
                %10 = select(%8, %7, %1) {} : f32[batch,4]
                return %9, %10, %9
              }} : f32[batch,4]; f32[batch,4]; f32[batch,x1.1,4]
              %13 = reverse(%12) {axes=[1]} : f32[batch,x1.1,4]
              return %13 "y1", %1 "y1.mask"
            }
        "#]],
        );
        let config = json!({"units": 4, "recurrent_activation": "glu"});
        let layer = read_layer_of(Family::Keras3, "GRU", config).unwrap();
        let call = Call::of([TensorType::float("?,?,3".parse().unwrap())]);
        let error = LowerCx::alone(layer.def(), &call).unwrap_err();
        assert_eq!(error.to_string(), "the activation `glu` of a recurrent cell is not supported");
    }

    #[test]
    fn old_names() {
        for (class, name) in [
            ("UnifiedLSTM", "LSTM"),
            ("LSTMV1", "LSTM"),
            ("LSTMV2", "LSTM"),
            ("UnifiedGRU", "GRU"),
            ("GRUV1", "GRU"),
            ("Keras>GRUV2", "GRU"),
        ] {
            let config = json!({"units": 2, "go_backwards": true});
            let found = crate::testing::encoded(
                Family::Keras2,
                &crate::testing::after_input(&json!([null, 4, 3]), class, &config),
            );
            assert_eq!(found.topology["config"]["layers"][1]["class_name"], name);
            assert!(found.warnings.is_empty(), "{:?}", found.warnings);
        }
    }

    #[test]
    fn refuses() {
        let config = json!({"units": 4});
        check_refused("LSTM", config.clone(), &["?,3"], "expected an input of rank 3, found shape [?,3]");
        check_refused("LSTM", config.clone(), &["?,?,?"], "the last axis must be known, found shape [?,?,?]");
        check_refused("LSTM", config.clone(), &["?,?,3", "?,4"], "expected 2 initial states, found 1");
        check_refused("GRU", config, &["2,?,3", "2,5"], "expected an initial state [2,4], found [2,5]");
        let unknown = json!({"cell": {"class_name": "MyCell", "config": {}}});
        let message = "`config.cell`: unknown cell class `MyCell`; expected `LSTMCell`, `GRUCell`, `SimpleRNNCell` \
                       or `StackedRNNCells`";
        check_refused("RNN", unknown, &["?,?,3"], message);
        check_refused("LSTM", json!({"units": 0}), &["?,?,3"], "`config`: expected `units` of at least 1, found 0");
    }

    #[test]
    fn what_tensorflow_js_ignores() {
        let config = json!({"units": 2, "stateful": true, "return_state": true});
        let warning = "TensorFlow.js steps the states of a `stateful` layer once for each of its outputs in the model";
        check_encoded(Family::Keras3, &json!([4, null, 3]), "SimpleRNN", &config, &config, &[warning]);
        let config = json!({"units": 2, "stateful": true});
        check_encoded(Family::Keras3, &json!([4, null, 3]), "SimpleRNN", &config, &config, &[]);
        let config = json!({"units": 2, "time_major": true, "zero_output_for_mask": true});
        let warnings = ["TensorFlow.js ignores `zero_output_for_mask`", "TensorFlow.js ignores `time_major`"];
        check_encoded(Family::Keras2, &json!([4, null, 3]), "SimpleRNN", &config, &config, &warnings);
    }
}
