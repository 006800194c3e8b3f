//! `MelSpectrogram`: the power of sound in bands of equal perceived width.
//!
//! Reference: Keras 3's `mel_spectrogram.py`, whose transform is `tf.signal.stft`. The transform is a product with cosines
//! and sines of every frequency: a convolution whose kernel the program computes.

use crate::call::Call;
use crate::config::{Config, FromJson, expected};
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use serde_json::Value as Json;
use std::f64::consts::{LN_10, PI};
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::layout::{Padding as Border, Range};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::window::{Padding, Window};
use tfjs_ir::{Array, Dim, ElementType, Value};
use tfjs_manifest::{Error, Limits, Result};

/// The weights of the samples of a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Weights {
    /// `a - (1 - a) cos`: 0.5 is the Hann window, 0.54 the Hamming window.
    Cosine(f64),
    /// A number for each sample.
    Listed(Vec<f32>),
}

impl FromJson for Weights {
    fn from_json(value: &Json) -> Result<Self> {
        match value {
            Json::String(name) if name == "hann" => Ok(Weights::Cosine(0.5)),
            Json::String(name) if name == "hamming" => Ok(Weights::Cosine(0.54)),
            Json::Array(_) => Vec::from_json(value).map(Weights::Listed),
            _ => Err(expected("`hann`, `hamming` or a list of numbers", value)),
        }
    }
}

/// The conversion of powers to decibels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decibels {
    /// The range: values more than this below the maximum of the whole batch are raised.
    pub top: f64,
    /// The smallest power; smaller ones are raised to it.
    pub least: f64,
    /// The power of 0 decibels.
    pub reference: f64,
}

/// Bands of frequencies. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct MelSpectrogram {
    /// The length of a transform in samples, and the step between transforms.
    pub window: Window,
    /// The length of a frame, which is centred in a transform, and the weights of its samples.
    pub frame: (usize, Option<Weights>),
    /// The number of bands.
    pub bands: usize,
    /// The number of samples in a second.
    pub sampling_rate: f64,
    /// The lowest and the highest frequency of the bands.
    pub range: (f64, f64),
    /// The power to which magnitudes are raised.
    pub exponent: f64,
    /// How powers are converted to decibels, if they are.
    pub decibels: Option<Decibels>,
}

impl FromConfig for MelSpectrogram {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        let length: usize = config.or("fft_length", 2048)?;
        let window = Window::new(length, config.or("sequence_stride", 512)?, 1, Padding::Valid);
        let at = |key: &str, e: Error| e.at_json(key).at_json("config");
        // The size of the cosines and sines of all frequencies.
        let table = (length as u64).saturating_mul(length as u64).saturating_add(length as u64);
        Limits::check("elements (fft_length)", table, config.cx().limits.elements).map_err(|e| at("fft_length", e))?;
        let frame = config.opt("sequence_length")?.unwrap_or(length);
        if frame == 0 || frame > length {
            let message = format!("expected 1 to {length}, found {frame}");
            return Err(at("sequence_length", Error::malformed(message)));
        }
        let weights: Option<Weights> = config.or("window", None)?;
        let weights = match weights {
            None if !config.map().contains_key("window") => Some(Weights::Cosine(0.5)),
            Some(Weights::Listed(numbers)) if numbers.len() != frame => {
                let message = format!("expected {frame} numbers, found {}", numbers.len());
                return Err(at("window", Error::malformed(message)));
            }
            weights => weights,
        };
        let bands: usize = config.or("num_mel_bins", 128)?;
        if bands == 0 {
            return Err(at("num_mel_bins", Error::malformed("expected at least 1, found 0")));
        }
        let sampling_rate: f64 = config.or("sampling_rate", 16000.0)?;
        let highest: Option<f64> = config.opt("max_freq")?;
        let decibels = Decibels {
            top: config.or("top_db", 80.0)?,
            least: config.or("min_power", 1e-10)?,
            reference: config.or("ref_power", 1.0)?,
        };
        Ok(MelSpectrogram {
            window: window.map_err(|e| e.at_json("config"))?,
            frame: (frame, weights),
            bands,
            sampling_rate,
            range: (config.or("min_freq", 20.0)?, highest.unwrap_or((sampling_rate / 2.0).trunc())),
            exponent: config.or("mag_exp", 2.0)?,
            decibels: config.or("power_to_db", true)?.then_some(decibels),
        })
    }
}

fn hertz_to_mel(hertz: f64) -> f64 {
    1127.0 * (1.0 + hertz / 700.0).ln()
}

impl MelSpectrogram {
    fn frequencies(&self) -> usize {
        self.window.size / 2 + 1
    }

