//! Window arithmetic of convolutions and pools: the one home of `same` and `valid`.
//!
//! Formulas: `tf.nn.convolution`'s notes on padding, and Keras's `deconv_output_length`.

use crate::types::Dim;
use tfjs_manifest::{Error, Result};

/// How a window treats the borders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Padding {
    /// The window stays inside.
    Valid,
    /// As many zeros that the output has `ceil(input / stride)` elements; the odd one goes after.
    Same,
    /// One axis only: all zeros before, so that an output sees no later input.
    Causal,
}

/// A window along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Elements of the window.
    pub size: usize,
    /// Step from one output to the next.
    pub stride: usize,
    /// Distance between the window's elements.
    pub dilation: usize,
    /// What happens at the borders.
    pub padding: Padding,
}

/// Zeros before and after an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pads {
    /// Zeros before.
    pub before: usize,
    /// Zeros after.
    pub after: usize,
}

impl Window {
    /// A window that can be laid out at all.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if a field is zero or the extent overflows.
    pub fn new(size: usize, stride: usize, dilation: usize, padding: Padding) -> Result<Self> {
        for (what, n) in [("window size", size), ("stride", stride), ("dilation", dilation)] {
            if n == 0 {
                return Err(Error::malformed(format!("{what} must be at least 1, found 0")));
            }
        }
        let extent = (size - 1).checked_mul(dilation).filter(|&e| e < isize::MAX as usize);
        match extent {
            Some(_) => Ok(Window { size, stride, dilation, padding }),
            None => Err(Error::malformed(format!("a window of {size} with dilation {dilation} is too large"))),
        }
    }

    /// Elements from the window's first to its last, both counted.
    pub fn extent(&self) -> usize {
        (self.size - 1) * self.dilation + 1
    }

    /// The zeros around an axis of `input` elements.
    pub fn pads(&self, input: usize) -> Pads {
        match self.padding {
            Padding::Valid => Pads::default(),
            Padding::Causal => Pads { before: self.extent() - 1, after: 0 },
            Padding::Same => {
                let outputs = input.div_ceil(self.stride);
                // `outputs` windows reach this far; saturating, because an empty axis has none.
                let reach = outputs.saturating_sub(1).saturating_mul(self.stride).saturating_add(self.extent());
                let total = if outputs == 0 { 0 } else { reach.saturating_sub(input) };
                Pads { before: total / 2, after: total - total / 2 }
            }
        }
    }

    /// Outputs along an axis of `input` elements.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if the window is larger than the (padded) input.
    pub fn output(&self, input: Dim) -> Result<Dim> {
        let Some(input) = input else { return Ok(None) };
        match self.padding {
            Padding::Same | Padding::Causal => Ok(Some(input.div_ceil(self.stride))),
            Padding::Valid if input < self.extent() => Err(Error::malformed(format!(
                "a window of {} does not fit an axis of {input} with padding `valid`",
                self.extent()
            ))),
            Padding::Valid => Ok(Some((input - self.extent()) / self.stride + 1)),
        }
    }
}

impl From<Window> for tfjs_ir::window::Window {
    fn from(window: Window) -> Self {
        let Window { size, stride, dilation, padding } = window;
        let padding = match padding {
            Padding::Valid => tfjs_ir::window::Padding::Valid,
            Padding::Same => tfjs_ir::window::Padding::Same,
            Padding::Causal => tfjs_ir::window::Padding::Causal,
        };
        tfjs_ir::window::Window { size, stride, dilation, padding }
    }
}

/// Outputs of a transposed convolution along one axis, as Keras computes them.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if the output would be empty or overflow.
pub fn transposed_output(window: &Window, input: Dim, output_padding: Option<usize>) -> Result<Dim> {
    let Some(input) = input else { return Ok(None) };
    let (extent, stride) = (window.extent(), window.stride);
    let length = match output_padding {
        None => input.checked_mul(stride).and_then(|n| match window.padding {
            Padding::Valid => n.checked_add(extent.saturating_sub(stride)),
            Padding::Same | Padding::Causal => Some(n),
        }),
        Some(more) => {
            let pad = if window.padding == Padding::Same { extent / 2 } else { 0 };
            input
                .checked_sub(1)
                .and_then(|n| n.checked_mul(stride))
                .and_then(|n| n.checked_add(extent))
                .and_then(|n| n.checked_sub(2 * pad))
                .and_then(|n| n.checked_add(more))
        }
    };
    match length {
        Some(n) if n < isize::MAX as usize => Ok(Some(n)),
        _ => Err(Error::malformed(format!("a transposed window of {extent} over an axis of {input} has no output"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(window: (usize, usize, usize, Padding), input: usize, output: usize, before: usize, after: usize) {
        let window = Window::new(window.0, window.1, window.2, window.3).unwrap();
        assert_eq!(window.output(Some(input)).unwrap(), Some(output));
        assert_eq!(window.pads(input), Pads { before, after });
    }

    #[test]
    fn same_puts_the_odd_zero_after() {
        check((3, 2, 1, Padding::Same), 224, 112, 0, 1);
        check((3, 1, 1, Padding::Same), 5, 5, 1, 1);
        check((2, 1, 1, Padding::Same), 5, 5, 0, 1);
        check((3, 1, 2, Padding::Same), 5, 5, 2, 2);
        check((1, 2, 1, Padding::Same), 5, 3, 0, 0);
        check((3, 1, 1, Padding::Same), 0, 0, 0, 0);
    }

    #[test]
    fn valid_and_causal() {
        check((3, 2, 1, Padding::Valid), 7, 3, 0, 0);
        check((3, 1, 2, Padding::Causal), 7, 7, 4, 0);
    }

    #[test]
    fn windows_that_cannot_be() {
        assert!(Window::new(3, 0, 1, Padding::Same).is_err());
        assert!(Window::new(usize::MAX, 1, 2, Padding::Same).is_err());
        let window = Window::new(5, 1, 1, Padding::Valid).unwrap();
        assert!(window.output(Some(4)).unwrap_err().to_string().contains("does not fit"));
        assert_eq!(window.output(None).unwrap(), None);
    }
}
