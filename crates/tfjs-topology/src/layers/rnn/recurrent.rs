//! `LSTM`, `GRU`, `SimpleRNN` and `RNN`: cells, one on top of the other, stepped over a sequence.
//!
//! Reference: Keras's `keras/src/layers/rnn/rnn.py`, `keras/src/backend/tensorflow/rnn.py`.

use super::arguments::Arguments;
use super::cell::{Cell, CellKind, cell_scope};
use crate::call::Call;
use crate::config::{Config, expected};
use crate::layer::{LayerDef, MaskRule, Scope, ScopeKind, WeightDecl, known};
use crate::read::ReadCx;
use crate::registry::FromConfig;
use crate::types::{SymShape, TensorType};
use serde_json::Value;
use tfjs_manifest::{Error, Result};

/// Cells stepped over a sequence `[batch, time, in]`. Weights: those of the cells, from the lowest up.
///
/// Outputs: the last output `[batch, units]` or all of them `[batch, time, units]`, then the final states if
/// `return_state`. A masked step keeps the states. `stateful` is kept for who wants to know: each call starts
/// from zeros unless it is given states.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurrent {
    /// The cells, lowest first. Never empty.
    pub cells: Vec<HeldCell>,
    /// Whether every step's output is given, not the last one only.
    pub return_sequences: bool,
    /// Whether the final states are outputs too.
    pub return_state: bool,
    /// Whether the sequence is run from its end; outputs are in the order of the steps.
    pub go_backwards: bool,
    /// Whether the producer carries states from one batch to the next.
    pub stateful: bool,
    /// Whether time is the first axis, before the batch (Keras 2). DIFFERENCE: TensorFlow.js drops this key.
    pub time_major: bool,
    /// Whether the states of stacked cells are listed from the highest cell down.
    pub reverse_states: bool,
    /// What a masked step gives.
    pub masked_output: MaskedOutput,
}

/// A cell and where it is held.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldCell {
    /// The cell.
    pub cell: Cell,
    /// The objects that hold it, outermost first.
    pub scope: Vec<Scope>,
}

/// What a masked step gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskedOutput {
    /// The output of the step before, zeros before the first: Keras.
    Previous,
    /// The first state: TensorFlow.js, which differs before the first step if there is an initial state.
    State,
    /// Zeros: `zero_output_for_mask`.
    Zeros,
}

impl FromConfig for Recurrent {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let (cells, reverse_states) = match CellKind::of_class(class, config)? {
            Some(kind) => {
                let scope = vec![cell_scope(kind.cell_name(), "cell")];
                (vec![HeldCell { cell: Cell::read(kind, config)?, scope }], false)
            }
            None => {
                let cell: Value = config.req("cell")?;
                read_cells(&cell, config.cx()).map_err(|e| e.at_json("cell").at_json("config"))?
            }
        };
        let masked_output = match (config.or("zero_output_for_mask", false)?, config.producer().is_tfjs()) {
            (true, false) => MaskedOutput::Zeros,
            (_, true) if cells.len() == 1 => MaskedOutput::State,
            _ => MaskedOutput::Previous,
        };
        Ok(Recurrent {
            cells,
            return_sequences: config.or("return_sequences", false)?,
            return_state: config.or("return_state", false)?,
            go_backwards: config.or("go_backwards", false)?,
            stateful: config.or("stateful", false)?,
            time_major: config.or("time_major", false)?,
            reverse_states,
            masked_output,
        })
    }
}

/// The `cell` of an `RNN`: a cell, a list of cells, or `StackedRNNCells`; and whether states are listed from
/// the highest cell down.
fn read_cells(value: &Value, cx: &ReadCx<'_>) -> Result<(Vec<HeldCell>, bool)> {
    let tfjs = cx.producer.is_tfjs();
    if let Value::Array(cells) = value {
        return Ok((read_stack(cells, "stacked_rnn_cells", cx)?, tfjs));
    }
    let (class, inner) = read_object(value, cx)?;
    if class == "StackedRNNCells" {
        let cells: Vec<Value> = inner.req("cells")?;
        let name = inner.or("name", "stacked_rnn_cells".to_string())?;
        return Ok((read_stack(&cells, &name, cx)?, tfjs || inner.or("reverse_state_order", false)?));
    }
    let cell = read_cell(class, &inner)?;
    let name = inner.or("name", cell.kind.cell_name().to_string())?;
    Ok((vec![HeldCell { cell, scope: vec![cell_scope(&name, "cell")] }], false))
}

fn read_stack(cells: &[Value], name: &str, cx: &ReadCx<'_>) -> Result<Vec<HeldCell>> {
    if cells.is_empty() {
        return Err(Error::malformed("expected at least one cell, found none"));
    }
    let mut held: Vec<HeldCell> = Vec::new();
    for (i, value) in cells.iter().enumerate() {
        let (class, inner) = read_object(value, cx).map_err(|e| e.at_json(format!("[{i}]")))?;
        let cell = read_cell(class, &inner).map_err(|e| e.at_json(format!("[{i}]")))?;
        let kind = cell.kind.cell_name();
        // `.keras` files count the cells of a class: `cells/lstm_cell`, `cells/lstm_cell_1`.
        let before = held.iter().filter(|h| h.cell.kind.cell_name() == kind).count();
        let attr = if before == 0 { format!("cells/{kind}") } else { format!("cells/{kind}_{before}") };
        let own = match cx.producer.is_tfjs() {
            true => format!("RNNCell_{i}"),
            false => inner.or("name", kind.to_string())?,
        };
        let own = Scope { name: own, attr, kind: ScopeKind::Always };
        held.push(HeldCell { cell, scope: vec![cell_scope(name, "cell"), own] });
    }
    Ok(held)
}

