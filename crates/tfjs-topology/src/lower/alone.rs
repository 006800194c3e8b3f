//! Lowers a single layer, for tests.

use super::{Frame, Instance, KerasTensor, LowerCx, Phase};
use crate::call::Call;
use crate::graph::{GraphLayer, LayerId};
use crate::layer::{LayerDef, WeightDecl};
use crate::types::TensorType;
use tfjs_ir::{ElementType, Program, Type};
use tfjs_manifest::{Limits, Result};

/// The result of lowering a single layer.
#[derive(Debug)]
pub(crate) struct Alone {
    /// Its program. The masks of outputs are results as well.
    pub(crate) program: Program,
    /// The types of its outputs.
    pub(crate) types: Vec<TensorType>,
    /// Its weights.
    pub(crate) weights: Vec<WeightDecl>,
}

impl LowerCx<'_> {
    /// Lowers a call of one layer. Returns the types of its outputs, and its weights.
    pub(crate) fn alone(def: &dyn LayerDef, call: &Call<TensorType>) -> Result<(Vec<TensorType>, Vec<WeightDecl>)> {
        let call = call.try_map(|ty| Ok::<_, tfjs_manifest::Error>((ty.clone(), false)))?;
        let alone = LowerCx::alone_in(Phase::Predict, true, def, &call)?;
        Ok((alone.types, alone.weights))
    }

    /// Lowers a call of one layer in a phase. Each tensor of the call has a flag for a mask of its first two axes.
    pub(crate) fn alone_in(
        phase: Phase,
        trainable: bool,
        def: &dyn LayerDef,
        call: &Call<(TensorType, bool)>,
    ) -> Result<Alone> {
        let limits = Limits::default();
        let mut cx = LowerCx::new(&limits, phase, false);
        let mut inputs = 0;
        let call = call.try_map(|(ty, masked)| {
            inputs += 1;
            cx.alone_input(&format!("x{inputs}"), ty, *masked)
        })?;
        cx.graph.layers.push(GraphLayer::unnamed());
        cx.known.push(Instance { layer: LayerId(0), slots: Vec::new() });
        cx.frames.push(Frame { instance: 0, taken: 0, prefix: Vec::new(), trainable });
        let outputs = def.lower(&mut cx, &call)?;
        let types = outputs.iter().map(|tensor| cx.keras_type(cx.ty(tensor.value))).collect();
        let weights = cx.graph.slots.iter().map(|slot| slot.decl.clone()).collect();
        let mut results = Vec::new();
        for (i, tensor) in outputs.into_iter().enumerate() {
            results.push((format!("y{}", i + 1), tensor.value));
            results.extend(tensor.mask.map(|mask| (format!("y{}.mask", i + 1), mask)));
        }
        let program = cx.builder.finish(results)?;
        tfjs_ir::verify::verify(&program)?;
        Ok(Alone { program, types, weights })
    }

    fn alone_input(&mut self, name: &str, ty: &TensorType, masked: bool) -> Result<KerasTensor> {
        let tensor = self.root_edge(name, ty.clone())?.tensor;
        if !masked {
            return Ok(tensor);
        }
        let steps = self.dims_of(tensor.value)[..2].to_vec();
        let mask = self.builder.input(&format!("{name}.mask"), Type::new(ElementType::Bool, steps))?;
        Ok(tensor.with_mask(Some(mask)))
    }
}
