//! A model as a table in Keras's form: layers, output shapes, numbers of parameters. Weights are not read.
//!
//! Reference: `print_summary` in Keras 2's `keras/src/utils/layer_utils.py`.

use crate::def::{LayerBody, LayerEntry, ModelDef, Submodel, SubmodelKind, TensorRef};
use crate::graph::{LayerId, ModelGraph, WeightSlot};
use crate::types::{SymShape, TensorType};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::rc::Rc;
use tfjs_manifest::text::escaped;

/// The table of a model, in lines of `width` characters (if `None`, 65 for a chain of layers and 98 for a graph).
///
/// A nested model is one row, with the parameters of all its layers. `graph` is the lowered definition.
pub fn summary(def: &ModelDef, graph: &ModelGraph, width: Option<usize>) -> String {
    let table = if is_chain(&def.root) {
        Table::new(width.unwrap_or(65), &[0.45, 0.85, 1.0])
    } else {
        Table::new(width.unwrap_or(98), &[0.3, 0.6, 0.7, 1.0])
    };
    let shapes = Shapes::of(graph);
    let mut out = format!("Model: \"{}\"\n", escaped(&def.root.name));
    table.rule(&mut out, '_');
    table.row(&mut out, &["Layer (type)", "Output Shape", "Param #", "Connected to"].map(str::to_string));
    table.rule(&mut out, '=');
    for entry in listed(&def.root) {
        let name = format!("{} ({})", entry.name, class_of(entry));
        let size = Size::of(slots(graph, &entry.name));
        let parameters = size.parameters.to_string();
        table.row(&mut out, &[name, shapes.output(&def.root, entry), parameters, connected_to(&def.root, entry)]);
        out.push('\n');
    }
    table.rule(&mut out, '=');
    let of = |trainable: bool| Size::of(graph.slots.iter().filter(|slot| slot.trainable == trainable));
    for (what, size) in [("Total", Size::of(graph.slots.iter())), ("Trainable", of(true)), ("Non-trainable", of(false))]
    {
        // Writing to a string does not fail.
        let _ = writeln!(out, "{what} params: {} ({})", size.parameters, readable(size.bytes));
    }
    table.rule(&mut out, '_');
    out
}

/// The layers that Keras lists: without a Sequential's input.
fn listed(model: &Submodel) -> impl Iterator<Item = &LayerEntry> {
    let sequential = model.kind == SubmodelKind::Sequential;
    model.layers.iter().filter(move |entry| !(sequential && matches!(entry.body, LayerBody::Input(_))))
}

fn class_of(entry: &LayerEntry) -> &str {
    match &entry.body {
        // Old files and TensorFlow.js write `Model`.
        LayerBody::Model(model) if model.kind == SubmodelKind::Functional => "Functional",
        _ => &entry.class_name,
    }
}

/// Whether each layer is called once, with the output of the previous one.
fn is_chain(model: &Submodel) -> bool {
    let mut taken = HashSet::new();
    let mut once = |call: &crate::call::Call<TensorRef>| {
        let tensors = call.tensors();
        tensors.len() == 1 && tensors.iter().all(|tensor| taken.insert(tensor.layer))
    };
    model.kind == SubmodelKind::Sequential
        || (model.inputs.len() == 1 && model.layers.iter().all(|e| e.calls.len() <= 1 && e.calls.iter().all(&mut once)))
}

/// `['x[0][0]', 'dense[1][0]']`: layer, call and output of every input tensor of a layer.
fn connected_to(model: &Submodel, entry: &LayerEntry) -> String {
    let names = entry.calls.iter().flat_map(|call| call.tensors()).map(|tensor| {
        let name = model.layers.get(tensor.layer).map_or("?", |from| from.name.as_str());
        format!("'{name}[{}][{}]'", tensor.call, tensor.tensor)
    });
    format!("[{}]", names.collect::<Vec<_>>().join(", "))
}

/// The weights of a layer, or of all layers of a model, at the top level of the graph.
fn slots<'a>(graph: &'a ModelGraph, name: &str) -> impl Iterator<Item = &'a WeightSlot> {
    let inside = format!("{name}/");
    let name = name.to_string();
    let layers = graph.layers.iter().filter(move |layer| layer.path == name || layer.path.starts_with(&inside));
    layers.flat_map(|layer| &layer.slots).map(|slot| &graph.slots[slot.0])
}

/// A number of parameters and their size in bytes.
#[derive(Clone, Copy, Default)]
struct Size {
    parameters: u64,
    bytes: u64,
}

impl Size {
    fn of<'a>(slots: impl Iterator<Item = &'a WeightSlot>) -> Size {
        slots.fold(Size::default(), |sum, slot| {
            let elements = slot.decl.shape.elements() as u64;
            let bytes = elements.saturating_mul(slot.decl.dtype.size().unwrap_or(0));
            Size { parameters: sum.parameters.saturating_add(elements), bytes: sum.bytes.saturating_add(bytes) }
        })
    }
}

/// `1.36 KB`, in Keras's format.
fn readable(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["Byte", "KB", "MB", "GB", "TB"] {
        if size < 1024.0 {
            return format!("{size:.2} {unit}");
        }
        size /= 1024.0;
    }
    format!("{size:.2} PB")
}

/// The types of the outputs of layers, by path.
struct Shapes<'a> {
    graph: &'a ModelGraph,
    /// The outputs of the calls of each layer, in order of execution.
    outputs: HashMap<&'a str, Vec<Vec<&'a TensorType>>>,
}

/// The output shapes of each call of a layer.
type Calls = Vec<Vec<String>>;

