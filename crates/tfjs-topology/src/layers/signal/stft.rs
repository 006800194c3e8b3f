//! `STFTSpectrogram`: a short-time Fourier transform as two convolutions, whose kernels are weights in the file.
//!
//! Reference: Keras 3's `stft_spectrogram.py`. Each channel is transformed separately; `power = real^2 + imag^2`.

use crate::call::Call;
use crate::config::{Config, DataFormat, FromJson, expected};
use crate::layer::{LayerDef, WeightDecl};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use serde_json::Value as Json;
use tfjs_ir::prim::elementwise::{BinaryOp, UnaryOp};
use tfjs_ir::prim::layout::{Padding as Border, Range};
use tfjs_ir::window::{Padding, Window};
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result, Shape};

/// The result of the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The logarithm of [`Magnitude`](Mode::Magnitude).
    Log,
    /// The root of the power.
    Magnitude,
    /// The power, doubled for all frequencies except the first and the last.
    Psd,
    /// The real part.
    Real,
    /// The imaginary part.
    Imag,
    /// The angle.
    Angle,
    /// The real part, then the imaginary part.
    Stft,
}

impl FromJson for Mode {
    fn from_json(value: &Json) -> Result<Self> {
        Ok(match value.as_str() {
            Some("log") => Mode::Log,
            Some("magnitude") => Mode::Magnitude,
            Some("psd") => Mode::Psd,
            Some("real") => Mode::Real,
            Some("imag") => Mode::Imag,
            Some("angle") => Mode::Angle,
            Some("stft") => Mode::Stft,
            _ => return Err(expected("`log`, `magnitude`, `psd`, `real`, `imag`, `angle` or `stft`", value)),
        })
    }
}

/// The smallest value; smaller ones are raised to it. Keras's `epsilon`.
const LEAST: f64 = 1e-7;

/// A short-time Fourier transform. Weights: `real_kernel` and `imag_kernel`, `[frame_length, 1, fft_length / 2 + 1]`,
/// if the mode needs them.
#[derive(Clone, Debug, PartialEq)]
pub struct StftSpectrogram {
    /// The result of the layer.
    pub mode: Mode,
    /// The frames.
    pub window: Window,
    /// The number of frequencies.
    pub frequencies: usize,
    /// Whether channels have a separate axis.
    pub expand_dims: bool,
    /// The position of channels, and of frequencies.
    pub format: DataFormat,
}

impl FromConfig for StftSpectrogram {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        // These keys determine the initial values of the kernels, which are in the file.
        config.inert(&["window", "periodic", "scaling"]);
        let length: usize = config.or("frame_length", 256)?;
        let step = config.opt("frame_step")?.unwrap_or(length / 2);
        let padding = config.or("padding", Padding::Valid)?;
        if !matches!(padding, Padding::Valid | Padding::Same) {
            return Err(Error::malformed("expected `valid` or `same`").at_json("padding").at_json("config"));
        }
        let too_long = || Error::limit(format!("`frame_length` {length} is too large")).at_json("config");
        let fft_length = match config.opt("fft_length")? {
            Some(length) => length,
            None => length.checked_next_power_of_two().ok_or_else(too_long)?,
        };
        Ok(StftSpectrogram {
            mode: config.or("mode", Mode::Log)?,
            window: Window::new(length, step, 1, padding).map_err(|e| e.at_json("config"))?,
            frequencies: fft_length / 2 + 1,
            expand_dims: config.or("expand_dims", false)?,
            format: config.or("data_format", DataFormat::ChannelsLast)?,
        })
    }
}

/// The dimensions of a transform: batch, channels, frames, frequencies.
const FREQUENCIES: usize = 3;

impl StftSpectrogram {
    /// One part of the transform of `signals`, `[batch * channels, time, 1]`, as
    /// `[batch, channels, frames, frequencies]`.
    fn part(&self, cx: &mut LowerCx<'_>, name: &str, signals: Value, outer: [Dim; 2]) -> Result<Value> {
        let shape = Shape::new([self.window.size, 1, self.frequencies])?;
        let kernel = cx.weight(WeightDecl::new(name, shape))?;
        let out = cx.conv(signals, kernel, &[self.window], 1)?;
        let dims = cx.dims_of(out);
        cx.reshape(out, &[outer[0], outer[1], dims[1], dims[2]])
    }

