//! Recurrent cells: one step of `LSTM`, `GRU` and `SimpleRNN`, shared by the layers and the cell classes.
//!
//! Reference: Keras's `keras/src/layers/rnn/{lstm,gru,simple_rnn}.py`.

use crate::activation::Activation;
use crate::config::{Config, camel_case};
use crate::encode::{Encoding, Target};
use crate::layer::{Scope, ScopeKind, WeightDecl};
use crate::lower::LowerCx;
use crate::producer::Family;
use tfjs_ir::Value;
use tfjs_ir::prim::recurrent::{self as prim, Gate, MaskedOutput, Rnn};
use tfjs_manifest::{Error, Result, Shape};

/// A recurrent cell: computes an output and new states from an input and the states.
///
/// Weights: `kernel [in, g u]`, `recurrent_kernel [u, g u]`, `bias [g u]`, with `u` units and `g` gates.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The kind of cell.
    pub kind: CellKind,
    /// The size of the output and of every state.
    pub units: usize,
    /// Whether a bias is added.
    pub use_bias: bool,
    /// The activation of the candidate.
    pub activation: Activation,
    /// The activation of the gates; [`CellKind::Simple`] has none.
    pub recurrent_activation: Activation,
    /// How the weights are stored.
    pub layout: Layout,
}

/// The storage format of a cell's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The format of Keras's own cells.
    Keras,
    /// The format of cuDNN: one kernel and one bias, with the gates one after the other.
    Cudnn,
}

/// The kind of cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    /// `h' = activation(x K + h R + b)`.
    Simple,
    /// Gates `i, f, c, o`: `c' = f c + i activation(..)`, `h' = o activation(c')`. States `[h, c]`.
    Lstm,
    /// Gates `z, r, h`: `h' = z h + (1 - z) activation(..)`.
    Gru {
        /// Whether the reset gate is applied to `h R + b` (two rows of bias) instead of `h` (one).
        reset_after: bool,
    },
}

impl CellKind {
    /// The cell of a layer or cell class; `None` for another class.
    ///
    /// # Errors
    /// A wrong `reset_after`, at its JSON path.
    pub fn of_class(class: &str, config: &Config<'_>) -> Result<Option<Self>> {
        // TensorFlow.js has only the older form, and so did Keras before it wrote the key.
        let reset_after = || config.or("reset_after", config.producer().is_keras3());
        Ok(Some(match class {
            "SimpleRNN" | "SimpleRNNCell" => CellKind::Simple,
            "LSTM" | "LSTMCell" | "CuDNNLSTM" => CellKind::Lstm,
            "GRU" | "GRUCell" => CellKind::Gru { reset_after: reset_after()? },
            "CuDNNGRU" => CellKind::Gru { reset_after: true },
            _ => return Ok(None),
        }))
    }

    /// The number of blocks of `units` columns in a kernel.
    pub fn gates(self) -> usize {
        match self {
            CellKind::Simple => 1,
            CellKind::Lstm => 4,
            CellKind::Gru { .. } => 3,
        }
    }

    /// The corresponding cell of the primitive.
    fn primitive(self) -> prim::Cell {
        match self {
            CellKind::Simple => prim::Cell::Simple,
            CellKind::Lstm => prim::Cell::Lstm,
            CellKind::Gru { reset_after: false } => prim::Cell::Gru,
            CellKind::Gru { reset_after: true } => prim::Cell::GruResetAfter,
        }
    }

    /// The number of states.
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
    pub fn read(kind: CellKind, class: &str, config: &Config<'_>) -> Result<Self> {
        let units = config.req("units")?;
        if class.starts_with("CuDNN") {
            config.inert(INERT);
            let (activation, recurrent_activation) = (Activation::TANH, Activation::SIGMOID);
            let layout = Layout::Cudnn;
            return Cell { kind, units, use_bias: true, activation, recurrent_activation, layout }.checked("units");
        }
        let gate = match config.producer().family {
            Family::TensorFlowJs | Family::Keras1 => Activation::HARD_SIGMOID,
            _ => Activation::SIGMOID,
        };
        Cell::read_sized(kind, units, gate, config)?.checked("units")
    }

