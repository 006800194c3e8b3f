//! The largest and smallest along an axis, of a tensor without elements as well, which candle refuses.

use candle_core::{Result, Tensor};

/// The largest along an axis, which stays with length 1.
///
/// # Errors
/// An axis that is not there.
pub(crate) fn largest(x: &Tensor, axis: usize) -> Result<Tensor> {
    if x.elem_count() == 0 { nothing(x, axis) } else { x.max_keepdim(axis) }
}

/// The smallest along an axis, which stays with length 1.
///
/// # Errors
/// An axis that is not there.
pub(crate) fn smallest(x: &Tensor, axis: usize) -> Result<Tensor> {
    if x.elem_count() == 0 { nothing(x, axis) } else { x.min_keepdim(axis) }
}

/// A batch of nothing has results of the right shape, and none of them. That the axis itself has elements is
/// for layers to see to.
fn nothing(x: &Tensor, axis: usize) -> Result<Tensor> {
    x.dim(axis)?;
    let dims = x.dims().iter().enumerate().map(|(i, &dim)| if i == axis { 1 } else { dim });
    Tensor::zeros(dims.collect::<Vec<_>>(), x.dtype(), x.device())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn of_something_and_of_nothing() {
        let x = Tensor::new(&[[1f32, 3.0], [2.0, 0.0]], &Device::Cpu).unwrap();
        assert_eq!(largest(&x, 1).unwrap().to_vec2::<f32>().unwrap(), [[3.0], [2.0]]);
        assert_eq!(smallest(&x, 0).unwrap().to_vec2::<f32>().unwrap(), [[1.0, 0.0]]);
        let none = Tensor::zeros((0, 3), DType::F32, &Device::Cpu).unwrap();
        assert_eq!(largest(&none, 1).unwrap().dims(), [0, 1]);
        assert!(smallest(&none, 2).is_err());
    }
}
