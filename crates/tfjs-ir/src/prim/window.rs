//! Pools: the maximum, the mean or the sum of each window. Channels are last.

use super::infer::{float, take};
use super::linear::outputs;
use super::{primitive, words};
use crate::window::Window;
use tfjs_manifest::Error;

words! {
    /// How a pool combines the elements of a window. Padding is excluded.
    PoolOp {
        /// The largest.
        Max = "max",
        /// The mean.
        Mean = "mean",
        /// The sum.
        Sum = "sum",
    }
}

primitive! {
    /// A pool over 1 to 3 spatial axes: `[n, s.., c]` to `[n, s'.., c]`.
    Pool {
        /// How elements are combined.
        op: PoolOp,
        /// The window along each spatial axis; dilation 1.
        windows: Vec<Window>,
    }
    infer(self, cx, operands) {
        let [x] = take(operands)?;
        float(x)?;
        let [batch, spatial @ .., channels] = &x.dims[..] else { return Err(Error::bug("a pool over a vector")) };
        if spatial.len() != self.windows.len() || spatial.is_empty() || self.windows.iter().any(|w| w.dilation != 1) {
            return Err(Error::bug(format!("a pool over a value of shape {}", cx.shape(&x.dims))));
        }
        let mut dims = vec![*batch];
        dims.extend(outputs(cx, &self.windows, spatial)?);
        dims.push(*channels);
        Ok(vec![x.with_dims(dims)])
    }
}
