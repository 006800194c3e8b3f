//! Activations the kernels have.

use tfjs_kernels::{Activation as Kernel, HardSigmoidForm};
use tfjs_topology::activation::Activation;

/// The kernels' form of an elementwise activation, if they have it.
pub(super) fn kernel(activation: Activation) -> Option<Kernel> {
    Some(match activation {
        Activation::Linear => Kernel::Linear,
        Activation::Relu { max, negative_slope: 0.0, threshold: 0.0 } if max.is_none_or(|max| max >= 0.0) => {
            Kernel::Clamp { low: 0.0, high: max.unwrap_or(f32::INFINITY) }
        }
        Activation::Relu { max, negative_slope, threshold } => {
            Kernel::LeakyRelu { negative_slope, threshold, max: max.unwrap_or(f32::INFINITY) }
        }
        Activation::Elu { alpha } => Kernel::Elu { alpha },
        Activation::Selu => Kernel::Selu,
        Activation::Sigmoid => Kernel::Sigmoid,
        Activation::HardSigmoidClip => Kernel::HardSigmoid(HardSigmoidForm::Clip),
        Activation::HardSigmoidRelu6 => Kernel::HardSigmoid(HardSigmoidForm::Relu6),
        Activation::Tanh => Kernel::Tanh,
        Activation::Softplus => Kernel::Softplus,
        Activation::Softsign => Kernel::Softsign,
        Activation::Silu => Kernel::Silu,
        Activation::HardSilu => Kernel::HardSwish,
        Activation::Gelu => Kernel::Gelu,
        Activation::GeluTanh => Kernel::GeluTanh,
        Activation::Mish => Kernel::Mish,
        Activation::Exponential => Kernel::Exponential,
        Activation::HardTanh => Kernel::Clamp { low: -1.0, high: 1.0 },
        _ => return None,
    })
}
