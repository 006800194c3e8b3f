//! Window arithmetic of convolutions and pools. The padding modes `same` and `valid` are computed only here.
//!
//! Formulas: `tf.nn.convolution`'s notes on padding, and Keras's `deconv_output_length`. Each has a version for known
//! lengths and one for a [`Dim`]; both agree once the symbols are known.

use crate::dim::{Dim, Dims};
use std::fmt;
use std::str::FromStr;
use tfjs_manifest::{Error, Result};

/// How a window treats the borders. The four cases are complete: engines match on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Padding {
    /// No padding.
    Valid,
    /// Zeros so that the output has `ceil(input / stride)` elements; if their number is odd, the extra one goes after.
    Same,
    /// All zeros before the input, so that an output reads no later input. One spatial axis only.
    Causal,
    /// A fixed number of zeros, whatever the input.
    Exact {
        /// Zeros before.
        before: usize,
        /// Zeros after.
        after: usize,
    },
}

impl Padding {
    /// Half a window on both sides, whatever the stride: Theano's `half`, of which Keras keeps as many outputs as `same`
    /// has. Zeros after the axis that no output reads then are left out.
    ///
    /// Reference: `_postprocess_conv2d_output` in Keras's `theano_backend.py`.
    pub fn half(extent: usize) -> Self {
        Padding::Exact { before: extent / 2, after: extent.saturating_sub(1) / 2 }
    }

    /// As [`half`](Padding::half), as Keras's pools have it on Theano. Reference: `pool2d` there.
    pub fn half_of_pool(size: usize) -> Self {
        let before = if size > 2 && size % 2 == 1 { size - 2 } else { size.saturating_sub(1) };
        Padding::Exact { before, after: size.saturating_sub(1) - before }
    }
}