    /// Reads the cell of a ConvLSTM: an LSTM whose products are convolutions, with `filters` for units.
    ///
    /// # Errors
    /// A missing or wrong field, at its JSON path.
    pub(super) fn read_conv(config: &Config<'_>) -> Result<Self> {
        let gate = if config.producer().is_keras3() { Activation::SIGMOID } else { Activation::HARD_SIGMOID };
        Cell::read_sized(CellKind::Lstm, config.req("filters")?, gate, config)?.checked("filters")
    }

    fn read_sized(kind: CellKind, units: usize, gate: Activation, config: &Config<'_>) -> Result<Self> {
        config.inert(INERT);
        Ok(Cell {
            kind,
            units,
            use_bias: config.or("use_bias", true)?,
            activation: read_activation(kind, config, "activation", Activation::TANH)?,
            recurrent_activation: match kind {
                CellKind::Simple => Activation::Linear,
                _ => read_activation(kind, config, "recurrent_activation", gate)?,
            },
            layout: Layout::Keras,
        })
    }

    /// Writes the keys of the cell, in its own configuration or the layer's. Absent keys whose default differs are
    /// written explicitly.
    pub(super) fn encode(&self, target: Target, out: &mut Encoding<'_>) {
        let Target::TensorFlowJs = target;
        if self.layout == Layout::Cudnn {
            return;
        }
        out.set_default("activation", serde_json::Value::Null);
        out.activation("activation", self.activation);
        if self.kind != CellKind::Simple {
            out.set_default("recurrent_activation", serde_json::Value::Null);
            out.activation("recurrent_activation", self.recurrent_activation);
        }
        if let CellKind::Gru { reset_after } = self.kind {
            out.set_default("reset_after", reset_after);
            if reset_after {
                out.warn("TensorFlow.js has no GRU with `reset_after`");
            }
        }
    }

    fn checked(self, key: &str) -> Result<Self> {
        if self.units == 0 {
            return Err(Error::malformed(format!("expected `{key}` of at least 1, found 0")).at_json("config"));
        }
        Ok(self)
    }

    /// The weights for inputs with this many channels, held by the object at `scope`. `window` are the window sizes
    /// of a ConvLSTM cell, which come first in its kernels' shapes.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if a shape overflows.
    pub fn weights(&self, window: &[usize], channels: usize, scope: &[Scope]) -> Result<Vec<WeightDecl>> {
        let too_large = || Error::limit(format!("`units` {} is too large", self.units));
        let columns = self.units.checked_mul(self.kind.gates()).ok_or_else(too_large)?;
        let kernel = |rows: usize| Shape::new([window, &[rows, columns]].concat());
        let mut weights = vec![
            WeightDecl::new("kernel", kernel(channels)?),
            WeightDecl::new("recurrent_kernel", kernel(self.units)?),
        ];
        if self.use_bias {
            let shape = match (self.layout, self.kind) {
                (Layout::Cudnn, _) => Shape::new([columns.checked_mul(2).ok_or_else(too_large)?])?,
                (Layout::Keras, CellKind::Gru { reset_after: true }) => Shape::new([2, columns])?,
                _ => Shape::new([columns])?,
            };
            weights.push(WeightDecl::new("bias", shape));
        }
        for weight in &mut weights {
            weight.scope = scope.to_vec();
        }
        Ok(weights)
    }
}

/// The weights of a cell.
#[derive(Clone, Copy, Debug)]
pub struct CellWeights {
    pub(super) kernel: Value,
    pub(super) recurrent_kernel: Value,
    pub(super) bias: Option<Value>,
}

/// The inputs of running a cell over a sequence.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// The inputs, `[batch, time, in]`.
    pub inputs: Value,
    /// The initial states, `[batch, units]`.
    pub states: Vec<Value>,
    /// The unmasked steps, `[batch, time]`.
    pub mask: Option<Value>,
    /// Whether the last step runs first.
    pub backwards: bool,
    /// The output of a masked step.
    pub masked_output: MaskedOutput,
}

