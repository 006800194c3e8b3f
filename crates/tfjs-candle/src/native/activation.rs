//! Maps activations to those of the kernels.

use tfjs_ir::prim::activate::Activation;
use tfjs_ir::prim::recurrent::Gate;
use tfjs_kernels::{Activation as Kernel, HardSigmoidForm};

/// The kernels' form of an activation, if there is one.
pub(super) fn kernel(activation: Activation) -> Option<Kernel> {
    Some(match activation {
        Activation::Relu { max, negative_slope: 0.0, threshold: 0.0 } if max >= 0.0 => {
            Kernel::Clamp { low: 0.0, high: max as f32 }
        }
        Activation::Relu { max, negative_slope, threshold } => {
            Kernel::LeakyRelu { negative_slope: negative_slope as f32, threshold: threshold as f32, max: max as f32 }
        }
        Activation::Clip { low, high } if low <= high => Kernel::Clamp { low: low as f32, high: high as f32 },
        Activation::Elu { alpha } => Kernel::Elu { alpha: alpha as f32 },
        Activation::Selu {} => Kernel::Selu,
        Activation::Sigmoid {} => Kernel::Sigmoid,
        Activation::HardSigmoid { slope, offset: 0.5 } if slope as f32 == 0.2 => {
            Kernel::HardSigmoid(HardSigmoidForm::Clip)
        }
        Activation::HardSigmoid { slope, offset: 0.5 } if slope as f32 == 1.0 / 6.0 => {
            Kernel::HardSigmoid(HardSigmoidForm::Relu6)
        }
        Activation::Tanh {} => Kernel::Tanh,
        Activation::Softplus {} => Kernel::Softplus,
        Activation::Softsign {} => Kernel::Softsign,
        Activation::Silu {} => Kernel::Silu,
        Activation::HardSilu {} => Kernel::HardSwish,
        Activation::Gelu {} => Kernel::Gelu,
        Activation::GeluTanh {} => Kernel::GeluTanh,
        Activation::Mish {} => Kernel::Mish,
        Activation::Exponential {} => Kernel::Exponential,
        _ => return None,
    })
}

/// The kernels' form of a gate's activation, if there is one.
pub(super) fn gate(gate: Gate) -> Option<Kernel> {
    gate.0.map_or(Some(Kernel::Linear), kernel)
}
