//! The cells of an `RNN`, read and written: one, a list of them, or `StackedRNNCells`.

use super::cell::{Cell, CellKind, cell_scope};
use super::recurrent::{HeldCell, Recurrent};
use crate::config::{Config, expected};
use crate::encode::{Encoding, Target};
use crate::layer::{Scope, ScopeKind};
use crate::read::ReadCx;
use serde_json::{Map, Value as Json};
use tfjs_manifest::{Error, Result};

/// The `cell` of an `RNN`: a cell, a list of cells, or `StackedRNNCells`; and whether states are listed from
/// the highest cell down. Keys that nobody knows are added to `ignored`.
pub(super) fn read_cells(value: &Json, cx: &ReadCx<'_>, ignored: &mut Vec<String>) -> Result<(Vec<HeldCell>, bool)> {
    let tfjs = cx.producer.is_tfjs();
    if let Json::Array(cells) = value {
        return Ok((read_stack(cells, "stacked_rnn_cells", cx, ignored)?, tfjs));
    }
    let (class, inner) = read_object(value, cx)?;
    if class == "StackedRNNCells" {
        let cells: Vec<Json> = inner.req("cells")?;
        let name = inner.or("name", "stacked_rnn_cells".to_string())?;
        let reversed = inner.or("reverse_state_order", false)?;
        let cells = read_stack(&cells, &name, cx, ignored)?;
        ignored.extend(inner.ignored());
        return Ok((cells, tfjs || reversed));
    }
    let cell = read_cell(class, &inner)?;
    let name = inner.or("name", cell.kind.cell_name().to_string())?;
    ignored.extend(inner.ignored());
    Ok((vec![HeldCell { cell, scope: vec![cell_scope(&name, "cell")] }], false))
}

/// Warns of keys of the cells, in the words of the layers' own.
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

fn read_stack(cells: &[Json], name: &str, cx: &ReadCx<'_>, ignored: &mut Vec<String>) -> Result<Vec<HeldCell>> {
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
        ignored.extend(inner.ignored());
        let own = Scope { name: own, attr, kind: ScopeKind::Always };
        held.push(HeldCell { cell, scope: vec![cell_scope(name, "cell"), own] });
    }
    Ok(held)
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
    match CellKind::of_class(class.rsplit('>').next().unwrap_or(class), config)? {
        Some(kind) => Cell::read(kind, config),
        None => Err(Error::unsupported(format!(
            "unknown cell class `{class}`; expected `LSTMCell`, `GRUCell`, `SimpleRNNCell` or `StackedRNNCells`"
        ))),
    }
}

impl Recurrent {
    /// The `cell` of an `RNN` as it is written: a cell, a list of cells, or `StackedRNNCells`.
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
            if class == "StackedRNNCells" {
                let list = part.remove("cells").unwrap_or_default();
                let list = self.encode_cells(target, &list, cells, part)?;
                part.set("cells", list);
                if !self.reverse_states {
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
    use crate::testing::{after_input, check_encoded, encoded};
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
        let config = json!({"name": "r", "cell": {"class_name": "StackedRNNCells", "config": {"cells": [gru]}}});
        let found = encoded(Family::Keras2, &after_input(&json!([null, 4, 3]), "RNN", &config)).warnings;
        let expected = [
            "layer `l` (GRUCell): TensorFlow.js has no GRU with `reset_after`",
            "layer `l` (StackedRNNCells): TensorFlow.js lists the states of stacked cells from the highest down",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn keys_of_cells_that_nobody_knows_are_reported() {
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
}