impl<'a> Shapes<'a> {
    fn of(graph: &'a ModelGraph) -> Self {
        let mut outputs: HashMap<&str, Vec<Vec<&TensorType>>> = HashMap::new();
        let path = |layer: LayerId| graph.layers[layer.0].path.as_str();
        for node in &graph.nodes {
            let types = node.outputs.iter().map(|value| graph.ty(*value)).collect();
            outputs.entry(path(node.layer)).or_default().push(types);
        }
        Shapes { graph, outputs }
    }

    /// The outputs of a layer of the outermost model: a shape, a list of shapes, or `multiple` if its calls
    /// differ.
    fn output(&self, root: &Submodel, entry: &LayerEntry) -> String {
        if let LayerBody::Input(declared) = &entry.body {
            let port = root.inputs.iter().position(|port| port.name == entry.name);
            let ty = port.and_then(|i| self.graph.inputs.get(i)).map(|port| self.graph.ty(port.value));
            return format!("[{}]", ty.or(declared.as_ref()).map_or("?".to_string(), |ty| tuple(&ty.shape)));
        }
        let calls = self.calls(entry, &entry.name, &mut HashMap::new());
        match &calls[..] {
            [] => "?".to_string(),
            [first, rest @ ..] if rest.iter().all(|other| other == first) => match &first[..] {
                [only] => only.clone(),
                several => format!("[{}]", several.join(", ")),
            },
            _ => "multiple".to_string(),
        }
    }

    /// The output shapes of each call of a layer or model. `known` caches those of the layers seen so far, by path,
    /// because a layer may have many outputs.
    fn calls(&self, entry: &LayerEntry, path: &str, known: &mut HashMap<String, Rc<Calls>>) -> Rc<Calls> {
        if let Some(calls) = known.get(path) {
            return calls.clone();
        }
        let calls = Rc::new(self.new_calls(entry, path, known));
        known.insert(path.to_string(), calls.clone());
        calls
    }

    fn new_calls(&self, entry: &LayerEntry, path: &str, known: &mut HashMap<String, Rc<Calls>>) -> Calls {
        let LayerBody::Model(model) = &entry.body else {
            let calls = self.outputs.get(path).map(Vec::as_slice).unwrap_or_default();
            return calls.iter().map(|types| types.iter().map(|ty| tuple(&ty.shape)).collect()).collect();
        };
        let mut of_port = |tensor: &TensorRef| -> Vec<String> {
            let Some(from) = model.layers.get(tensor.layer) else { return Vec::new() };
            match &from.body {
                LayerBody::Input(Some(declared)) => vec![tuple(&declared.shape)],
                LayerBody::Input(None) => vec!["?".to_string()],
                _ => {
                    let calls = self.calls(from, &format!("{path}/{}", from.name), known);
                    calls.iter().filter_map(|outputs| outputs.get(tensor.tensor).cloned()).collect()
                }
            }
        };
        let ports: Vec<Vec<String>> = model.outputs.iter().map(|port| of_port(&port.tensor)).collect();
        let calls = ports.iter().map(Vec::len).max().unwrap_or(0);
        let call = |i: usize| ports.iter().filter_map(|port| port.get(i).or(port.last()).cloned()).collect();
        (0..calls).map(call).collect()
    }
}

/// `(None, 28, 28, 1)`.
fn tuple(shape: &SymShape) -> String {
    let dims: Vec<String> = shape.dims().iter().map(|dim| dim.map_or("None".to_string(), |d| d.to_string())).collect();
    match &dims[..] {
        [only] => format!("({only},)"),
        dims => format!("({})", dims.join(", ")),
    }
}

/// Columns of fixed width whose text wraps to the next line.
struct Table {
    width: usize,
    /// The end of each column.
    ends: Vec<usize>,
}

impl Table {
    fn new(width: usize, fractions: &[f64]) -> Table {
        // Narrower columns could not hold a character.
        let width = width.max(40);
        Table { width, ends: fractions.iter().map(|f| (width as f64 * f) as usize).collect() }
    }

    fn rule(&self, out: &mut String, with: char) {
        // SIZE: the width is given by the caller.
        out.extend(std::iter::repeat_n(with, self.width));
        out.push('\n');
    }

    fn row(&self, out: &mut String, fields: &[String]) {
        let columns = self.ends.len();
        let fields: Vec<String> = fields.iter().take(columns).map(|field| escaped(field)).collect();
        let mut left: Vec<&str> = fields.iter().map(String::as_str).collect();
        while left.iter().any(|text| !text.is_empty()) {
            let mut line = String::from(" ");
            for (column, text) in left.iter_mut().enumerate() {
                let start = column.checked_sub(1).map_or(0, |before| self.ends[before]);
                // Two spaces and the first column's indent separate columns.
                let apart = if column + 1 == columns { 0 } else { 3 };
                let (now, later) = split(text, (self.ends[column] - start).saturating_sub(apart).max(1));
                line.push_str(now);
                *text = later;
                if column + 1 < columns {
                    line.push_str("  ");
                    let missing = self.ends[column].saturating_sub(line.chars().count());
                    // SIZE: at most the width.
                    line.extend(std::iter::repeat_n(' ', missing));
                }
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
}

/// Splits text into the part that fits a line, which may end early after an element of a list, and the rest.
fn split(text: &str, width: usize) -> (&str, &str) {
    let fits = text.char_indices().nth(width).map_or(text.len(), |(i, _)| i);
    let breaks = ["),", "},", "],", "',"].iter().filter_map(|end| text[..fits].find(end).map(|at| at + end.len()));
    text.split_at(breaks.min().unwrap_or(fits))
}

#[cfg(test)]
mod tests;