    /// Reflects the ends of the sound as padding: `[.., time]` to `[sounds, longer time, 1]`.
    fn reflected(&self, cx: &mut LowerCx<'_>, sound: Value) -> Result<Value> {
        let dims = cx.dims_of(sound);
        let Some((&time, outer)) = dims.split_last().filter(|(_, outer)| !outer.is_empty()) else {
            let shape = cx.shape(sound);
            return Err(Error::malformed(format!("expected an input of rank 2 or more, found shape {shape}")));
        };
        let (sounds, border) = (cx.dims().product(outer)?, cx.number(self.window.size / 2));
        let sound = cx.reshape(sound, &[sounds, time])?;
        let behind_border = cx.dims().add(border, Dim::ONE)?;
        if !cx.at_least(time, behind_border) {
            let (shape, needed) = (cx.shape(sound), self.window.size / 2 + 1);
            return Err(Error::malformed(format!("expected at least {needed} samples, found shape {shape}")));
        }
        let rest = cx.dims().sub(time, behind_border)?;
        let before = cx.slice_axis(sound, 1, Range { start: Dim::ONE, len: border, step: 1 })?;
        let after = cx.slice_axis(sound, 1, Range { start: rest, len: border, step: 1 })?;
        let (before, after) = (cx.reverse(before, &[1])?, cx.reverse(after, &[1])?);
        let longer = cx.concat(&[before, sound, after], 1)?;
        cx.insert_axis(longer, 2)
    }

    /// The weight of each sample of a transform, `[fft_length]`; `None` if all are 1.
    fn weights(&self, cx: &mut LowerCx<'_>) -> Result<Option<Value>> {
        let (length, weights) = &self.frame;
        let numbers: Vec<f64> = match weights {
            None => return Ok(None),
            Some(Weights::Listed(numbers)) => numbers.iter().copied().map(f64::from).collect(),
            // A window of odd length is symmetric.
            Some(Weights::Cosine(a)) => {
                let period = (length - length % 2).max(1) as f64;
                let weight = |i: usize| a - (1.0 - a) * (2.0 * PI * i as f64 / period).cos();
                // SIZE: at most `fft_length`, which was checked.
                (0..*length).map(|i| if *length == 1 { 1.0 } else { weight(i) }).collect()
            }
        };
        let missing = self.window.size - length;
        let weights = cx.constant(Array::floats([*length], numbers)?)?;
        let (low, high) = (cx.number(missing / 2), cx.number(missing - missing / 2));
        cx.pad(weights, &[Border { low, high, ..Border::NONE }], 0.0).map(Some)
    }

    /// Cosines and negative sines of each frequency, `[fft_length, 1, 2 * frequencies]`.
    fn kernel(&self, cx: &mut LowerCx<'_>) -> Result<Value> {
        let (length, frequencies) = (cx.number(self.window.size), cx.number(self.frequencies()));
        let sample = cx.iota(0, &[length, Dim::ONE], ElementType::I64)?;
        let frequency = cx.iota(1, &[Dim::ONE, frequencies], ElementType::I64)?;
        let turns = cx.mul(sample, frequency)?;
        // Full turns are removed, so that angles are small and exact.
        let turns = cx.binary_scalar(BinaryOp::Mod, turns, self.window.size as f64)?;
        let turns = cx.cast(turns, ElementType::F32)?;
        let angle = cx.binary_scalar(BinaryOp::Mul, turns, 2.0 * PI / self.window.size as f64)?;
        let (cosines, sines) = (cx.unary(UnaryOp::Cos, angle)?, cx.unary(UnaryOp::Sin, angle)?);
        let sines = cx.unary(UnaryOp::Neg, sines)?;
        let mut waves = cx.concat(&[cosines, sines], 1)?;
        if let Some(weights) = self.weights(cx)? {
            let weights = cx.insert_axis(weights, 1)?;
            waves = cx.mul(waves, weights)?;
        }
        cx.insert_axis(waves, 1)
    }

