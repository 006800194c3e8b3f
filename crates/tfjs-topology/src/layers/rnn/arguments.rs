//! The arguments of a recurrent layer's call, in the forms of all producers.

use crate::call::Call;
use crate::lower::KerasTensor;
use tfjs_manifest::{Error, Result};

/// The arguments of a recurrent layer's call.
#[derive(Clone, Debug)]
pub(crate) struct Arguments<'a> {
    /// The sequence.
    pub input: &'a KerasTensor,
    /// The initial states; empty if they are zeros.
    pub states: Vec<&'a KerasTensor>,
}

impl<'a> Arguments<'a> {
    /// Reads the arguments of a call. The sequence is the first input; states are further inputs (Keras 2,
    /// TensorFlow.js) or `initial_state` (Keras 3).
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) without a sequence or with states in both places;
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for `constants`.
    pub(crate) fn of(call: &'a Call<KerasTensor>) -> Result<Self> {
        let inputs = call.inputs();
        let Some((&input, more)) = inputs.split_first() else {
            return Err(Error::malformed("expected a sequence, found no input"));
        };
        let mut named = Vec::new();
        if let Some(arg) = call.kwarg("initial_state") {
            arg.collect(&mut named);
        }
        let mut constants = Vec::new();
        if let Some(arg) = call.kwarg("constants") {
            arg.collect(&mut constants);
        }
        if !constants.is_empty() {
            return Err(Error::unsupported("`constants` of a recurrent layer are not supported"));
        }
        let states = match (more.is_empty(), named.is_empty()) {
            (_, true) => more.to_vec(),
            (true, false) => named,
            (false, false) => {
                return Err(Error::malformed("initial states are given both as inputs and as `initial_state`"));
            }
        };
        Ok(Arguments { input, states })
    }
}
