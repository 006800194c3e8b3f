//! The order of calls in a submodel: every call comes after the calls whose outputs it uses.

use super::LowerCx;
use super::scope::object_names;
use crate::def::{LayerBody, LayerEntry, Submodel, TensorRef};
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;
use tfjs_manifest::{Error, Result};

/// Facts about a submodel that are computed before it is called.
#[derive(Debug)]
pub(super) struct Route {
    /// Its calls as `(layer, call)`.
    pub(super) order: Vec<(usize, usize)>,
    /// The names of its layers in `.keras` files.
    pub(super) objects: Vec<String>,
}

impl LowerCx<'_> {
    /// The calls of a submodel in order, computed once for each model.
    pub(super) fn route(&mut self, model: &Submodel) -> Result<Rc<Route>> {
        if let Some(route) = self.routes.get(&std::ptr::from_ref(model)) {
            return Ok(route.clone());
        }
        let mut order = execution_order(model)?;
        // The order is seen only where a layer is called more than once, and keeps something from call to call.
        let again = |entry: &LayerEntry| entry.calls.len() > 1 && !matches!(entry.body, LayerBody::Op(_));
        if self.calls_by_depth && model.layers.iter().any(again) {
            order = by_depth(model, &order);
        }
        let route = Rc::new(Route { order, objects: object_names(model) });
        self.routes.insert(std::ptr::from_ref(model), route.clone());
        Ok(route)
    }
}

/// The calls of a submodel as `(layer, call)`, in an order that computes every tensor before it is needed and
/// otherwise keeps the file's order.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for a cycle, naming the layers on it.
pub(crate) fn execution_order(model: &Submodel) -> Result<Vec<(usize, usize)>> {
    let first: Vec<usize> = model
        .layers
        .iter()
        .scan(0, |next, entry| {
            let first = *next;
            *next += entry.calls.len();
            Some(first)
        })
        .collect();
    let total = model.layers.iter().map(|entry| entry.calls.len()).sum();
    // SIZE: the number of calls that were read.
    let (mut waiting, mut consumers) = (vec![0usize; total], vec![Vec::<(usize, usize)>::new(); total]);
    let mut ready = BTreeSet::new();
    for (layer, entry) in model.layers.iter().enumerate() {
        for (call, arguments) in entry.calls.iter().enumerate() {
            let node = first[layer] + call;
            let computed = |t: &&&TensorRef| !matches!(model.layers[t.layer].body, LayerBody::Input(_));
            for tensor in arguments.tensors().iter().filter(computed) {
                waiting[node] += 1;
                consumers[first[tensor.layer] + tensor.call].push((layer, call));
            }
            if waiting[node] == 0 {
                ready.insert((layer, call));
            }
        }
    }
    // SIZE: the number of calls that were read.
    let mut order = Vec::with_capacity(total);
    while let Some((layer, call)) = ready.pop_first() {
        order.push((layer, call));
        for &(layer, call) in &consumers[first[layer] + call] {
            let node = first[layer] + call;
            waiting[node] -= 1;
            if waiting[node] == 0 {
                ready.insert((layer, call));
            }
        }
    }
    if order.len() == total {
        return Ok(order);
    }
    let stuck: Vec<String> = model
        .layers
        .iter()
        .enumerate()
        .filter(|(layer, entry)| (0..entry.calls.len()).any(|call| waiting[first[*layer] + call] > 0))
        .map(|(_, entry)| format!("`{}`", entry.name))
        .take(8)
        .collect();
    Err(Error::malformed(format!(
        "the layers {} wait for each other's outputs: the graph has a cycle",
        stuck.join(", ")
    )))
}

/// The calls in the order in which Keras runs them: those farthest from the outputs first, where all calls of a layer are as
/// far as the farthest that Keras came across before; of equally far ones, the last that it finds from the outputs.
/// Calls that no output needs come last.
///
/// `order` is one in which every tensor is computed before it is needed.
///
/// Reference: Keras's `map_graph` in `keras/src/ops/function.py`.
fn by_depth(model: &Submodel, order: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let parents = |(layer, call): (usize, usize)| {
        let computed = |t: &&TensorRef| !matches!(model.layers[t.layer].body, LayerBody::Input(_));
        let tensors = model.layers[layer].calls[call].tensors();
        tensors.into_iter().filter(computed).map(|t| (t.layer, t.call)).collect::<Vec<_>>()
    };
    let (mut depths, mut layers, mut found) = (HashMap::new(), HashMap::new(), Vec::new());
    for node in from_outputs(model, parents).into_iter().rev() {
        let depth = *depths.entry(node).or_insert_with(|| {
            found.push(node);
            0
        });
        let depth: usize = depth.max(layers.get(&node.0).copied().unwrap_or(0));
        layers.insert(node.0, depth);
        depths.insert(node, depth);
        for parent in parents(node) {
            let known = depths.entry(parent).or_insert_with(|| {
                found.push(parent);
                0
            });
            *known = depth.saturating_add(1).max(*known);
        }
    }
    found.sort_by_key(|node| Reverse(depths[node]));
    let reached: HashSet<(usize, usize)> = found.iter().copied().collect();
    found.extend(order.iter().copied().filter(|node| !reached.contains(node)));
    found
}

/// The calls that the outputs need, each after its parents, as a walk from the outputs leaves them.
fn from_outputs(model: &Submodel, parents: impl Fn((usize, usize)) -> Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    let (mut left, mut entered) = (Vec::new(), HashSet::new());
    for output in &model.outputs {
        let start = (output.tensor.layer, output.tensor.call);
        if matches!(model.layers[start.0].body, LayerBody::Input(_)) || !entered.insert(start) {
            continue;
        }
        let mut path = vec![(start, parents(start).into_iter())];
        while let Some((node, rest)) = path.last_mut() {
            match rest.next() {
                Some(parent) if entered.insert(parent) => path.push((parent, parents(parent).into_iter())),
                Some(_) => {}
                None => {
                    left.push(*node);
                    path.pop();
                }
            }
        }
    }
    left
}
