//! The spatial axes of images, sequences and volumes, and the windows over them.

use crate::call::Call;
use crate::config::{Config, DataFormat, PerAxis};
use crate::encode::Encoding;
use crate::lower::{KerasTensor, LowerCx};
use serde_json::Value as Json;
use std::ops::Range;
use tfjs_ir::Value;
use tfjs_ir::window::{Padding, Window};
use tfjs_manifest::{Error, Result};

/// The position and number of the spatial axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spatial {
    /// Whether the channels come after or before them.
    pub format: DataFormat,
    /// The number of spatial axes, 1 to 3.
    pub count: usize,
}

/// The number of spatial axes of a class: its position in the list of its family, from 1.
///
/// # Errors
/// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for a listed class that is not in the list.
pub(crate) fn count_of(class: &str, by_count: &[&str]) -> Result<usize> {
    let place = by_count.iter().position(|known| *known == class);
    place.map(|place| place + 1).ok_or_else(|| Error::bug(format!("`{class}` is listed, expected one of {by_count:?}")))
}

impl Spatial {
    /// Reads the data format for this number of axes.
    ///
    /// # Errors
    /// A wrong `data_format`.
    pub fn read(count: usize, config: &Config<'_>) -> Result<Self> {
        Ok(Spatial { format: config.or("data_format", DataFormat::default())?, count })
    }

    /// One number for each spatial axis.
    ///
    /// # Errors
    /// A wrong number of numbers, at the key.
    pub fn each(&self, axes: &PerAxis, key: &str) -> Result<Vec<usize>> {
        Ok(match self.count {
            1 => axes.axes::<1>(key)?.to_vec(),
            2 => axes.axes::<2>(key)?.to_vec(),
            _ => axes.axes::<3>(key)?.to_vec(),
        })
    }

    /// The only input of a call, which must have batch, channels and non-empty spatial axes.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for another rank or an empty axis.
    pub fn value(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<KerasTensor> {
        let input = cx.single_of_rank(call, self.count + 2)?;
        let dims = cx.dims_of(input.value);
        if !dims[self.axes()].iter().all(|&dim| cx.at_least(dim, tfjs_ir::Dim::ONE)) {
            let shape = cx.shape(input.value);
            return Err(Error::malformed(format!("expected spatial axes of at least 1, found shape {shape}")));
        }
        Ok(input)
    }

    /// Warns of `channels_first` in a layer over one spatial axis.
    pub(crate) fn warn_of_format(&self, out: &Encoding<'_>) {
        if self.count == 1 && self.format == DataFormat::ChannelsFirst {
            out.warn("TensorFlow.js ignores `channels_first` of layers over one dimension");
        }
    }

    /// The spatial axes.
    pub fn axes(&self) -> Range<usize> {
        let first = self.format.first_spatial();
        first..first + self.count
    }

    /// The axis of the channels.
    pub fn channel_axis(&self) -> usize {
        self.format.channel_axis(self.count + 2)
    }

    /// Moves the channels of a value of the layer to the last axis, as primitives require.
    ///
    /// # Errors
    /// As [`Builder::push`](tfjs_ir::Builder::push).
    pub fn channels_last(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        match self.format {
            DataFormat::ChannelsLast => Ok(x),
            DataFormat::ChannelsFirst => channels_to_end(cx, x),
        }
    }

    /// Moves the channels of a value from the last axis to the layer's.
    ///
    /// # Errors
    /// As [`Builder::push`](tfjs_ir::Builder::push).
    pub fn restore(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        if self.format == DataFormat::ChannelsLast {
            return Ok(x);
        }
        let last = self.count + 1;
        let order: Vec<usize> = [0, last].into_iter().chain(1..last).collect();
        cx.transpose(x, &order)
    }
}

/// Moves axis 1, the channels, to the end.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn channels_to_end(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let order: Vec<usize> = [0].into_iter().chain(2..cx.ty(x).rank()).chain([1]).collect();
    cx.transpose(x, &order)
}

/// Warns of windows with other zeros around the axes than `same` puts there.
pub(crate) fn warn_of_padding(windows: &[Window], out: &Encoding<'_>) {
    let differs = |window: &Window| match window.padding {
        Padding::Exact { before, .. } => window.stride > 1 || before != (window.extent() - 1) / 2,
        _ => false,
    };
    if windows.iter().any(differs) {
        out.warn("TensorFlow.js puts other zeros around the axes than Theano");
    }
}

