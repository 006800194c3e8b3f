//! Reads and writes the cells of an `RNN`: one, a list of them, or `StackedRNNCells`.

use super::cell::{Cell, CellKind, cell_scope};
use super::recurrent::{HeldCell, Recurrent};
use crate::config::{Config, expected};
use crate::encode::{Encoding, Target};
use crate::layer::{Scope, ScopeKind};
use crate::read::ReadCx;
use crate::registry::built_in_name;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use tfjs_manifest::{Error, Result};

/// Reads the `cell` of an `RNN`: a cell, a list of cells, or `StackedRNNCells`. Also returns whether states are listed
/// from the highest cell down. Unknown keys are added to `ignored`.
pub(super) fn read_cells(value: &Json, cx: &ReadCx<'_>, ignored: &mut Vec<String>) -> Result<(Vec<HeldCell>, bool)> {
    let tfjs = cx.producer.is_tfjs();
    if let Json::Array(cells) = value {
        let name = STACK_NAME.to_string();
        return Ok((read_stack(cells, cx, ignored).map(|cells| inside(cell_scope(&name, "cell"), cells))?, tfjs));
    }
    let (class, inner) = read_object(value, cx)?;
    let reversed = inner.or("reverse_state_order", false)?;
    let (name, cells) = read_member(class, &inner, ignored)?;
    Ok((inside(cell_scope(&name, "cell"), cells), built_in_name(class) == STACK && (tfjs || reversed)))
}

const STACK: &str = "StackedRNNCells";
const STACK_NAME: &str = "stacked_rnn_cells";

/// Warns about unknown keys of the cells, in the same form as for layers.
pub(super) fn warn_of(class: &str, config: &Config<'_>, ignored: &[String]) {
    if ignored.is_empty() {
        return;
    }
    let name = config.map().get("name").and_then(Json::as_str);
    let name = name.map_or_else(|| crate::config::to_snake_case(class), str::to_string);
    let keys: Vec<String> = ignored.iter().map(|key| format!("`{key}`")).collect();
    let keys = keys.join(", ");
    config.cx().warn(format!("layer `{name}` ({class}): configuration without a known meaning: {keys}"));
}

/// Reads the cells of a list, each with the object that holds it.
fn read_stack(cells: &[Json], cx: &ReadCx<'_>, ignored: &mut Vec<String>) -> Result<Vec<HeldCell>> {
    if cells.is_empty() {
        return Err(Error::malformed("expected at least one cell, found none"));
    }
    let mut held: Vec<HeldCell> = Vec::new();
    // `.keras` files count the cells of a class: `cells/lstm_cell`, `cells/lstm_cell_1`.
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (i, value) in cells.iter().enumerate() {
        let at = |e: Error| e.at_json(format!("[{i}]"));
        let (class, inner) = read_object(value, cx).map_err(at)?;
        let (name, members) = read_member(class, &inner, ignored).map_err(at)?;
        let base = crate::config::to_snake_case(built_in_name(class));
        let count = counts.entry(base.clone()).or_insert(0);
        let attr = if *count == 0 { format!("cells/{base}") } else { format!("cells/{base}_{count}") };
        *count += 1;
        let name = if cx.producer.is_tfjs() { format!("RNNCell_{i}") } else { name };
        held.extend(inside(Scope { name, attr, kind: ScopeKind::Always }, members));
    }
    Ok(held)
}

/// Reads a cell or a stack of cells by its class: its name, and the cells below it.
fn read_member(class: &str, config: &Config<'_>, ignored: &mut Vec<String>) -> Result<(String, Vec<HeldCell>)> {
    let cx = config.cx();
    cx.spend_layer()?;
    let (default, cells) = if built_in_name(class) == STACK {
        let cells = config.req_json("cells")?;
        let list = cells.as_array().ok_or_else(|| expected("a list of cells", cells));
        let cells = list.map_err(|e| e.at_json("cells").at_json("config"))?;
        (STACK_NAME, read_stack(cells, &cx.deeper()?, ignored).map_err(|e| e.at_json("cells").at_json("config"))?)
    } else {
        let cell = read_cell(class, config)?;
        cx.account.charge_many::<HeldCell>(1)?;
        (cell.kind.cell_name(), vec![HeldCell { cell, scope: Vec::new() }])
    };
    let name = config.or("name", default.to_string())?;
    ignored.extend(config.ignored());
    Ok((name, cells))
}

