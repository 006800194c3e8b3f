//! Declares weights while a layer is lowered: its first call makes the slots, later calls check them.

use super::LowerCx;
use crate::graph::{SlotId, WeightSlot};
use crate::layer::{Scope, WeightDecl};
use tfjs_ir::{ElementType, Target, Type, Value};
use tfjs_manifest::{DType, Error, Limits, Result, Shape};

impl LowerCx<'_> {
    /// The latest value of the next weight of the layer that is being lowered. Layers must declare their weights in the
    /// order of Keras's `layer.weights`.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if an earlier call of the layer needed another shape;
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) for too many weights.
    pub fn weight(&mut self, decl: WeightDecl) -> Result<Value> {
        self.weight_slot(decl).map(|(_, value)| value)
    }

    /// As [`weight`](LowerCx::weight), with the slot, for a layer that replaces the value.
    ///
    /// # Errors
    /// As [`weight`](LowerCx::weight).
    pub fn weight_slot(&mut self, decl: WeightDecl) -> Result<(Target, Value)> {
        let frame = self.frames.last_mut().ok_or_else(|| Error::bug("a weight without a layer"))?;
        let taken = frame.taken;
        frame.taken += 1;
        let instance = frame.instance;
        let slot = match self.known[instance].slots.get(taken) {
            Some(&slot) => {
                let known = &self.graph.slots[slot.0].decl;
                if known.shape != decl.shape {
                    return Err(Error::malformed(format!(
                        "its calls need different weights: `{}` {} for one, {} for another",
                        decl.name, known.shape, decl.shape
                    )));
                }
                slot
            }
            None => self.new_slot(decl)?,
        };
        let target = Target::Slot(tfjs_ir::SlotId::new(slot.0)?);
        Ok((target, self.builder.get(target)?))
    }

    /// Runs `f`, which declares weights held by an object of the layer that is being lowered.
    ///
    /// # Errors
    /// Those of `f`.
    pub(crate) fn within<R>(&mut self, scope: Scope, f: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        let frame = self.frames.last_mut().ok_or_else(|| Error::bug("an object outside of a layer"))?;
        let depth = frame.prefix.len();
        frame.prefix.push(scope);
        let result = f(self);
        if let Some(frame) = self.frames.last_mut() {
            frame.prefix.truncate(depth);
        }
        result
    }

    /// Records that the next variable of this layer is a weight of an inner layer, which `.keras` files contain twice.
    pub(crate) fn repeated_weight(&mut self) {
        let Some(frame) = self.frames.last() else { return };
        let known = &self.known[frame.instance];
        if known.slots.get(frame.taken).is_some() {
            return;
        }
        let holder: Vec<String> = frame.prefix.iter().map(|scope| scope.attr.clone()).collect();
        let object = self.places.get(&known.layer).map(|place| place.object_path.clone()).unwrap_or_default();
        let path: Vec<&str> = [object.as_str()].into_iter().chain(holder.iter().map(String::as_str)).collect();
        let path = path.join("/");
        let index = self.counters.entry((known.layer, holder)).or_insert(0);
        self.graph.repeated.push(format!("{path}/vars/{index}"));
        *index += 1;
    }

    /// The shape of a weight of the inner layer in `scope`, after that layer is lowered.
    pub(crate) fn weight_inside(&self, scope: &Scope, name: &str) -> Option<Shape> {
        let frame = self.frames.last()?;
        let layer = self.known[frame.instance].layer;
        let mut slots = self.graph.layers[layer.0].slots.iter().map(|slot| &self.graph.slots[slot.0].decl);
        let inside = |decl: &&WeightDecl| {
            decl.name == name
                && decl.scope.split_last().is_some_and(|(last, outer)| last == scope && outer == frame.prefix)
        };
        slots.find(inside).map(|decl| decl.shape.clone())
    }

    fn new_slot(&mut self, mut decl: WeightDecl) -> Result<SlotId> {
        let (Some(outer), Some(inner)) = (self.frames.first(), self.frames.last()) else {
            return Err(Error::bug("a weight without a layer"));
        };
        // Inside a wrapper, the inner layer's `trainable` is part of the declaration.
        if self.frames.len() > 1 {
            decl.trainable &= self.frames[1..].iter().all(|frame| frame.trainable);
        }
        decl.scope.splice(0..0, inner.prefix.iter().cloned());
        let trainable = outer.trainable && decl.trainable;
        let instance = inner.instance;
        let layer = self.known[instance].layer;
        let holder: Vec<String> = decl.scope.iter().map(|scope| scope.attr.clone()).collect();
        let counter = self.counters.entry((layer, holder)).or_insert(0);
        let index = *counter;
        *counter += 1;
        Limits::check("tensors", self.graph.slots.len() as u64 + 1, self.limits.tensors)?;
        let entry = &self.graph.layers[layer.0];
        let place = self.places.get(&layer).cloned().unwrap_or_default();
        let slot = SlotId(self.graph.slots.len());
        let made = WeightSlot {
            layer,
            models: place.models,
            layer_name: entry.name.clone(),
            object_path: place.object_path,
            index,
            trainable,
            decl,
        };
        self.account.charge(made.bytes())?;
        let dims = made.decl.shape.iter().map(|&n| self.builder.number(n)).collect::<Vec<_>>();
        let element = match made.decl.dtype {
            DType::Int32 => ElementType::I32,
            DType::Bool => ElementType::Bool,
            _ => ElementType::F32,
        };
        self.builder.slot(&made.name(), Type::new(element, dims))?;
        self.graph.slots.push(made);
        self.graph.layers[layer.0].slots.push(slot);
        self.known[instance].slots.push(slot);
        Ok(slot)
    }
}