    /// Computes the parts that the mode needs, and combines them.
    fn transform(&self, cx: &mut LowerCx<'_>, signals: Value, outer: [Dim; 2]) -> Result<Value> {
        let real = match self.mode {
            Mode::Imag => None,
            _ => Some(self.part(cx, "real_kernel", signals, outer)?),
        };
        let imag = match self.mode {
            Mode::Real => None,
            _ => Some(self.part(cx, "imag_kernel", signals, outer)?),
        };
        let (real, imag) = match (real, imag) {
            (Some(real), Some(imag)) => (real, imag),
            (Some(only), None) | (None, Some(only)) => return Ok(only),
            (None, None) => return Err(Error::bug("a transform without parts")),
        };
        match self.mode {
            Mode::Angle => return cx.binary(BinaryOp::Atan2, imag, real),
            Mode::Stft => return cx.concat(&[real, imag], FREQUENCIES),
            _ => {}
        }
        let (a, b) = (cx.mul(real, real)?, cx.mul(imag, imag)?);
        let power = cx.add(a, b)?;
        if self.mode == Mode::Psd {
            let inner = Range { start: Dim::ONE, len: cx.number(self.frequencies.saturating_sub(2)), step: 1 };
            let inner = cx.slice_axis(power, FREQUENCIES, inner)?;
            let mut border = [Border::NONE; 4];
            let one = Dim::ONE;
            border[FREQUENCIES] = Border { low: one, high: one, ..Border::NONE };
            let inner = cx.pad(inner, &border, 0.0)?;
            return cx.add(power, inner);
        }
        let power = cx.binary_scalar(BinaryOp::Max, power, LEAST)?;
        let magnitude = cx.unary(UnaryOp::Sqrt, power)?;
        if self.mode == Mode::Magnitude {
            return Ok(magnitude);
        }
        let magnitude = cx.binary_scalar(BinaryOp::Max, magnitude, LEAST)?;
        cx.unary(UnaryOp::Log, magnitude)
    }
}

impl LayerDef for StftSpectrogram {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single_of_rank(call, 3)?.value;
        let mut input = cx.to_float(input)?;
        if self.mode == Mode::Psd && self.frequencies < 2 {
            return Err(Error::malformed("expected an `fft_length` of at least 2"));
        }
        if self.format == DataFormat::ChannelsLast {
            input = cx.transpose(input, &[0, 2, 1])?;
        }
        let dims = cx.dims_of(input);
        let rows = cx.dims().product(&dims[..2])?;
        let signals = cx.reshape(input, &[rows, dims[2], Dim::ONE])?;
        let out = self.transform(cx, signals, [dims[0], dims[1]])?;
        // Reorder from batch, channels, frames, frequencies.
        let out = match (self.format, self.expand_dims) {
            (DataFormat::ChannelsFirst, true) => return Ok(vec![out.into()]),
            (DataFormat::ChannelsLast, true) => return Ok(vec![cx.transpose(out, &[0, 2, 3, 1])?.into()]),
            (DataFormat::ChannelsFirst, false) => cx.transpose(out, &[0, 1, 3, 2])?,
            (DataFormat::ChannelsLast, false) => cx.transpose(out, &[0, 2, 1, 3])?,
        };
        let dims = cx.dims_of(out);
        let joined = match self.format {
            DataFormat::ChannelsFirst => [dims[0], cx.dims().mul(dims[1], dims[2])?, dims[3]],
            DataFormat::ChannelsLast => [dims[0], dims[1], cx.dims().mul(dims[2], dims[3])?],
        };
        Ok(vec![cx.reshape(out, &joined)?.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused, check_weights};
    use serde_json::json;

    #[test]
    fn shapes() {
        let of = |mode: &str| json!({"mode": mode, "frame_length": 6, "frame_step": 2, "fft_length": null});
        check_infer("STFTSpectrogram", of("log"), &["?,12,2"], &["?,4,10"]);
        check_infer("STFTSpectrogram", of("stft"), &["?,?,1"], &["?,?,10"]);
        check_weights("STFTSpectrogram", of("real"), &["?,12,1"], &["real_kernel[6,1,5]"]);
        check_weights("STFTSpectrogram", of("psd"), &["?,12,1"], &["real_kernel[6,1,5]", "imag_kernel[6,1,5]"]);
        let first = json!({"frame_length": 8, "padding": "same", "data_format": "channels_first", "expand_dims": true});
        check_infer("STFTSpectrogram", first, &["?,2,12"], &["?,2,3,5"]);
    }

    #[test]
    fn refuses() {
        let message = "`config`: stride must be at least 1, found 0";
        check_refused("STFTSpectrogram", json!({"frame_step": 0}), &[], message);
        let message = "`config.padding`: expected `valid` or `same`";
        check_refused("STFTSpectrogram", json!({"padding": "causal"}), &[], message);
        let message = "expected an input of rank 3, found shape [?,9]";
        check_refused("STFTSpectrogram", json!({}), &["?,9"], message);
    }
}