    /// The weight of each frequency in each band, `[frequencies, bands]`: bands are triangles that overlap by half.
    fn triangles(&self, cx: &mut LowerCx<'_>) -> Result<Value> {
        let (frequencies, bands) = (cx.number(self.frequencies()), cx.number(self.bands));
        let step = self.sampling_rate / 2.0 / (self.frequencies() - 1).max(1) as f64;
        let number = cx.iota(0, &[frequencies, Dim::ONE], ElementType::F32)?;
        let ratio = cx.binary_scalar(BinaryOp::Mul, number, step / 700.0)?;
        let mel = cx.unary(UnaryOp::Log1p, ratio)?;
        let mel = cx.binary_scalar(BinaryOp::Mul, mel, 1127.0)?;
        let (low, high) = (hertz_to_mel(self.range.0), hertz_to_mel(self.range.1));
        let width = (high - low) / (self.bands + 1) as f64;
        let band = cx.iota(1, &[Dim::ONE, bands], ElementType::F32)?;
        let lower = cx.binary_scalar(BinaryOp::Mul, band, width)?;
        let lower = cx.binary_scalar(BinaryOp::Add, lower, low)?;
        // The position in the band, in units of half its width, from its lower end.
        let along = cx.sub(mel, lower)?;
        let rising = cx.binary_scalar(BinaryOp::Mul, along, 1.0 / width)?;
        let two = cx.scalar(ElementType::F32, 2.0)?;
        let falling = cx.sub(two, rising)?;
        let both = cx.binary(BinaryOp::Min, rising, falling)?;
        let both = cx.binary_scalar(BinaryOp::Max, both, 0.0)?;
        // Frequency 0, the mean of the sound, is in no band.
        let is_mean = cx.compare_scalar(CompareOp::Eq, number, 0.0)?;
        let none = cx.scalar(ElementType::F32, 0.0)?;
        cx.select(is_mean, none, both)
    }

    fn decibels(&self, cx: &mut LowerCx<'_>, power: Value, to: Decibels) -> Result<Value> {
        let power = cx.binary_scalar(BinaryOp::Max, power, to.least)?;
        let bels = cx.unary(UnaryOp::Log, power)?;
        let decibels = cx.binary_scalar(BinaryOp::Mul, bels, 10.0 / LN_10)?;
        let reference = 10.0 * to.reference.abs().max(to.least).log10();
        let decibels = cx.binary_scalar(BinaryOp::Sub, decibels, reference)?;
        cx.mixes_batch();
        let loudest = cx.reduce(ReduceOp::Max, decibels, &[0, 1, 2], false)?;
        let least = cx.binary_scalar(BinaryOp::Sub, loudest, to.top)?;
        cx.binary(BinaryOp::Max, decibels, least)
    }
}

impl LayerDef for MelSpectrogram {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?.value;
        let outer = cx.dims_of(input).split_last().map_or(Vec::new(), |(_, outer)| outer.to_vec());
        let input = cx.to_float(input)?;
        let sound = self.reflected(cx, input)?;
        let kernel = self.kernel(cx)?;
        let kernel = cx.cast_like(kernel, sound)?;
        let waves = cx.conv(sound, kernel, &[self.window], 1)?;
        let squares = cx.mul(waves, waves)?;
        let frequencies = cx.number(self.frequencies());
        let real = cx.columns(squares, Dim::ZERO, frequencies)?;
        let imag = cx.columns(squares, frequencies, frequencies)?;
        let power = cx.add(real, imag)?;
        let magnitude = cx.unary(UnaryOp::Sqrt, power)?;
        let power = cx.binary_scalar(BinaryOp::Pow, magnitude, self.exponent)?;
        let triangles = self.triangles(cx)?;
        let triangles = cx.cast_like(triangles, power)?;
        let mut out = cx.matmul(power, triangles)?;
        if let Some(decibels) = self.decibels {
            out = self.decibels(cx, out, decibels)?;
        }
        let out = cx.transpose(out, &[0, 2, 1])?;
        let inner = cx.dims_of(out).into_iter().skip(1);
        let dims: Vec<Dim> = outer.into_iter().chain(inner).collect();
        Ok(vec![cx.reshape(out, &dims)?.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused};
    use serde_json::json;

    #[test]
    fn shapes() {
        let config = json!({"fft_length": 16, "sequence_stride": 4, "num_mel_bins": 5, "sampling_rate": 100});
        check_infer("MelSpectrogram", config.clone(), &["?,40"], &["?,5,11"]);
        check_infer("MelSpectrogram", config.clone(), &["?,2,40"], &["?,2,5,11"]);
        check_infer("MelSpectrogram", config, &["?,?"], &["?,5,?"]);
        check_infer("MelSpectrogram", json!({}), &["?,16000"], &["?,128,32"]);
    }

    #[test]
    fn refuses() {
        let of = |config, message: &str| check_refused("MelSpectrogram", config, &["?,6"], message);
        of(json!({"fft_length": 16}), "expected at least 9 samples, found shape [?,6]");
        let message = "`config.sequence_length`: expected 1 to 16, found 17";
        of(json!({"fft_length": 16, "sequence_length": 17}), message);
        let message = "`config.window`: expected 4 numbers, found 2";
        of(json!({"fft_length": 4, "window": [1, 2]}), message);
        let message = "`config.window`: expected `hann`, `hamming` or a list of numbers, found `\"flat\"`";
        of(json!({"window": "flat"}), message);
    }
}