/// A window along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Elements of the window.
    pub size: usize,
    /// Step from one window to the next.
    pub stride: usize,
    /// Distance between the window's elements.
    pub dilation: usize,
    /// How the borders are padded.
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
    /// A valid window.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if a field is zero, or if the extent or the padding
    /// overflows.
    pub fn new(size: usize, stride: usize, dilation: usize, padding: Padding) -> Result<Self> {
        for (what, n) in [("window size", size), ("stride", stride), ("dilation", dilation)] {
            if n == 0 {
                return Err(Error::malformed(format!("{what} must be at least 1, found 0")));
            }
        }
        if let Padding::Exact { before, after } = padding
            && before.checked_add(after).is_none_or(|total| total >= isize::MAX as usize)
        {
            return Err(Error::malformed(format!("a padding of {before} and {after} is too large")));
        }
        let extent = (size - 1).checked_mul(dilation).filter(|&e| e < isize::MAX as usize);
        match extent {
            Some(_) => Ok(Window { size, stride, dilation, padding }),
            None => Err(Error::malformed(format!("a window of {size} with dilation {dilation} is too large"))),
        }
    }

    /// The number of elements from the window's first to its last, both included.
    pub fn extent(&self) -> usize {
        (self.size - 1) * self.dilation + 1
    }

    /// The zeros around an axis of `input` elements.
    pub fn pads(&self, input: usize) -> Pads {
        match self.padding {
            Padding::Valid => Pads::default(),
            Padding::Causal => Pads { before: self.extent() - 1, after: 0 },
            Padding::Exact { before, after } => Pads { before, after },
            Padding::Same => {
                let outputs = input.div_ceil(self.stride);
                // The windows cover this many elements; saturating, because an empty axis has no windows.
                let reach = outputs.saturating_sub(1).saturating_mul(self.stride).saturating_add(self.extent());
                let total = if outputs == 0 { 0 } else { reach.saturating_sub(input) };
                Pads { before: total / 2, after: total - total / 2 }
            }
        }
    }

    /// The number of windows over an axis of `input` elements.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if the window is larger than the (padded) input.
    pub fn output(&self, input: usize) -> Result<usize> {
        let Some(zeros) = self.fixed_zeros() else { return Ok(input.div_ceil(self.stride)) };
        if input < self.least_input(zeros) {
            return Err(Error::malformed(format!(
                "a window of {} does not fit an axis of {input} with padding `{}`",
                self.extent(),
                self.padding
            )));
        }
        // `input + zeros` may overflow where `input + zeros - extent` does not.
        let outputs = match zeros.checked_sub(self.extent()) {
            Some(more) => input.checked_add(more).map(|span| span / self.stride),
            None => Some((input - (self.extent() - zeros)) / self.stride),
        };
        outputs.and_then(|n| n.checked_add(1)).ok_or_else(|| {
            Error::malformed(format!("a window of {} over an axis of {input} has too many outputs", self.extent()))
        })
    }

    /// The number of windows over an axis whose length may be unknown.
    ///
    /// The second result is the least input length that the window fits, unless the input is known to be that long. The
    /// caller must record it as a guard: for a shorter input the result is meaningless.
    ///
    /// # Errors
    /// - as [`output`](Window::output) if the input is a number;
    /// - [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the expression is too large.
    pub fn output_dim(&self, dims: &mut Dims, input: Dim) -> Result<(Dim, Option<Dim>)> {
        if let Some(n) = known_length(dims, input)? {
            let outputs = self.output(n)?;
            return Ok((number(dims, outputs), None));
        }
        let stride = self.stride as u64;
        let Some(zeros) = self.fixed_zeros() else { return Ok((dims.div_ceil(input, stride)?, None)) };
        let (zeros_dim, extent) = (number(dims, zeros), number(dims, self.extent()));
        let padded = dims.add(input, zeros_dim)?;
        let last = dims.sub(padded, extent)?;
        let steps = dims.div_floor(last, stride)?;
        let outputs = dims.add(steps, Dim::ONE)?;
        Ok((outputs, guard(dims, input, self.least_input(zeros))))
    }

    /// The zeros before and after an axis whose length may be unknown. For an empty axis there may be more than
    /// [`pads`](Window::pads) returns; no window reads them.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the expression is too large.
    pub fn pads_dim(&self, dims: &mut Dims, input: Dim) -> Result<(Dim, Dim)> {
        if let (Padding::Same, None) = (self.padding, dims.known(input)) {
            let (stride, more) = (number(dims, self.stride), number(dims, self.extent() - 1));
            let outputs = dims.div_ceil(input, self.stride as u64)?;
            // The last window ends at `(outputs - 1) * stride + extent`; `extent - stride` may be negative.
            let spread = dims.mul(outputs, stride)?;
            let end = dims.add(spread, more)?;
            let end = dims.add(end, Dim::ONE)?;
            let end = dims.sub(end, stride)?;
            let missing = dims.sub(end, input)?;
            let total = dims.max(missing, Dim::ZERO)?;
            let before = dims.div_floor(total, 2)?;
            return Ok((before, dims.sub(total, before)?));
        }
        // Only `same` padding depends on the length of the axis.
        let Pads { before, after } = self.pads(known_length(dims, input)?.unwrap_or(0));
        Ok((number(dims, before), number(dims, after)))
    }

    /// The output length of a transposed convolution along one axis, as Keras computes it.
    ///
    /// Without `output_padding`, `valid` and `same` give the lengths that Keras chooses. [`Padding::Exact`] crops, like
    /// the transpose of a padded convolution.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if the output would be empty or overflow.
    pub fn transposed_output(&self, input: usize, output_padding: Option<usize>) -> Result<usize> {
        let length = match self.transposed(output_padding) {
            Transposed::Scaled { more } => input.checked_mul(self.stride).and_then(|n| n.checked_add(more)),
            Transposed::Spread { crop, more } => input
                .checked_sub(1)
                .and_then(|n| n.checked_mul(self.stride))
                .and_then(|n| n.checked_add(self.extent()))
                .and_then(|n| n.checked_sub(crop))
                .and_then(|n| n.checked_add(more)),
        };
        length.filter(|&n| n < isize::MAX as usize).ok_or_else(|| {
            let extent = self.extent();
            Error::malformed(format!("a transposed window of {extent} over an axis of {input} has no output"))
        })
    }

    /// The output length of a transposed convolution along an axis whose length may be unknown. The second result is
    /// the least input length that has an output, as in [`output_dim`](Window::output_dim).
    ///
    /// # Errors
    /// - as [`transposed_output`](Window::transposed_output) if the input is a number;
    /// - [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the expression is too large.
    pub fn transposed_output_dim(
        &self,
        dims: &mut Dims,
        input: Dim,
        output_padding: Option<usize>,
    ) -> Result<(Dim, Option<Dim>)> {
        if let Some(n) = known_length(dims, input)? {
            let outputs = self.transposed_output(n, output_padding)?;
            return Ok((number(dims, outputs), None));
        }
        let stride = number(dims, self.stride);
        match self.transposed(output_padding) {
            Transposed::Scaled { more } => {
                let more = number(dims, more);
                let scaled = dims.mul(input, stride)?;
                Ok((dims.add(scaled, more)?, None))
            }
            Transposed::Spread { crop, more } => {
                let least = crop.saturating_sub(self.extent()).div_ceil(self.stride).saturating_add(1);
                let [crop, more, extent] = [crop, more, self.extent()].map(|n| number(dims, n));
                let steps = dims.sub(input, Dim::ONE)?;
                let spread = dims.mul(steps, stride)?;
                let full = dims.add(spread, extent)?;
                let cropped = dims.sub(full, crop)?;
                Ok((dims.add(cropped, more)?, guard(dims, input, least)))
            }
        }
    }

    /// The number of zeros around the axis, if it does not depend on the input length.
    fn fixed_zeros(&self) -> Option<usize> {
        match self.padding {
            Padding::Valid => Some(0),
            Padding::Exact { before, after } => Some(before.saturating_add(after)),
            Padding::Same | Padding::Causal => None,
        }
    }

    fn least_input(&self, zeros: usize) -> usize {
        self.extent().saturating_sub(zeros)
    }

    fn transposed(&self, output_padding: Option<usize>) -> Transposed {
        let exact = match self.padding {
            Padding::Exact { before, after } => Some(before.saturating_add(after)),
            _ => None,
        };
        match (self.padding, output_padding) {
            (Padding::Valid, None) => Transposed::Scaled { more: self.extent().saturating_sub(self.stride) },
            (Padding::Same | Padding::Causal, None) => Transposed::Scaled { more: 0 },
            (Padding::Same, Some(more)) => Transposed::Spread { crop: 2 * (self.extent() / 2), more },
            (_, more) => Transposed::Spread { crop: exact.unwrap_or(0), more: more.unwrap_or(0) },
        }
    }
}

