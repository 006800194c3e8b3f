//! Runs one step of `LSTM`, `GRU` and `SimpleRNN`.

use crate::activation::activate;
use crate::run::{OrBug, RunCx};
use candle_core::{D, Tensor};
use tfjs_manifest::{Error, Result};
use tfjs_topology::layers::rnn::cell::{Cell, CellKind};

/// One recurrence with its weights, able to step.
pub trait Step {
    /// What depends on the inputs only, for any number of leading axes: `[.., in]` gives `[.., g u]`. Computed
    /// for a whole sequence at once.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) if candle refuses.
    fn project(&self, inputs: &Tensor) -> Result<Tensor>;

    /// One step: the projected inputs `[batch, g u]` and the states give the new states, the first of which is
    /// the output.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) if candle refuses.
    fn step(&self, projected: &Tensor, states: &[Tensor]) -> Result<Vec<Tensor>>;
}

/// A cell with its weights.
#[derive(Debug)]
pub struct Weighted<'a> {
    cell: &'a Cell,
    kernel: &'a Tensor,
    recurrent_kernel: &'a Tensor,
    input_bias: Option<Tensor>,
    /// The second row of the bias of a `reset_after` GRU.
    recurrent_bias: Option<Tensor>,
}

impl<'a> Weighted<'a> {
    /// The cell whose weights start at `first` among those of its layer.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for missing weights.
    pub fn new(cell: &'a Cell, cx: &RunCx<'a>, first: usize) -> Result<Self> {
        let bias = if cell.use_bias { Some(cx.weight(first + 2)?) } else { None };
        let (input_bias, recurrent_bias) = match (bias, cell.kind) {
            (Some(bias), CellKind::Gru { reset_after: true }) => {
                (Some(bias.get(0).or_bug()?), Some(bias.get(1).or_bug()?))
            }
            (bias, _) => (bias.cloned(), None),
        };
        Ok(Weighted {
            cell,
            kernel: cx.weight(first)?,
            recurrent_kernel: cx.weight(first + 1)?,
            input_bias,
            recurrent_bias,
        })
    }

    /// `h R`, plus the recurrent bias if there is one.
    fn recur(&self, h: &Tensor) -> Result<Tensor> {
        let out = h.matmul(self.recurrent_kernel).or_bug()?;
        match &self.recurrent_bias {
            Some(bias) => out.broadcast_add(bias).or_bug(),
            None => Ok(out),
        }
    }

    /// Block `index` of `units` columns.
    fn block(&self, x: &Tensor, index: usize) -> Result<Tensor> {
        x.narrow(D::Minus1, index * self.cell.units, self.cell.units).or_bug()
    }

    fn gate(&self, x: &Tensor) -> Result<Tensor> {
        activate(self.cell.recurrent_activation, x)
    }

    fn act(&self, x: &Tensor) -> Result<Tensor> {
        activate(self.cell.activation, x)
    }

    fn simple(&self, x: &Tensor, h: &Tensor) -> Result<Tensor> {
        self.act(&(x + self.recur(h)?).or_bug()?)
    }

    fn lstm(&self, x: &Tensor, h: &Tensor, c: &Tensor) -> Result<[Tensor; 2]> {
        let z = (x + self.recur(h)?).or_bug()?;
        let (i, f) = (self.gate(&self.block(&z, 0)?)?, self.gate(&self.block(&z, 1)?)?);
        let (candidate, o) = (self.act(&self.block(&z, 2)?)?, self.gate(&self.block(&z, 3)?)?);
        let c = ((f * c).or_bug()? + (i * candidate).or_bug()?).or_bug()?;
        let h = (o * self.act(&c)?).or_bug()?;
        Ok([h, c])
    }

    /// The reset gate acts on `h R + b`.
    fn gru_reset_after(&self, x: &Tensor, h: &Tensor) -> Result<Tensor> {
        let inner = self.recur(h)?;
        let sum = |i| (self.block(x, i)? + self.block(&inner, i)?).or_bug();
        let (z, r) = (self.gate(&sum(0)?)?, self.gate(&sum(1)?)?);
        let reset = (r * self.block(&inner, 2)?).or_bug()?;
        let candidate = self.act(&(self.block(x, 2)? + reset).or_bug()?)?;
        blend(&z, h, &candidate)
    }

    /// The reset gate acts on `h`.
    fn gru_reset_before(&self, x: &Tensor, h: &Tensor) -> Result<Tensor> {
        let units = self.cell.units;
        let columns = |start, len| self.recurrent_kernel.narrow(1, start, len).or_bug()?.contiguous().or_bug();
        let inner = h.matmul(&columns(0, 2 * units)?).or_bug()?;
        let sum = |i| (self.block(x, i)? + self.block(&inner, i)?).or_bug();
        let (z, r) = (self.gate(&sum(0)?)?, self.gate(&sum(1)?)?);
        let reset = (r * h).or_bug()?.matmul(&columns(2 * units, units)?).or_bug()?;
        let candidate = self.act(&(self.block(x, 2)? + reset).or_bug()?)?;
        blend(&z, h, &candidate)
    }
}

/// `z h + (1 - z) candidate`
fn blend(z: &Tensor, h: &Tensor, candidate: &Tensor) -> Result<Tensor> {
    let keep = (z * h).or_bug()?;
    let fresh = (z.affine(-1.0, 1.0).or_bug()? * candidate).or_bug()?;
    (keep + fresh).or_bug()
}

impl Step for Weighted<'_> {
    fn project(&self, inputs: &Tensor) -> Result<Tensor> {
        let mut dims = inputs.dims().to_vec();
        let channels = dims.pop().ok_or_else(|| Error::bug("a cell's input without an axis"))?;
        let rows = inputs.reshape(((), channels)).or_bug()?;
        dims.push(self.kernel.dim(1).or_bug()?);
        let out = rows.matmul(self.kernel).or_bug()?.reshape(dims).or_bug()?;
        match &self.input_bias {
            Some(bias) => out.broadcast_add(bias).or_bug(),
            None => Ok(out),
        }
    }

    fn step(&self, x: &Tensor, states: &[Tensor]) -> Result<Vec<Tensor>> {
        match (self.cell.kind, states) {
            (CellKind::Simple, [h]) => Ok(vec![self.simple(x, h)?]),
            (CellKind::Lstm, [h, c]) => Ok(self.lstm(x, h, c)?.into()),
            (CellKind::Gru { reset_after: true }, [h]) => Ok(vec![self.gru_reset_after(x, h)?]),
            (CellKind::Gru { reset_after: false }, [h]) => Ok(vec![self.gru_reset_before(x, h)?]),
            (kind, states) => Err(Error::bug(format!("{kind:?} with {} states", states.len()))),
        }
    }
}
