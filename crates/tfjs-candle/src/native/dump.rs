//! Diagnostics: the steps of a plan as JSON, and the layers that have no kernel.

use super::NativePlan;
use super::kernel::Engine;
use super::select::{Routine, Selection, Step};
use serde_json::{Value as Json, json};
use tfjs_ir::{Program, Value};

impl Selection {
    /// The paths of layers with nodes that the interpreter runs, because they have no kernel.
    pub(crate) fn reference_layers(&self) -> Vec<String> {
        self.layers_of(Engine::Reference)
    }

    /// The paths of layers that run opaque functions of the caller.
    pub(crate) fn opaque_layers(&self) -> Vec<String> {
        self.layers_of(Engine::Opaque)
    }

    fn layers_of(&self, engine: Engine) -> Vec<String> {
        let mut found = Vec::new();
        visit(&self.root, &mut |step, routine| {
            if step.kernel.as_ref().is_some_and(|kernel| kernel.engine() == engine) {
                for layer in layers(&self.program, routine, step) {
                    if !found.contains(&layer) {
                        found.push(layer);
                    }
                }
            }
        });
        found
    }

    /// The steps as JSON, one object for each.
    pub(crate) fn steps_json(&self) -> Json {
        steps(&self.program, &self.root)
    }
}

impl NativePlan {
    /// The plan as JSON.
    pub(crate) fn to_json(&self) -> Json {
        let (threads, isa) = (self.cpu.pool().threads(), self.cpu.isa().name());
        json!({ "threads": threads, "isa": isa, "steps": self.selection.steps_json() })
    }

    #[cfg(test)]
    pub(crate) fn reference_layers(&self) -> Vec<String> {
        self.selection.reference_layers()
    }

    #[cfg(test)]
    pub(crate) fn opaque_layers(&self) -> Vec<String> {
        self.selection.opaque_layers()
    }
}

/// The number of steps that compute something, including those of loops.
#[cfg(test)]
pub(crate) fn count(selection: &Selection) -> usize {
    let mut count = 0;
    visit(&selection.root, &mut |step, _| count += usize::from(step.kernel.is_some()));
    count
}

/// Calls `f` for every step, including those of loops.
fn visit(routine: &Routine, f: &mut dyn FnMut(&Step, &Routine)) {
    for step in &routine.steps {
        f(step, routine);
        if let Some(body) = step.kernel.as_ref().and_then(|kernel| kernel.body()) {
            visit(body, f);
        }
    }
}

/// The layers that the nodes of a step belong to.
fn layers(program: &Program, routine: &Routine, step: &Step) -> Vec<String> {
    let origins = step.nodes.iter().map(|&node| routine.block.nodes[node].origin);
    let paths = origins.filter_map(|origin| program.origins.get(origin.index()));
    let mut layers: Vec<String> =
        paths.map(|origin| origin.layer.to_string()).filter(|path| !path.is_empty()).collect();
    layers.dedup();
    layers
}

fn steps(program: &Program, routine: &Routine) -> Json {
    let ids = |values: &[Value]| values.iter().map(|value| value.0).collect::<Vec<_>>();
    let all = routine.steps.iter().map(|step| {
        let (engine, kernel) = match &step.kernel {
            Some(kernel) => (kernel.engine().name(), kernel.describe()),
            None => (Engine::Native.name(), "alias".to_string()),
        };
        let mut object = json!({
            "engine": engine,
            "kernel": kernel,
            "layers": layers(program, routine, step),
            "inputs": ids(&step.operands),
            "outputs": ids(&step.results),
        });
        if let Some(body) = step.kernel.as_ref().and_then(|kernel| kernel.body()) {
            object["steps"] = steps(program, body);
        }
        object
    });
    all.collect()
}
