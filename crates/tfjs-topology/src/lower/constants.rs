//! Constants in place of tensors in the call of a layer, as in `Add()([x, tf.constant([1.0, 2.0])])`.

use super::{KerasTensor, LowerCx, value_type};
use crate::call::{Arg, Call};
use crate::graph::Callee;
use crate::ops::params::{Constant, meeting};
use crate::registry::Layer;
use crate::types::ValueType;
use serde_json::Value as Json;
use tfjs_manifest::Result;
use tfjs_manifest::account::json_bytes;

impl LowerCx<'_> {
    /// The call with constants as values: those among its positional arguments, masks and states. A custom layer gets
    /// them as they are.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a constant in a list of tensors that is not numbers.
    pub(super) fn with_constants(&mut self, callee: &Callee, mut call: Call<KerasTensor>) -> Result<Call<KerasTensor>> {
        let Callee::Layer(layer) = callee else { return Ok(call) };
        let Some(first) = call.inputs().first().map(|tensor| tensor.value) else { return Ok(call) };
        if matches!(layer, Layer::Custom(_)) {
            return Ok(call);
        }
        let rank = self.ty(first).rank();
        let dtype = match value_type(self.ty(first).element) {
            ValueType::String => ValueType::Float,
            numeric => numeric,
        };
        for arg in &mut call.args {
            self.replace_constants(arg, dtype, false)?;
        }
        for (name, arg) in &mut call.kwargs {
            match name.as_str() {
                // Attention layers read their masks themselves.
                "mask" | "count_weights" | "countWeights" | "constants" => self.replace_array(arg, None),
                // A state has no axis of time, so that an array of the input's rank is a list of states.
                "initial_state" => {
                    if let Arg::Const(value) = &*arg
                        && let Json::Array(states) = &**value
                        && depth(value) == rank
                    {
                        self.account.charge(json_bytes(value))?;
                        *arg = Arg::List(states.iter().map(|state| Arg::Const(state.clone().into())).collect());
                    }
                    self.replace_array(arg, Some(dtype))
                }
                _ => Ok(()),
            }
            .map_err(|e| e.at_json(name.as_str()))?;
        }
        Ok(call)
    }

    /// Charges a constant, which is copied and read in every call.
    fn pay_for_constant(&mut self, arg: &Arg<KerasTensor>) -> Result<()> {
        match arg {
            Arg::Const(value) => self.account.charge(json_bytes(value)),
            _ => Ok(()),
        }
    }

    /// Replaces arrays, and lists of arrays. Without `dtype`, they have their own.
    fn replace_array(&mut self, arg: &mut Arg<KerasTensor>, dtype: Option<ValueType>) -> Result<()> {
        self.pay_for_constant(arg)?;
        split_list(arg);
        match arg {
            Arg::List(items) => items.iter_mut().try_for_each(|item| self.replace_array(item, dtype)),
            Arg::Const(value) if is_tensor(value) => {
                *arg = self.constant_tensor(value, dtype)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A constant as a tensor, in the type in which it meets tensors of `dtype`.
    fn constant_tensor(&mut self, value: &Json, dtype: Option<ValueType>) -> Result<Arg<KerasTensor>> {
        let constant = Constant::read(value)?;
        let own = (constant.dtype, constant.weak);
        let dtype = dtype.map_or(constant.dtype, |dtype| meeting((dtype, false), own));
        Ok(Arg::Tensor(KerasTensor::from(constant.lower(self, dtype)?)))
    }

    /// Replaces constants among positional arguments. `dtype` is that of numbers without a type of their own.
    fn replace_constants(&mut self, arg: &mut Arg<KerasTensor>, dtype: ValueType, in_list: bool) -> Result<()> {
        self.pay_for_constant(arg)?;
        split_list(arg);
        match arg {
            Arg::List(items) => items.iter_mut().try_for_each(|item| self.replace_constants(item, dtype, true)),
            Arg::Dict(items) => items.iter_mut().try_for_each(|(_, item)| self.replace_constants(item, dtype, true)),
            Arg::Const(value) if value.is_null() => Ok(()),
            Arg::Const(value) if in_list || is_tensor(value) || (value.is_number() && self.flat_inputs) => {
                *arg = self.constant_tensor(value, Some(dtype))?;
                Ok(())
            }
            Arg::Tensor(_) | Arg::Const(_) => Ok(()),
        }
    }
}

/// Splits a constant that is a list of Keras 3's arrays.
fn split_list(arg: &mut Arg<KerasTensor>) {
    if let Arg::Const(value) = arg
        && let Json::Array(items) = &**value
        && items.first().is_some_and(Json::is_object)
    {
        *arg = Arg::List(items.iter().map(|item| Arg::Const(item.clone().into())).collect());
    }
}

/// Whether a constant is a tensor wherever it is: an array, which is a list in Keras 2 and an object in Keras 3.
fn is_tensor(value: &Json) -> bool {
    match value {
        Json::Array(items) => {
            items.first().is_some_and(|item| item.is_number() || item.is_boolean() || is_tensor(item))
        }
        Json::Object(map) => {
            matches!(map.get("class_name").and_then(Json::as_str), Some("__numpy__" | "__tensor__"))
        }
        _ => false,
    }
}

/// The number of nested arrays around the first element.
fn depth(value: &Json) -> usize {
    match value {
        Json::Array(items) => 1 + items.first().map_or(0, depth),
        _ => 0,
    }
}
