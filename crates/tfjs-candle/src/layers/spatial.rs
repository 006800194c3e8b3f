//! Windows over tensors: for each element of a window, the values it meets at every position, as one tensor.
//!
//! Narrowing, padding and reshaping only, so every device has it, with gradients. Padding is done as far as
//! some window element reaches and no further: a file's dilation or pool size alone allocates nothing.

use candle_core::{Result, Tensor};
use std::ops::Range;
use tfjs_topology::config::DataFormat;
use tfjs_topology::geometry::Window;
use tfjs_topology::layers::spatial::Spatial;

/// The tensor with its channels last.
pub(crate) fn channels_last(x: &Tensor, spatial: &Spatial) -> Result<Tensor> {
    let rank = x.rank();
    match spatial.format {
        DataFormat::ChannelsLast => Ok(x.clone()),
        DataFormat::ChannelsFirst => {
            let order: Vec<usize> = [0].into_iter().chain(2..rank).chain([1]).collect();
            x.permute(order)?.contiguous()
        }
    }
}

/// The tensor with its channels where the layer has them, from channels last.
pub(crate) fn restore(x: &Tensor, spatial: &Spatial) -> Result<Tensor> {
    let rank = x.rank();
    match spatial.format {
        DataFormat::ChannelsLast => Ok(x.clone()),
        DataFormat::ChannelsFirst => {
            let order: Vec<usize> = [0, rank - 1].into_iter().chain(1..rank - 1).collect();
            x.permute(order)?.contiguous()
        }
    }
}

/// What stands where a window reaches past the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Border {
    /// Zeros.
    Zeros,
    /// The outermost element, which is in every window without dilation that reaches past it.
    Edge,
}

/// A window laid along one axis of a tensor.
#[derive(Clone, Debug)]
pub(crate) struct Taps {
    axis: usize,
    stride: usize,
    dilation: usize,
    /// Positions of the window.
    pub(crate) outputs: usize,
    /// The window's elements that meet the input somewhere.
    pub(crate) indices: Range<usize>,
    /// Zeros of the window before the input, and what is to be put before and after it.
    before: usize,
    left: usize,
    right: usize,
}

impl Taps {
    /// Lays a window along an axis of `length` elements, at least one.
    pub(crate) fn new(window: &Window, axis: usize, length: usize, outputs: usize) -> Self {
        let before = window.pads(length).before;
        // The step from the only position is never made, however large the file says it is.
        let stride = if outputs > 1 { window.stride } else { 1 };
        let dilation = window.dilation;
        let last = outputs.saturating_sub(1) * stride;
        let first_index = before.saturating_sub(last).div_ceil(dilation);
        let end_index = (before + length).div_ceil(dilation).min(window.size);
        let indices = first_index..end_index.max(first_index);
        let (mut left, mut right) = (0, 0);
        if !indices.is_empty() {
            left = before.saturating_sub(indices.start * dilation);
            right = ((indices.end - 1) * dilation + outputs * stride).saturating_sub(before + length);
        }
        Taps { axis, stride, dilation, outputs, indices, before, left, right }
    }

    /// Whether some element of the window meets the input at some position.
    pub(crate) fn meets(&self) -> bool {
        !self.indices.is_empty()
    }

    /// The tensor with room for the window.
    pub(crate) fn pad(&self, x: &Tensor, border: Border) -> Result<Tensor> {
        match border {
            Border::Zeros => x.pad_with_zeros(self.axis, self.left, self.right),
            // Of nothing there is no edge, and what is as long is empty still, or is never looked at.
            Border::Edge if x.elem_count() == 0 => x.pad_with_zeros(self.axis, self.left, self.right),
            Border::Edge => x.pad_with_same(self.axis, self.left, self.right),
        }
    }

    /// What element `index` of the window meets: one value for each position. `axis` is where the window's axis
    /// is now in `padded`.
    pub(crate) fn get(&self, padded: &Tensor, axis: usize, index: usize) -> Result<Tensor> {
        let start = (index * self.dilation + self.left) - self.before;
        if self.stride == 1 {
            return padded.narrow(axis, start, self.outputs);
        }
        let steps = padded.narrow(axis, start, self.outputs * self.stride)?;
        let mut dims = steps.dims().to_vec();
        dims.splice(axis..=axis, [self.outputs, self.stride]);
        steps.reshape(dims)?.narrow(axis + 1, 0, 1)?.squeeze(axis + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use tfjs_topology::geometry::Padding;

    /// The elements of the window that meet the input, with what they meet in `1, 2, ..., length`.
    #[track_caller]
    fn check(window: Window, length: usize, expect: &[(usize, &[f32])]) {
        let x = Tensor::arange(1f32, length as f32 + 1.0, &Device::Cpu).unwrap();
        let outputs = window.output(Some(length)).unwrap().unwrap();
        let taps = Taps::new(&window, 0, length, outputs);
        let padded = taps.pad(&x, Border::Zeros).unwrap();
        let found: Vec<(usize, Vec<f32>)> =
            taps.indices.clone().map(|k| (k, taps.get(&padded, 0, k).unwrap().to_vec1().unwrap())).collect();
        let expect: Vec<(usize, Vec<f32>)> = expect.iter().map(|(k, v)| (*k, v.to_vec())).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn every_element_meets_its_values() {
        let window = |size, stride, dilation, padding| Window::new(size, stride, dilation, padding).unwrap();
        check(window(2, 1, 1, Padding::Valid), 3, &[(0, &[1.0, 2.0]), (1, &[2.0, 3.0])]);
        check(window(2, 2, 1, Padding::Same), 3, &[(0, &[1.0, 3.0]), (1, &[2.0, 0.0])]);
        check(window(3, 1, 2, Padding::Same), 2, &[(1, &[1.0, 2.0])]);
        check(window(2, 1, 1, Padding::Causal), 2, &[(0, &[0.0, 1.0]), (1, &[1.0, 2.0])]);
        check(window(2, 3, 2, Padding::Valid), 7, &[(0, &[1.0, 4.0]), (1, &[3.0, 6.0])]);
    }

    #[test]
    fn numbers_of_a_file_allocate_nothing() {
        let huge = 1 << 60;
        check(Window::new(3, 1, huge, Padding::Same).unwrap(), 2, &[(1, &[1.0, 2.0])]);
        check(Window::new(1, huge, 1, Padding::Same).unwrap(), 2, &[(0, &[1.0])]);
        check(Window::new(2, 1, huge, Padding::Same).unwrap(), 2, &[]);
    }
}