fn read_object<'a>(value: &'a Value, cx: &'a ReadCx<'a>) -> Result<(&'a str, Config<'a>)> {
    let class = value.get("class_name").or_else(|| value.get("className")).and_then(Value::as_str);
    match (class, value.get("config").and_then(Value::as_object)) {
        (Some(class), Some(map)) => Ok((class, Config::new(map, cx))),
        _ => Err(expected("a cell with `class_name` and `config`", value)),
    }
}

fn read_cell(class: &str, config: &Config<'_>) -> Result<Cell> {
    match CellKind::of_class(class.rsplit('>').next().unwrap_or(class), config)? {
        Some(kind) => Cell::read(kind, config),
        None => Err(Error::unsupported(format!(
            "unknown cell class `{class}`; expected `LSTMCell`, `GRUCell`, `SimpleRNNCell` or `StackedRNNCells`"
        ))),
    }
}

impl Recurrent {
    /// Units of the highest cell: the size of the output.
    pub fn units(&self) -> usize {
        self.cells.last().map_or(0, |held| held.cell.units)
    }

    /// The sizes of the states, in the order in which they are given and returned.
    pub fn state_units(&self) -> Vec<usize> {
        let of = |held: &HeldCell| vec![held.cell.units; held.cell.kind.states()];
        match self.reverse_states {
            true => self.cells.iter().rev().flat_map(of).collect(),
            false => self.cells.iter().flat_map(of).collect(),
        }
    }

    /// `[batch, time]` of the input.
    fn batch_time(&self, input: &TensorType) -> Result<[crate::types::Dim; 2]> {
        match (&input.shape.0[..], self.time_major) {
            (&[batch, time, _], false) | (&[time, batch, _], true) => Ok([batch, time]),
            _ => Err(Error::malformed(format!("expected an input of rank 3, found shape {}", input.shape))),
        }
    }
}

impl LayerDef for Recurrent {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let arguments = Arguments::of(call)?;
        let [batch, time] = self.batch_time(arguments.input)?;
        if time == Some(0) {
            return Err(Error::malformed(format!(
                "expected at least one time step, found shape {}",
                arguments.input.shape
            )));
        }
        let units = self.state_units();
        if !arguments.states.is_empty() && arguments.states.len() != units.len() {
            return Err(Error::malformed(format!(
                "expected {} initial states, found {}",
                units.len(),
                arguments.states.len()
            )));
        }
        for (state, &units) in arguments.states.iter().zip(&units) {
            let fits = match state.shape.0[..] {
                [b, u] => (b.is_none() || batch.is_none() || b == batch) && u.is_none_or(|u| u == units),
                _ => false,
            };
            if !fits {
                let expected = SymShape::new([batch, Some(units)]);
                return Err(Error::malformed(format!("expected an initial state {expected}, found {}", state.shape)));
            }
        }
        if let Some(mask) = arguments.mask.filter(|mask| mask.shape.rank() != 2) {
            return Err(Error::malformed(format!("expected a mask of rank 2, found shape {}", mask.shape)));
        }
        let last = Some(self.units());
        let output = match (self.return_sequences, self.time_major) {
            (false, _) => vec![batch, last],
            (true, false) => vec![batch, time, last],
            (true, true) => vec![time, batch, last],
        };
        let mut outputs = vec![TensorType::float(SymShape(output))];
        if self.return_state {
            outputs.extend(units.iter().map(|&u| TensorType::float(SymShape::new([batch, Some(u)]))));
        }
        Ok(outputs)
    }

    fn weights(&self, call: &Call<TensorType>) -> Result<Vec<WeightDecl>> {
        let input = Arguments::of(call)?.input;
        self.batch_time(input)?;
        let mut channels = known(input.shape.last(), "the last axis", &input.shape)?;
        if channels == 0 {
            return Err(Error::malformed(format!("expected at least one channel, found shape {}", input.shape)));
        }
        let mut weights = Vec::new();
        for held in &self.cells {
            weights.extend(held.cell.weights(channels, &held.scope)?);
            channels = held.cell.units;
        }
        Ok(weights)
    }

    fn mask(&self) -> MaskRule {
        MaskRule::Compute
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::producer::Family;
    use crate::registry::Layer;
    use crate::testing::{check_infer, check_refused, check_weights, read_layer_of};
    use serde_json::json;

    fn read(family: Family, class: &str, config: Value) -> Recurrent {
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
        assert_eq!(gate(Family::TensorFlowJs), Activation::HardSigmoidClip);
        assert_eq!(gate(Family::Keras2), Activation::Sigmoid);
        let kind = |family| read(family, "GRU", json!({"units": 1})).cells[0].cell.kind;
        assert_eq!(kind(Family::TensorFlowJs), CellKind::Gru { reset_after: false });
        assert_eq!(kind(Family::Keras3), CellKind::Gru { reset_after: true });
        let masked =
            |family, zero: bool| read(family, "GRU", json!({"units": 1, "zero_output_for_mask": zero})).masked_output;
        assert_eq!(masked(Family::TensorFlowJs, false), MaskedOutput::State);
        assert_eq!(masked(Family::Keras3, false), MaskedOutput::Previous);
        assert_eq!(masked(Family::Keras2, true), MaskedOutput::Zeros);
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
}
