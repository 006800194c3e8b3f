//! Operations fused into the write of a sum: batch normalization or bias, residual, activation.

use crate::Activation;
use crate::error::{Result, check_len};

/// `out = activation(sum * scale[c] + shift[c] + residual)`, each part optional, `c` the output channel.
///
/// A folded batch normalization is a scale and a shift here, so the packed weights keep the values of the
/// model file. With a batch normalization after a bias, `shift = bias * scale + beta - mean * scale`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Epilogue<'a> {
    /// A factor for each output channel.
    pub scale: Option<&'a [f32]>,
    /// An addend for each output channel.
    pub shift: Option<&'a [f32]>,
    /// An addend for each output, in the layout of the output.
    pub residual: Option<&'a [f32]>,
    /// The activation, applied last.
    pub activation: Activation,
}

impl<'a> Epilogue<'a> {
    pub(crate) fn check(&self, channels: usize, out_len: usize) -> Result<()> {
        let Epilogue { scale, shift, residual, activation: _ } = self;
        if let Some(scale) = scale {
            check_len("scale", channels, scale.len())?;
        }
        if let Some(shift) = shift {
            check_len("shift", channels, shift.len())?;
        }
        if let Some(residual) = residual {
            check_len("residual", out_len, residual.len())?;
        }
        Ok(())
    }

    /// The part done in registers, and the activation that remains for a pass over the rows just written.
    pub(crate) fn split(&self) -> (Finish, Activation) {
        let Epilogue { scale, shift, residual, activation } = *self;
        let (low, high, rest) = match activation.as_clamp() {
            Some((low, high)) => (low, high, Activation::Linear),
            None => (f32::NEG_INFINITY, f32::INFINITY, activation),
        };
        let start = |slice: Option<&[f32]>| slice.map(<[f32]>::as_ptr);
        let finish = Finish { scale: start(scale), shift: start(shift), residual: start(residual), low, high };
        (finish, rest)
    }
}

/// The part of an [`Epilogue`] that is done in registers. The pointers are those of its slices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finish {
    pub(crate) scale: Option<*const f32>,
    pub(crate) shift: Option<*const f32>,
    pub(crate) residual: Option<*const f32>,
    pub(crate) low: f32,
    pub(crate) high: f32,
}

impl Finish {
    /// The same for a tile whose first column is `column` and whose first output is at `at`.
    ///
    /// # Safety
    /// `column` is one of the channels, and `at` an index of the output, whose layout the residual has.
    pub(crate) unsafe fn at(self, column: usize, at: usize) -> Finish {
        Finish {
            // SAFETY: the slices have one value for each channel, and `column` is one.
            scale: self.scale.map(|p| unsafe { p.add(column) }),
            // SAFETY: as above.
            shift: self.shift.map(|p| unsafe { p.add(column) }),
            // SAFETY: the residual has the length of the output, and `at` is in it.
            residual: self.residual.map(|p| unsafe { p.add(at) }),
            ..self
        }
    }
}

// SAFETY: the pointers come from shared slices and are only read.
unsafe impl Send for Finish {}
// SAFETY: as above.
unsafe impl Sync for Finish {}
