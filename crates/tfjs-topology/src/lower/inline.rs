//! Lowers the calls of a model, in an order in which every tensor is computed before it is needed.

use super::LowerCx;
use super::call::Edge;
use super::scope::{Scoped, around, restart};
use crate::call::{Arg, Call};
use crate::def::{LayerBody, LayerEntry, Submodel, TensorRef};
use crate::layer::Scope;
use std::collections::HashMap;
use tfjs_manifest::{Error, Limits, Result};

/// The outputs of the calls so far, by layer and call.
type Computed = HashMap<(usize, usize), Vec<Edge>>;

impl LowerCx<'_> {
    /// Lowers the calls of a model for these inputs and returns its outputs. For a wrapped model, `held` is its
    /// instance, counted from 1, with the objects around its weights.
    pub(super) fn inline(
        &mut self,
        model: &Submodel,
        scope: &Scoped,
        held: Option<(usize, &[Scope])>,
        inputs: Vec<Edge>,
    ) -> Result<Vec<Edge>> {
        if model.inputs.len() != inputs.len() {
            let (name, expected, found) = (&model.name, model.inputs.len(), inputs.len());
            return Err(Error::malformed(format!("model `{name}` has {expected} inputs, found {found}")));
        }
        let mut computed = Computed::new();
        for (port, edge) in model.inputs.iter().zip(inputs) {
            self.check_input(model, port.tensor.layer, &edge)?;
            computed.insert((port.tensor.layer, 0), vec![edge]);
        }
        let route = self.route(model)?;
        for &(layer, call) in &route.order {
            let entry = &model.layers[layer];
            let path = format!("{}{}", scope.path, entry.name);
            let at = |e: Error| e.at_layer(&path);
            let what = "name_chars (a layer's name and those of the models around it)";
            Limits::check(what, path.chars().count() as u64, self.limits.name_chars).map_err(at)?;
            let arguments = entry.calls[call].try_map(|tensor| find(model, &computed, tensor)).map_err(at)?;
            let outputs = match (&entry.body, held) {
                (LayerBody::Model(inner), _) => {
                    // A model without layers counts as a call; otherwise nested empty models would cost nothing.
                    self.spend(1).map_err(at)?;
                    let inputs = model_inputs(inner, &arguments).map_err(at)?;
                    let training = self.enter_training(&arguments).map_err(at)?;
                    let scope = scope.inside(entry, inner, &route.objects[layer]);
                    let prefix = held.map(|(holder, prefix)| (holder, [prefix, &[around(&entry.name)]].concat()));
                    let held = prefix.as_ref().map(|(holder, prefix)| (*holder, &prefix[..]));
                    let outputs = self.inline(inner, &scope, held, inputs);
                    self.leave_training(training);
                    let outputs = outputs?;
                    // DIFFERENCE: the outputs keep their masks. TensorFlow.js drops them, unless it is the first model in
                    // a Sequential.
                    inner.returned.iter().filter_map(|&index| outputs.get(index).cloned()).collect()
                }
                (_, None) => self.call(entry, scope, &route.objects[layer], &arguments)?,
                (_, Some((holder, prefix))) => {
                    let object_path = format!("{}{}", scope.object_path, route.objects[layer]);
                    let mut prefix = prefix.to_vec();
                    prefix.push(restart(&entry.name, object_path));
                    let tensors = arguments.try_map(|edge| Ok::<_, Error>(edge.tensor.clone()))?;
                    let outputs = self.inner_call(holder, entry, prefix, entry.trainable(), tensors).map_err(at)?;
                    outputs.into_iter().map(|tensor| Edge { tensor, id: None }).collect()
                }
            };
            computed.insert((layer, call), outputs);
        }
        let output = |port: &crate::def::Port| {
            find(model, &computed, &port.tensor).map_err(|e| {
                Error::malformed(format!("an output of model `{}` {}", model.name, e.message())).at_layer(&port.name)
            })
        };
        model.outputs.iter().map(output).collect()
    }

    /// Checks that the declared input of a nested model matches the argument; the batch may differ.
    fn check_input(&self, model: &Submodel, layer: usize, edge: &Edge) -> Result<()> {
        let Some(LayerEntry { name, body: LayerBody::Input(Some(declared)), .. }) = model.layers.get(layer) else {
            return Ok(());
        };
        let found = self.keras_type(self.ty(edge.tensor.value)).shape;
        let dims = |(want, is): (&Option<usize>, &Option<usize>)| want.is_none() || is.is_none() || want == is;
        let fits =
            declared.shape.rank() == found.rank() && declared.shape.dims().iter().zip(found.dims()).skip(1).all(dims);
        if fits {
            return Ok(());
        }
        Err(Error::malformed(format!(
            "input `{name}` of model `{}` is declared as {}, called with {found}",
            model.name, declared.shape
        )))
    }
}

fn find(model: &Submodel, computed: &Computed, tensor: &TensorRef) -> Result<Edge> {
    let of_call = computed.get(&(tensor.layer, tensor.call));
    of_call.and_then(|outputs| outputs.get(tensor.tensor)).cloned().ok_or_else(|| {
        let from = &model.layers[tensor.layer];
        match (&from.body, of_call) {
            (LayerBody::Input(_), _) => {
                Error::malformed(format!("takes the input `{}`, which is not among the model's inputs", from.name))
            }
            (_, found) => Error::malformed(format!(
                "takes output {} of layer `{}`, which has {}",
                tensor.tensor,
                from.name,
                found.map_or(0, Vec::len)
            )),
        }
    })
}

/// The inputs of a nested model's call in the order of its ports; a dict is matched by key, then by name.
fn model_inputs(model: &Submodel, call: &Call<Edge>) -> Result<Vec<Edge>> {
    let [Arg::Dict(items)] = &call.args[..] else {
        return Ok(call.inputs().into_iter().cloned().collect());
    };
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (i, (key, _)) in items.iter().enumerate() {
        first.entry(key).or_insert(i);
    }
    model
        .inputs
        .iter()
        .map(|port| {
            let key = port.key.as_ref().unwrap_or(&port.name);
            let found = [key, &port.name].into_iter().filter_map(|name| first.get(name.as_str()).copied()).min();
            found
                .and_then(|i| items[i].1.tensor().cloned())
                .ok_or_else(|| Error::malformed(format!("is called without its input `{key}`")))
        })
        .collect()
}
