//! The states of a stateful model between predictions.

use super::{LayersModel, PredictOptions};
use crate::Input;
use crate::input::Inputs;
use crate::output::Outputs;
use candle_core::Tensor;
use tfjs_manifest::Result;

/// Consecutive predictions: stateful layers continue from the states of the previous call.
///
/// [`LayersModel::predict`] starts from the initial states at each call; a session keeps them between calls. A call
/// that fails leaves the states unchanged.
///
/// ```no_run
/// # fn follow(model: &tfjs_candle::LayersModel) -> tfjs_manifest::Result<()> {
/// let mut session = model.session();
/// for frame in [[0.1f32; 5], [0.2; 5]] {
///     let output = session.predict(tfjs_candle::Input::new(frame, [1, 1, 5])?)?;
/// }
/// session.reset();
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Session {
    model: LayersModel,
    /// `None` before the first call.
    states: Option<Vec<Tensor>>,
}

impl LayersModel {
    /// Starts a session from the initial states.
    pub fn session(&self) -> Session {
        Session { model: self.clone(), states: None }
    }

    /// Whether the model has layers that carry states from one call to the next.
    pub fn is_stateful(&self) -> bool {
        !self.program().states.is_empty()
    }
}

impl Session {
    /// The model.
    pub fn model(&self) -> &LayersModel {
        &self.model
    }

    /// Predicts, and keeps the states for the next call.
    ///
    /// # Errors
    /// As for [`LayersModel::predict`]; the states stay unchanged.
    pub fn predict(&mut self, inputs: impl Into<Inputs>) -> Result<Outputs> {
        self.predict_with(inputs, &PredictOptions::default())
    }

    /// Predicts by the names of the model's inputs, in any order.
    ///
    /// # Errors
    /// As for [`predict`](Session::predict).
    pub fn predict_named<S: Into<String>, T: Into<Input>>(
        &mut self,
        inputs: impl IntoIterator<Item = (S, T)>,
    ) -> Result<Outputs> {
        self.predict(inputs.into_iter().collect::<Inputs>())
    }

    /// Predicts with options.
    ///
    /// # Errors
    /// As for [`LayersModel::predict_with`]; the states stay unchanged.
    pub fn predict_with(&mut self, inputs: impl Into<Inputs>, options: &PredictOptions) -> Result<Outputs> {
        let (outputs, states) = self.model.predict_from(inputs.into(), options, self.states.clone())?;
        self.states = states;
        Ok(outputs)
    }

    /// Discards the states: the next call starts from the initial ones.
    pub fn reset(&mut self) {
        self.states = None;
    }
}
