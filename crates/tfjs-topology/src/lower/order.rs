//! The order of calls in a submodel: every call comes after the calls whose outputs it uses.

use super::LowerCx;
use super::scope::object_names;
use crate::def::{LayerBody, Submodel, TensorRef};
use std::collections::BTreeSet;
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
        let route = Rc::new(Route { order: execution_order(model)?, objects: object_names(model) });
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