/// Adds an object around cells.
fn inside(scope: Scope, mut cells: Vec<HeldCell>) -> Vec<HeldCell> {
    for held in &mut cells {
        held.scope.insert(0, scope.clone());
    }
    cells
}

fn read_object<'a>(value: &'a Json, cx: &'a ReadCx<'a>) -> Result<(&'a str, Config<'a>)> {
    class_and_config(value).map(|(class, map)| (class, Config::new(map, cx)))
}

fn class_and_config(value: &Json) -> Result<(&str, &Map<String, Json>)> {
    let class = value.get("class_name").or_else(|| value.get("className")).and_then(Json::as_str);
    match (class, value.get("config").and_then(Json::as_object)) {
        (Some(class), Some(map)) => Ok((class, map)),
        _ => Err(expected("a cell with `class_name` and `config`", value)),
    }
}

fn read_cell(class: &str, config: &Config<'_>) -> Result<Cell> {
    let name = built_in_name(class);
    match CellKind::of_class(name, config)?.filter(|_| name.ends_with("Cell")) {
        Some(kind) => Cell::read(kind, name, config),
        None => Err(Error::unsupported(format!(
            "unknown cell class `{class}`; expected `LSTMCell`, `GRUCell`, `SimpleRNNCell` or `StackedRNNCells`"
        ))),
    }
}

