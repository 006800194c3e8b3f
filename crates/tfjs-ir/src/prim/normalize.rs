//! Softmax and normalizations.

use super::infer::{Infer, float, same_element, take};
use super::{primitive, words};
use crate::dim::Dim;
use crate::prim::reduce::reduced;
use crate::ty::Type;
use tfjs_manifest::{Error, Result};

primitive! {
    /// `exp(x) / sum(exp(x))`, summed over some axes together, or its logarithm.
    Softmax {
        /// The axes, in ascending order.
        axes: Vec<usize>,
        /// Whether the result is the logarithm.
        log: bool,
    }
    infer(self, cx, operands) {
        let [x] = take(operands)?;
        float(x)?;
        check_axes(cx, &self.axes, x)?;
        Ok(vec![x.clone()])
    }
}

words! {
    /// The formula of a normalization.
    Norm {
        /// `(x - mean) / sqrt(variance + epsilon)`.
        Layer = "layer",
        /// `x / sqrt(mean(x^2) + epsilon)`.
        Rms = "rms",
        /// `x / sqrt(max(sum(x^2), epsilon))`.
        L2 = "l2",
        /// `x / sqrt(variance + epsilon)`: what Keras 3's LayerNormalization calls `rms_scaling`.
        Deviation = "deviation",
    }
}

primitive! {
    /// Normalizes each element by the statistics over some axes. Operands: x, gamma if `scale`, beta if `center`;
    /// gamma and beta broadcast to x.
    Normalize {
        /// The formula.
        norm: Norm,
        /// The axes of the statistics, in ascending order.
        axes: Vec<usize>,
        /// Prevents a division by 0.
        epsilon: f64,
        /// Whether there is a factor, gamma.
        scale: bool,
        /// Whether there is an offset, beta.
        center: bool,
    }
    infer(self, cx, operands) {
        let x = with_parameters(cx, operands, usize::from(self.scale) + usize::from(self.center))?;
        check_axes(cx, &self.axes, &x)?;
        Ok(vec![x])
    }
}

primitive! {
    /// Mean and population variance over some axes, which keep length 1.
    Moments {
        /// The axes, in ascending order.
        axes: Vec<usize>,
    }
    infer(self, cx, operands) {
        let [x] = take(operands)?;
        float(x)?;
        check_axes(cx, &self.axes, x)?;
        let ty = x.with_dims(reduced(&x.dims, &self.axes, true));
        Ok(vec![ty.clone(), ty])
    }
}

primitive! {
    /// `(x - mean) / sqrt(variance + epsilon) * gamma + beta`. Operands: x, mean, variance, gamma if `scale`, beta if
    /// `center`; all but x broadcast to it.
    BatchNorm {
        /// Prevents a division by 0.
        epsilon: f64,
        /// Whether there is a factor, gamma.
        scale: bool,
        /// Whether there is an offset, beta.
        center: bool,
    }
    infer(self, cx, operands) {
        let parameters = 2 + usize::from(self.scale) + usize::from(self.center);
        Ok(vec![with_parameters(cx, operands, parameters)?])
    }
}

fn check_axes(cx: &Infer<'_>, axes: &[usize], x: &Type) -> Result<()> {
    if axes.is_empty() {
        return Err(Error::malformed("statistics over no axis; expected one at least"));
    }
    axes.iter().try_for_each(|&axis| cx.axis(axis, x).map(|_: Dim| ()))
}

/// The type of the first operand, to whose shape the others broadcast.
fn with_parameters(cx: &mut Infer<'_>, operands: &[Type], parameters: usize) -> Result<Type> {
    let Some((x, rest)) = operands.split_first() else { return Err(Error::bug("a normalization without operands")) };
    if rest.len() != parameters {
        return Err(Error::bug(format!("expected {parameters} parameters of a normalization, found {}", rest.len())));
    }
    float(x)?;
    for parameter in rest {
        same_element(x, parameter)?;
        let spread = cx.broadcast_all(&x.dims, &parameter.dims)?;
        if spread.len() != x.rank() || spread.iter().zip(&x.dims).any(|(&a, &b)| cx.same(a, b).is_none()) {
            return Err(Error::bug("a parameter that is larger than what it normalizes"));
        }
    }
    Ok(x.clone())
}