/// A window along every spatial axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// The axes.
    pub spatial: Spatial,
    /// The window along each of them. DIFFERENCE: TensorFlow.js pads a window in three dimensions that is shorter than its
    /// stride by less than nothing, where the padding is `same`.
    pub axes: Vec<Window>,
}

impl Windows {
    /// Reads `kernel_size`, `strides`, `padding`, `dilation_rate` and `data_format` of a convolution. Padding `same` of a
    /// file of Theano, and `full`, become the zeros that they are.
    ///
    /// # Errors
    /// A missing or wrong field; [`Padding::Causal`] except for sequences.
    pub fn read_kernel(count: usize, config: &Config<'_>) -> Result<Self> {
        let spatial = Spatial::read(count, config)?;
        let size = spatial.each(&config.req("kernel_size")?, "kernel_size")?;
        let strides = spatial.each(&config.or("strides", PerAxis::all(1))?, "strides")?;
        let dilation = spatial.each(&config.or("dilation_rate", PerAxis::all(1))?, "dilation_rate")?;
        let full = config.producer().is_keras1() && config.value("padding").and_then(Json::as_str) == Some("full");
        let padding = if full { Padding::Valid } else { config.or("padding", Padding::Valid)? };
        if padding == Padding::Causal && spatial.count != 1 {
            let message = format!("padding `causal` is for sequences, found {count} spatial axes");
            return Err(Error::malformed(message).at_json("padding").at_json("config"));
        }
        let mut windows = Self::new(spatial, &size, &strides, &dilation, padding)?;
        for window in &mut windows.axes {
            let exact = match full {
                // Keras 1 on Theano: as far as a window reaches.
                true => Padding::Exact { before: window.extent() - 1, after: window.extent() - 1 },
                false if padding == Padding::Same && config.producer().is_on_theano() => Padding::half(window.extent()),
                false => continue,
            };
            *window =
                Window::new(window.size, window.stride, window.dilation, exact).map_err(|e| e.at_json("config"))?;
        }
        Ok(windows)
    }

    /// Reads `pool_size`, `strides` (the pool size if null), `padding` and `data_format`.
    ///
    /// # Errors
    /// A wrong field, [`Padding::Causal`].
    pub fn read_pool(count: usize, config: &Config<'_>) -> Result<Self> {
        let spatial = Spatial::read(count, config)?;
        let size = spatial.each(&config.or("pool_size", PerAxis::all(2))?, "pool_size")?;
        let strides = match config.opt("strides")? {
            Some(strides) => spatial.each(&strides, "strides")?,
            None => size.clone(),
        };
        let padding = config.or("padding", Padding::Valid)?;
        if padding == Padding::Causal {
            return Err(Error::malformed("a pool cannot be `causal`").at_json("padding").at_json("config"));
        }
        let mut windows = Self::new(spatial, &size, &strides, &vec![1; spatial.count], padding)?;
        if padding == Padding::Same && config.producer().is_on_theano() {
            for window in &mut windows.axes {
                window.padding = Padding::half_of_pool(window.size);
            }
        }
        Ok(windows)
    }

    fn new(spatial: Spatial, size: &[usize], strides: &[usize], dilation: &[usize], padding: Padding) -> Result<Self> {
        let axes = size
            .iter()
            .zip(strides)
            .zip(dilation)
            .map(|((&size, &stride), &dilation)| Window::new(size, stride, dilation, padding))
            .collect::<Result<_>>()
            .map_err(|e| e.at_json("config"))?;
        Ok(Windows { spatial, axes })
    }

    /// Warns of zeros that TensorFlow.js does not put around the axes: those of Theano.
    pub(crate) fn encode_padding(&self, out: &mut Encoding<'_>) {
        if out.get("padding").and_then(Json::as_str) == Some("full") {
            out.set("padding", "valid");
            out.warn("TensorFlow.js has no padding `full`");
        } else {
            warn_of_padding(&self.axes, out);
        }
    }

    /// The sizes of the windows.
    pub fn sizes(&self) -> Vec<usize> {
        self.axes.iter().map(|w| w.size).collect()
    }
}