/// The formula of a transposed convolution's output length.
enum Transposed {
    /// `input * stride + more`.
    Scaled { more: usize },
    /// `(input - 1) * stride + extent - crop + more`.
    Spread { crop: usize, more: usize },
}

fn number(dims: &mut Dims, n: usize) -> Dim {
    dims.number(n as u64)
}

/// The length of an axis, if it is known.
fn known_length(dims: &Dims, d: Dim) -> Result<Option<usize>> {
    let length = dims.known(d).map(usize::try_from).transpose();
    length.map_err(|_| Error::limit(format!("an axis of {} is too large", dims.display(d))))
}

/// The least length as a dimension, unless the axis is certainly that long.
fn guard(dims: &mut Dims, input: Dim, least: usize) -> Option<Dim> {
    (dims.at_least(input) < least as u64).then(|| number(dims, least))
}

impl fmt::Display for Padding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Padding::Valid => f.write_str("valid"),
            Padding::Same => f.write_str("same"),
            Padding::Causal => f.write_str("causal"),
            Padding::Exact { before, after } => write!(f, "{before},{after}"),
        }
    }
}

/// Size, stride, dilation and padding: `3:valid`, `3/2:same`, `5/1*2:causal`, `3/2:1,0`.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Window { size, stride, dilation, padding } = self;
        write!(f, "{size}")?;
        if (*stride, *dilation) != (1, 1) {
            write!(f, "/{stride}")?;
        }
        if *dilation != 1 {
            write!(f, "*{dilation}")?;
        }
        write!(f, ":{padding}")
    }
}

/// Parses the text that `Display` writes.
impl FromStr for Window {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (size, stride, dilation, padding) = split(text).ok_or_else(|| {
            Error::malformed(format!("expected a window such as `3/2:same` or `5/1*2:1,0`, found `{text}`"))
        })?;
        Window::new(size, stride, dilation, padding)
    }
}

/// The parts of `size[/stride][*dilation]:padding`.
fn split(text: &str) -> Option<(usize, usize, usize, Padding)> {
    let (rest, padding) = text.split_once(':')?;
    let (rest, dilation) = rest.split_once('*').map_or((rest, Some(1)), |(rest, n)| (rest, parse_number(n)));
    let (size, stride) = rest.split_once('/').map_or((rest, Some(1)), |(size, n)| (size, parse_number(n)));
    let padding = match padding {
        "valid" => Padding::Valid,
        "same" => Padding::Same,
        "causal" => Padding::Causal,
        _ => {
            let (before, after) = padding.split_once(',')?;
            Padding::Exact { before: parse_number(before)?, after: parse_number(after)? }
        }
    };
    Some((parse_number(size)?, stride?, dilation?, padding))
}