/// The results of running a cell over a sequence.
#[derive(Clone, Debug)]
pub struct Stepped {
    /// The output of each step, in the order of the steps: `[batch, time, units]`.
    pub outputs: Value,
    /// The output of the last step, `[batch, units]`.
    pub last: Value,
    /// The final states, `[batch, units]`.
    pub states: Vec<Value>,
}

impl Cell {
    /// Declares the weights of the cell, in Keras's order; see [`weights`](Cell::weights).
    ///
    /// # Errors
    /// As [`LowerCx::weight`].
    pub fn take_weights(
        &self,
        cx: &mut LowerCx<'_>,
        window: &[usize],
        channels: usize,
        scope: &[Scope],
    ) -> Result<CellWeights> {
        let mut values = Vec::new();
        for decl in self.weights(window, channels, scope)? {
            values.push(cx.weight(decl)?);
        }
        let weights = match values[..] {
            [kernel, recurrent_kernel] => CellWeights { kernel, recurrent_kernel, bias: None },
            [kernel, recurrent_kernel, bias] => CellWeights { kernel, recurrent_kernel, bias: Some(bias) },
            _ => return Err(Error::bug(format!("a cell with {} weights", values.len()))),
        };
        match self.layout {
            Layout::Keras => Ok(weights),
            Layout::Cudnn => super::cudnn::to_keras(cx, self, weights),
        }
    }

    /// Runs the cell over a sequence: as one primitive, or as a loop if an activation is not elementwise.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for an activation that the loop does not support either.
    pub fn step_over(&self, cx: &mut LowerCx<'_>, weights: CellWeights, over: &Sequence) -> Result<Stepped> {
        let (Some(activation), Some(recurrent_activation)) = (gate(self.activation), gate(self.recurrent_activation))
        else {
            return super::stepped::step_over(cx, self, weights, over);
        };
        let rnn = Rnn {
            cell: self.kind.primitive(),
            activation,
            recurrent_activation,
            backwards: over.backwards,
            bias: weights.bias.is_some(),
            mask: over.mask.is_some(),
            masked_output: over.masked_output,
        };
        let mut operands = vec![over.inputs, weights.kernel, weights.recurrent_kernel];
        operands.extend(weights.bias);
        operands.extend(&over.states);
        operands.extend(over.mask);
        let mut results = cx.push(rnn, &operands)?.into_iter();
        match (results.next(), results.next()) {
            (Some(outputs), Some(last)) => Ok(Stepped { outputs, last, states: results.collect() }),
            _ => Err(Error::bug("a recurrence without outputs")),
        }
    }
}

/// Keys that inference does not need.
const INERT: &[&str] = &["dropout", "recurrent_dropout", "unit_forget_bias"];

/// The activation as an elementwise function; `None` if it is not one.
fn gate(activation: Activation) -> Option<Gate> {
    match activation {
        Activation::Linear => Some(Gate(None)),
        other => other.function().map(|function| Gate(Some(function))),
    }
}

/// An activation with a default for an absent key. Null is not an absent key but means no activation, except in
/// TensorFlow.js's `SimpleRNN`.
fn read_activation(kind: CellKind, config: &Config<'_>, key: &str, default: Activation) -> Result<Activation> {
    let written = config.map().get(key).or_else(|| config.map().get(&camel_case(key)));
    let null = written.is_some_and(serde_json::Value::is_null);
    let absent = config.producer().is_tfjs() && kind == CellKind::Simple;
    let default = if null && !absent { Activation::Linear } else { default };
    Activation::read(config, key, default)
}

/// The object that holds the cell of a recurrent layer.
pub(crate) fn cell_scope(name: &str, attr: &str) -> Scope {
    Scope { name: name.to_string(), attr: attr.to_string(), kind: ScopeKind::Cell }
}