impl Recurrent {
    /// Writes the `cell` of an `RNN`: a cell, a list of cells, or `StackedRNNCells`.
    pub(super) fn encode_cells(
        &self,
        target: Target,
        written: &Json,
        cells: &mut dyn Iterator<Item = &HeldCell>,
        out: &Encoding<'_>,
    ) -> Result<Json> {
        if let Json::Array(list) = written {
            return list.iter().map(|cell| self.encode_cells(target, cell, cells, out)).collect();
        }
        let (class, config) = class_and_config(written)?;
        out.part(class, config, |part| {
            if built_in_name(class) == STACK {
                let list = part.remove("cells").unwrap_or_default();
                let list = self.encode_cells(target, &list, cells, part)?;
                part.set("cells", list);
                let seen = self.steps.return_state || part.calls().iter().any(|inputs| inputs.len() > 1);
                if seen && !self.reverse_states {
                    part.warn("TensorFlow.js lists the states of stacked cells from the highest down");
                }
                return Ok(());
            }
            let held = cells.next().ok_or_else(|| Error::bug("a cell that was not read"))?;
            held.cell.encode(target, part);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producer::{Family, Producer};
    use crate::registry::Layer;
    use crate::testing::{after_input, check_encoded, check_weights, encoded, read_layer_of};
    use serde_json::json;

    #[test]
    fn cells_in_tensorflow_js() {
        let sequence = json!([null, 4, 3]);
        let cell = |class: &str, more: Json| {
            let mut config = json!({"units": 2, "kernel_initializer": {"class_name": "LecunNormal", "config": {}}});
            config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"class_name": class, "config": config, "registered_name": null})
        };
        let written = |class: &str, more: Json| {
            let mut config = json!({"units": 2, "kernel_initializer": {"class_name": "LeCunNormal", "config": {}}});
            config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"class_name": class, "config": config})
        };
        let lstm = || written("LSTMCell", json!({"activation": "tanh", "recurrent_activation": "sigmoid"}));
        let config = json!({"cell": cell("LSTMCell", json!({}))});
        check_encoded(Family::Keras3, &sequence, "RNN", &config, &json!({"cell": lstm()}), &[]);
        let simple = || written("SimpleRNNCell", json!({"activation": "swish"}));
        let config =
            json!({"cell": [cell("LSTMCell", json!({})), cell("SimpleRNNCell", json!({"activation": "silu"}))]});
        check_encoded(Family::Keras2, &sequence, "RNN", &config, &json!({"cell": [lstm(), simple()]}), &[]);
        let stacked = |reversed: bool, cells: Json| json!({"class_name": "StackedRNNCells", "config": {"cells": cells, "reverse_state_order": reversed}});
        let config = json!({"cell": stacked(true, json!([cell("LSTMCell", json!({}))]))});
        let keys = json!({"cell": stacked(true, json!([lstm()]))});
        check_encoded(Family::Keras2, &sequence, "RNN", &config, &keys, &[]);
    }

    #[test]
    fn warnings_name_the_cell() {
        let gru = json!({"class_name": "GRUCell", "config": {"units": 2, "reset_after": true}});
        let stack = json!({"class_name": "StackedRNNCells", "config": {"cells": [gru]}});
        let config = json!({"name": "r", "return_state": true, "cell": stack});
        let found = encoded(Family::Keras2, &after_input(&json!([null, 4, 3]), "RNN", &config)).warnings;
        let expected = [
            "layer `l` (GRUCell): TensorFlow.js has no GRU with `reset_after`",
            "layer `l` (StackedRNNCells): TensorFlow.js lists the states of stacked cells from the highest down",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn unknown_keys_of_cells_are_reported() {
        let cell =
            |class: &str, key: &str| json!({"class_name": class, "config": {"units": 2, key: true, "dropout": 0.5}});
        let cells =
            json!({"class_name": "StackedRNNCells", "config": {"cells": [cell("LSTMCell", "peephole")], "b": 1}});
        let producer = Producer::of(Family::Keras2);
        let cx = ReadCx::new(&producer);
        for cell in [cell("GRUCell", "layer_norm"), cells] {
            let config = json!({"name": "r", "cell": cell});
            Layer::read("RNN", config.as_object().unwrap(), &cx).unwrap();
        }
        let expected = [
            "layer `r` (RNN): configuration without a known meaning: `layer_norm`",
            "layer `r` (RNN): configuration without a known meaning: `peephole`, `b`",
        ];
        assert_eq!(cx.warnings.borrow().to_lines(), expected);
    }

    #[test]
    fn stacks_inside_of_stacks() {
        let cell =
            |class: &str, units: usize| json!({"class_name": class, "config": {"units": units, "use_bias": false}});
        let stack = |cells: Json| json!({"class_name": "Keras>StackedRNNCells", "config": {"cells": cells}});
        let inner = stack(json!([cell("GRUCell", 2), cell("GRUCell", 3)]));
        let config = json!({"cell": stack(json!([inner, cell("SimpleRNNCell", 4)]))});
        let gru = "stacked_rnn_cells/stacked_rnn_cells/gru_cell";
        let expect = [
            &format!("{gru}/kernel[5,6]"),
            &format!("{gru}/recurrent_kernel[2,6]"),
            &format!("{gru}/kernel[2,9]"),
            &format!("{gru}/recurrent_kernel[3,9]"),
            "stacked_rnn_cells/simple_rnn_cell/kernel[3,4]",
            "stacked_rnn_cells/simple_rnn_cell/recurrent_kernel[4,4]",
        ];
        check_weights("RNN", config.clone(), &["?,?,5"], &expect);
        let Layer::Recurrent(layer) = read_layer_of(Family::Keras3, "RNN", config).unwrap() else { panic!("no RNN") };
        let paths = layer
            .cells
            .iter()
            .map(|held| held.scope.iter().map(|scope| scope.attr.as_str()).collect::<Vec<_>>().join("/"));
        let expect = [
            "cell/cells/stacked_rnn_cells/cells/gru_cell",
            "cell/cells/stacked_rnn_cells/cells/gru_cell_1",
            "cell/cells/simple_rnn_cell",
        ];
        assert_eq!(paths.collect::<Vec<_>>(), expect);
    }

    #[test]
    fn a_stack_that_holds_itself_many_times_is_too_deep() {
        let mut cell = json!({"class_name": "GRUCell", "config": {"units": 2}});
        for _ in 0..200 {
            cell = json!({"class_name": "StackedRNNCells", "config": {"cells": [cell]}});
        }
        let error = read_layer_of(Family::Keras2, "RNN", json!({"cell": cell})).unwrap_err();
        assert_eq!(error.kind(), tfjs_manifest::Kind::Limit);
    }
}
