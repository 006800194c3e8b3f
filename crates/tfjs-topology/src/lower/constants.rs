//! Constants among the inputs of a layer, as in `Add()([x, tf.constant([1.0, 2.0])])`.

use super::{KerasTensor, LowerCx, value_type};
use crate::call::{Arg, Call};
use crate::graph::Callee;
use crate::ops::params::Constant;
use crate::registry::Layer;
use crate::types::ValueType;
use serde_json::Value as Json;
use tfjs_manifest::Result;

impl LowerCx<'_> {
    /// The call with each constant among its positional arguments as a value. A custom layer gets them as they are.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a constant in a list of tensors that is not numbers.
    pub(super) fn with_constants(&mut self, callee: &Callee, mut call: Call<KerasTensor>) -> Result<Call<KerasTensor>> {
        let Callee::Layer(layer) = callee else { return Ok(call) };
        let Some(first) = call.inputs().first().map(|tensor| tensor.value) else { return Ok(call) };
        if matches!(layer, Layer::Custom(_)) {
            return Ok(call);
        }
        let dtype = value_type(self.ty(first).element);
        for arg in &mut call.args {
            self.replace_constants(arg, dtype, false)?;
        }
        Ok(call)
    }

    /// `dtype` is that of numbers without a type of their own.
    fn replace_constants(&mut self, arg: &mut Arg<KerasTensor>, dtype: ValueType, in_list: bool) -> Result<()> {
        match arg {
            Arg::List(items) => items.iter_mut().try_for_each(|item| self.replace_constants(item, dtype, true)),
            Arg::Dict(items) => items.iter_mut().try_for_each(|(_, item)| self.replace_constants(item, dtype, true)),
            Arg::Const(value) if value.is_null() => Ok(()),
            Arg::Const(value) if in_list || is_tensor(value) || (value.is_number() && self.flat_inputs) => {
                let constant = Constant::read(value)?;
                let dtype = if constant.weak { dtype } else { constant.dtype };
                *arg = Arg::Tensor(KerasTensor::from(constant.lower(self, dtype)?));
                Ok(())
            }
            Arg::Tensor(_) | Arg::Const(_) => Ok(()),
        }
    }
}

/// Whether a constant is a tensor wherever it is: an array, which is a list in Keras 2 and an object in Keras 3.
fn is_tensor(value: &Json) -> bool {
    match value {
        Json::Array(items) => items.first().is_some_and(|item| item.is_number() || is_tensor(item)),
        Json::Object(map) => {
            matches!(map.get("class_name").and_then(Json::as_str), Some("__numpy__" | "__tensor__"))
        }
        _ => false,
    }
}