/// Digits only: `usize::from_str` would accept a `+`.
fn parse_number(text: &str) -> Option<usize> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[track_caller]
    fn check(window: &str, input: usize, output: usize, before: usize, after: usize) {
        let window: Window = window.parse().unwrap();
        assert_eq!(window.output(input).unwrap(), output);
        assert_eq!(window.pads(input), Pads { before, after });
    }

    #[test]
    fn same_puts_the_odd_zero_after() {
        check("3/2:same", 224, 112, 0, 1);
        check("3:same", 5, 5, 1, 1);
        check("2:same", 5, 5, 0, 1);
        check("3/1*2:same", 5, 5, 2, 2);
        check("1/2:same", 5, 3, 0, 0);
        check("3:same", 0, 0, 0, 0);
    }

    #[test]
    fn half_a_window_has_the_outputs_of_same() {
        for size in 1..6 {
            for stride in 1..4 {
                for padding in [Padding::half(size), Padding::half_of_pool(size)] {
                    let half = Window::new(size, stride, 1, padding).unwrap();
                    let same = Window::new(size, stride, 1, Padding::Same).unwrap();
                    assert!((1..9).all(|n| half.output(n).unwrap() == same.output(n).unwrap()), "{size}/{stride}");
                }
            }
        }
        assert_eq!(Padding::half(3), Padding::Exact { before: 1, after: 1 });
        assert_eq!(Padding::half(4), Padding::Exact { before: 2, after: 1 });
        assert_eq!(Padding::half_of_pool(5), Padding::Exact { before: 3, after: 1 });
    }

    #[test]
    fn valid_causal_and_exact() {
        check("3/2:valid", 7, 3, 0, 0);
        check("3/1*2:causal", 7, 7, 4, 0);
        check("3/2:1,0", 6, 3, 1, 0);
        check("7/2:3,3", 224, 112, 3, 3);
        check("1:2,1", 0, 3, 2, 1);
    }

    #[test]
    fn windows_that_cannot_be() {
        assert!(Window::new(3, 0, 1, Padding::Same).is_err());
        assert!(Window::new(usize::MAX, 1, 2, Padding::Same).is_err());
        assert!(Window::new(1, 1, 1, Padding::Exact { before: usize::MAX, after: 1 }).is_err());
        let window = Window::new(5, 1, 1, Padding::Valid).unwrap();
        let error = window.output(4).unwrap_err();
        assert_eq!(error.to_string(), "a window of 5 does not fit an axis of 4 with padding `valid`");
        assert_eq!(error.kind(), Kind::Malformed);
        let error = "5:1,1".parse::<Window>().unwrap().output(2).unwrap_err();
        assert_eq!(error.to_string(), "a window of 5 does not fit an axis of 2 with padding `1,1`");
    }

    #[test]
    fn the_largest_axes_do_not_overflow() {
        for text in ["1:valid", "3/2:same", "3:causal"] {
            assert!(text.parse::<Window>().unwrap().output(usize::MAX).is_ok(), "{text}");
        }
        let window: Window = "1:1,1".parse().unwrap();
        assert_eq!(window.output(usize::MAX).unwrap_err().kind(), Kind::Malformed);
        assert_eq!(window.transposed_output(usize::MAX, None).unwrap_err().kind(), Kind::Malformed);
        assert_eq!("3:1,1".parse::<Window>().unwrap().output(usize::MAX).unwrap(), usize::MAX);
    }

    #[track_caller]
    fn check_transposed(window: &str, input: usize, output_padding: Option<usize>, output: Option<usize>) {
        let window: Window = window.parse().unwrap();
        assert_eq!(window.transposed_output(input, output_padding).ok(), output);
    }

    #[test]
    fn transposed_lengths_are_those_of_keras() {
        check_transposed("3/2:valid", 4, None, Some(9));
        check_transposed("2/3:valid", 4, None, Some(12));
        check_transposed("3/2:same", 4, None, Some(8));
        check_transposed("3/2:valid", 4, Some(1), Some(10));
        check_transposed("3/2:same", 4, Some(0), Some(7));
        check_transposed("3/2:same", 4, Some(1), Some(8));
        check_transposed("4/2:1,1", 4, None, Some(8));
        check_transposed("3/2:valid", 0, None, Some(1));
        check_transposed("3/2:valid", 0, Some(0), None);
        check_transposed("1:2,2", 4, None, Some(0));
        check_transposed("1:2,2", 3, None, None);
    }

    #[track_caller]
    fn check_dim(window: &str, output: &str, transposed: &str) {
        let window: Window = window.parse().unwrap();
        let mut dims = Dims::new();
        let h = dims.symbol("h");
        let text = |dims: &Dims, (d, least): (Dim, Option<Dim>)| match least {
            Some(least) => format!("{} if h >= {}", dims.describe(d), dims.describe(least)),
            None => dims.describe(d),
        };
        let found = window.output_dim(&mut dims, h).unwrap();
        assert_eq!(text(&dims, found), output);
        let found = window.transposed_output_dim(&mut dims, h, Some(1)).unwrap();
        assert_eq!(text(&dims, found), transposed);
    }

    #[test]
    fn unknown_axes_give_expressions_and_guards() {
        check_dim("3:same", "h", "h+1 if h >= 1");
        check_dim("3/2:same", "floor((h+1)/2)", "2*h if h >= 1");
        check_dim("3/2:causal", "floor((h+1)/2)", "2*h+2 if h >= 1");
        check_dim("3/2:valid", "floor((h+1)/2)-1 if h >= 3", "2*h+2 if h >= 1");
        check_dim("1:valid", "h if h >= 1", "h+1 if h >= 1");
        check_dim("3/2:1,1", "floor((h+1)/2) if h >= 1", "2*h if h >= 1");
        check_dim("3/2:1,2", "floor(h/2)+1", "2*h-1 if h >= 1");
        check_dim("2/2:4,3", "floor((h+1)/2)+3", "2*h-6 if h >= 4");
    }

    #[test]
    fn expressions_agree_with_numbers() {
        let paddings = ["valid", "same", "causal", "0,1", "2,1", "5,4"];
        let windows = [(1, 1, 1), (2, 1, 1), (3, 2, 1), (2, 3, 1), (3, 1, 2), (5, 4, 3)];
        for ((size, stride, dilation), padding) in windows.iter().flat_map(|w| paddings.map(|p| (w, p))) {
            let window: Window = format!("{size}/{stride}*{dilation}:{padding}").parse().unwrap();
            let mut dims = Dims::new();
            let h = dims.symbol("h");
            let mut cases = vec![(window.output_dim(&mut dims, h).unwrap(), None)];
            let (before, after) = window.pads_dim(&mut dims, h).unwrap();
            for more in [None, Some(0), Some(2)] {
                cases.push((window.transposed_output_dim(&mut dims, h, more).unwrap(), Some(more)));
            }
            for n in 0..40 {
                let bound = dims.bind(&[(h, n)]).unwrap();
                let pads = Pads { before: bound.get(before).unwrap(), after: bound.get(after).unwrap() };
                assert!(n == 0 || pads == window.pads(n as usize), "{window} over {n}: {pads:?}");
                for &((d, least), transposed) in &cases {
                    let number = match transposed {
                        None => window.output(n as usize),
                        Some(more) => window.transposed_output(n as usize, more),
                    };
                    let fits = least.is_none_or(|least| dims.known(least).unwrap() <= n);
                    let found = fits.then(|| bound.get(d).unwrap());
                    assert_eq!(found, number.ok(), "{window} over {n}, transposed: {transposed:?}");
                    let mut dims = dims.clone();
                    let known = dims.number(n);
                    let folded = match transposed {
                        None => window.output_dim(&mut dims, known),
                        Some(more) => window.transposed_output_dim(&mut dims, known, more),
                    };
                    assert_eq!(folded.ok().map(|(d, _)| dims.known(d).unwrap() as usize), found);
                }
            }
        }
    }

    #[test]
    fn text_is_read_back() {
        for text in ["3:valid", "3/2:same", "5/1*2:causal", "3/2:1,0", "1:0,0"] {
            assert_eq!(text.parse::<Window>().unwrap().to_string(), text);
        }
        assert_eq!("5*2:same".parse::<Window>().unwrap().to_string(), "5/1*2:same");
        for text in ["", "3", "3:", ":same", "3/:same", "3*2/2:same", "+3:same", "3:1", "3:1,", "3:full", "0:same"] {
            assert_eq!(text.parse::<Window>().unwrap_err().kind(), Kind::Malformed, "{text}");
        }
    }
}
