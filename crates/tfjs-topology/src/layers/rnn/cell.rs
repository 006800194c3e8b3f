//! Recurrent cells: one step of `LSTM`, `GRU` and `SimpleRNN`, as the layers and the cell classes write them.
//!
//! Reference: Keras's `keras/src/layers/rnn/{lstm,gru,simple_rnn}.py`.

use crate::activation::Activation;
use crate::config::Config;
use crate::layer::{Scope, ScopeKind, WeightDecl};
use crate::producer::Family;
use tfjs_manifest::{Error, Result, Shape};

/// One step of a recurrence: an input and the states give an output and new states.
///
/// Weights: `kernel [in, g u]`, `recurrent_kernel [u, g u]`, `bias [g u]`, with `u` units and `g` gates.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Which recurrence.
    pub kind: CellKind,
    /// Size of the output and of every state.
    pub units: usize,
    /// Whether a bias is added.
    pub use_bias: bool,
    /// The activation of the candidate.
    pub activation: Activation,
    /// The activation of the gates; [`CellKind::Simple`] has none.
    pub recurrent_activation: Activation,
}

/// Which recurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    /// `h' = activation(x K + h R + b)`.
    Simple,
    /// Gates `i, f, c, o`: `c' = f c + i activation(..)`, `h' = o activation(c')`. States `[h, c]`.
    Lstm,
    /// Gates `z, r, h`: `h' = z h + (1 - z) activation(..)`.
    Gru {
        /// Where the reset gate acts: on `h R + b` (two rows of bias) or on `h` (one).
        reset_after: bool,
    },
}

impl CellKind {
    /// The recurrence of a layer or cell class; `None` for another class.
    ///
    /// # Errors
    /// A wrong `reset_after`, at its JSON path.
    pub fn of_class(class: &str, config: &Config<'_>) -> Result<Option<Self>> {
        // TensorFlow.js knows the older form only, and so did Keras before it wrote the key.
        let reset_after = || config.or("reset_after", config.producer().is_keras3());
        Ok(Some(match class {
            "SimpleRNN" | "SimpleRNNCell" => CellKind::Simple,
            "LSTM" | "LSTMCell" => CellKind::Lstm,
            "GRU" | "GRUCell" => CellKind::Gru { reset_after: reset_after()? },
            _ => return Ok(None),
        }))
    }

    /// Blocks of `units` columns in a kernel.
    pub fn gates(self) -> usize {
        match self {
            CellKind::Simple => 1,
            CellKind::Lstm => 4,
            CellKind::Gru { .. } => 3,
        }
    }

    /// Number of states.
    pub fn states(self) -> usize {
        if self == CellKind::Lstm { 2 } else { 1 }
    }

    /// The name Keras gives the cell object of a layer.
    pub fn cell_name(self) -> &'static str {
        match self {
            CellKind::Simple => "simple_rnn_cell",
            CellKind::Lstm => "lstm_cell",
            CellKind::Gru { .. } => "gru_cell",
        }
    }
}

impl Cell {
    /// Reads the fields of a cell from the configuration of the layer, or of the cell itself.
    ///
    /// # Errors
    /// A missing or wrong field, at its JSON path.
    pub fn read(kind: CellKind, config: &Config<'_>) -> Result<Self> {
        config.inert(&[
            "dropout",
            "recurrent_dropout",
            "dropout_W",
            "dropout_U",
            "unit_forget_bias",
            "forget_bias_init",
        ]);
        let gate = match config.producer().family {
            Family::TensorFlowJs | Family::Keras1 => Activation::HardSigmoidClip,
            _ => Activation::Sigmoid,
        };
        // Keras 1: `output_dim` and `inner_activation`.
        let key = if config.value("inner_activation").is_some() { "inner_activation" } else { "recurrent_activation" };
        Ok(Cell {
            kind,
            units: match config.opt("output_dim")? {
                Some(units) => units,
                None => config.req("units")?,
            },
            use_bias: config.or("use_bias", true)?,
            activation: read_activation(config, "activation", Activation::Tanh)?,
            recurrent_activation: match kind {
                CellKind::Simple => Activation::Linear,
                _ => read_activation(config, key, gate)?,
            },
        })
        .and_then(Cell::checked)
    }

    fn checked(self) -> Result<Self> {
        if self.units == 0 {
            return Err(Error::malformed("expected `units` of at least 1, found 0").at_json("config"));
        }
        Ok(self)
    }

    /// The weights for inputs of this many channels, held by the object at `scope`.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if a shape overflows.
    pub fn weights(&self, channels: usize, scope: &[Scope]) -> Result<Vec<WeightDecl>> {
        let columns = self
            .units
            .checked_mul(self.kind.gates())
            .ok_or_else(|| Error::limit(format!("`units` {} is too large", self.units)))?;
        let mut weights = vec![
            WeightDecl::new("kernel", Shape::new([channels, columns])?),
            WeightDecl::new("recurrent_kernel", Shape::new([self.units, columns])?),
        ];
        if self.use_bias {
            let shape = match self.kind {
                CellKind::Gru { reset_after: true } => Shape::new([2, columns])?,
                _ => Shape::new([columns])?,
            };
            weights.push(WeightDecl::new("bias", shape));
        }
        for weight in &mut weights {
            weight.scope = scope.to_vec();
        }
        Ok(weights)
    }

    /// Number of weights.
    pub fn weight_count(&self) -> usize {
        2 + usize::from(self.use_bias)
    }
}

/// An activation with a default for an absent key. To Keras a null is no activation, not an absent key.
fn read_activation(config: &Config<'_>, key: &str, default: Activation) -> Result<Activation> {
    let null = config.map().get(key).is_some_and(serde_json::Value::is_null);
    let default = if null && !config.producer().is_tfjs() { Activation::Linear } else { default };
    Activation::read(config, key, default)
}

/// The object that holds the cell of a recurrent layer.
pub fn cell_scope(name: &str, attr: &str) -> Scope {
    Scope { name: name.to_string(), attr: attr.to_string(), kind: ScopeKind::Cell }
}
