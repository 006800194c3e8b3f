//! Rules of pools, and the elements that a window covers.

use super::elementwise::larger;
use super::{Evaluator, Rule, misfit, take, undefined};
use crate::array::{Array, Data};
use crate::prim::window::{Pool, PoolOp};
use crate::window::Window;
use tfjs_manifest::{Error, Result};

/// The elements of an axis that each window covers.
pub(super) struct Taps {
    window: Window,
    input: usize,
    before: usize,
}

/// For windows over an axis of `input` elements.
pub(super) fn taps(window: &Window, input: usize) -> Taps {
    Taps { window: *window, input, before: window.pads(input).before }
}

impl Taps {
    /// The elements in the window of an output, each with its position in the window, in order. Padding is skipped.
    pub(super) fn at(&self, output: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let Taps { window: Window { size, stride, dilation, .. }, input, before } = *self;
        // Element `start + k * dilation - before` for the positions `k` that are not padding.
        let start = output * stride;
        let first = before.saturating_sub(start).div_ceil(dilation);
        let end = (input + before).saturating_sub(start).div_ceil(dilation).min(size);
        (first..end).map(move |k| (start + k * dilation - before, k))
    }
}

impl Rule for Pool {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let Pool { op, windows } = self;
        let [x] = take(operands)?;
        let Data::Float(values) = x.data() else { return Err(undefined("pool", x.element())) };
        let [batch, spatial @ .., channels] = x.dims() else { return Err(misfit("pool", operands)) };
        if spatial.len() != windows.len() {
            return Err(misfit("pool", operands));
        }
        let mut dims = vec![*batch];
        for (window, &length) in windows.iter().zip(spatial) {
            dims.push(window.output(length).map_err(|e| Error::mismatch(e.message()))?);
        }
        dims.push(*channels);
        cx.elements(&dims)?;
        let taps: Vec<Taps> = windows.iter().zip(spatial).map(|(window, &length)| taps(window, length)).collect();
        let mut out = Vec::new();
        for index in crate::array::indices(&dims) {
            let (n, channel) = (index[0], index[dims.len() - 1]);
            let mut seen = vec![n];
            for (axis, taps) in taps.iter().enumerate() {
                let along = |&at: &usize| taps.at(index[axis + 1]).map(move |(i, _)| at * spatial[axis] + i);
                seen = seen.iter().flat_map(along).collect();
                cx.spend(seen.len())?;
                cx.look(seen.len())?;
            }
            let elements = seen.iter().map(|pixel| values[pixel * channels + channel]);
            out.push(match op {
                PoolOp::Max => elements.fold(f64::NEG_INFINITY, larger),
                PoolOp::Sum => elements.sum(),
                PoolOp::Mean => elements.sum::<f64>() / seen.len() as f64,
            });
        }
        Ok(vec![Array::new(x.element(), dims, Data::Float(out))?])
    }
}
