//! Softmax and normalizations as reductions and arithmetic.

use super::{Expand, take};
use crate::build::Builder;
use crate::prim::elementwise::{BinaryOp, UnaryOp};
use crate::prim::normalize::{BatchNorm, Moments, Norm, Normalize, Softmax};
use crate::prim::reduce::ReduceOp;
use crate::program::Value;
use tfjs_manifest::{Error, Result};

impl Expand for Softmax {
    fn expand(&self, b: &mut Builder, operands: &[Value]) -> Result<Vec<Value>> {
        let [x] = take(operands)?;
        let largest = b.reduce(ReduceOp::Max, x, &self.axes, true)?;
        let shifted = b.sub(x, largest)?;
        let powers = b.unary(UnaryOp::Exp, shifted)?;
        let sum = b.reduce(ReduceOp::Sum, powers, &self.axes, true)?;
        if self.log {
            let log = b.unary(UnaryOp::Log, sum)?;
            return Ok(vec![b.sub(shifted, log)?]);
        }
        Ok(vec![b.div(powers, sum)?])
    }
}

impl Expand for Moments {
    fn expand(&self, b: &mut Builder, operands: &[Value]) -> Result<Vec<Value>> {
        let [x] = take(operands)?;
        let mean = b.reduce(ReduceOp::Mean, x, &self.axes, true)?;
        let centred = b.sub(x, mean)?;
        let squares = b.mul(centred, centred)?;
        let variance = b.reduce(ReduceOp::Mean, squares, &self.axes, true)?;
        Ok(vec![mean, variance])
    }
}

impl Expand for Normalize {
    fn expand(&self, b: &mut Builder, operands: &[Value]) -> Result<Vec<Value>> {
        let Normalize { norm, axes, epsilon, scale, center } = self;
        let (&x, parameters) = operands.split_first().ok_or_else(|| Error::bug("a normalization without operands"))?;
        let square = |b: &mut Builder, op| {
            let squares = b.mul(x, x)?;
            b.reduce(op, squares, axes, true)
        };
        let (centred, divisor) = match norm {
            Norm::Layer => {
                let (mean, variance) = b.moments(x, axes)?;
                (b.sub(x, mean)?, b.binary_scalar(BinaryOp::Add, variance, *epsilon)?)
            }
            Norm::Deviation => {
                let (_, variance) = b.moments(x, axes)?;
                (x, b.binary_scalar(BinaryOp::Add, variance, *epsilon)?)
            }
            Norm::Rms => {
                let mean = square(b, ReduceOp::Mean)?;
                (x, b.binary_scalar(BinaryOp::Add, mean, *epsilon)?)
            }
            Norm::L2 => {
                let sum = square(b, ReduceOp::Sum)?;
                (x, b.binary_scalar(BinaryOp::Max, sum, *epsilon)?)
            }
        };
        let inverse = b.unary(UnaryOp::Rsqrt, divisor)?;
        let y = b.mul(centred, inverse)?;
        Ok(vec![scale_and_shift(b, y, parameters, *scale, *center)?])
    }
}

impl Expand for BatchNorm {
    fn expand(&self, b: &mut Builder, operands: &[Value]) -> Result<Vec<Value>> {
        let BatchNorm { epsilon, scale, center } = self;
        let &[x, mean, variance, ref parameters @ ..] = operands else {
            return Err(Error::bug("a batch normalization without statistics"));
        };
        let centred = b.sub(x, mean)?;
        let variance = b.binary_scalar(BinaryOp::Add, variance, *epsilon)?;
        let inverse = b.unary(UnaryOp::Rsqrt, variance)?;
        let y = b.mul(centred, inverse)?;
        Ok(vec![scale_and_shift(b, y, parameters, *scale, *center)?])
    }
}

/// Multiplies by gamma and adds beta, where they exist.
fn scale_and_shift(b: &mut Builder, y: Value, parameters: &[Value], scale: bool, center: bool) -> Result<Value> {
    let missing = || Error::bug("a normalization without its parameters");
    let (gamma, beta) = parameters.split_at_checked(usize::from(scale)).ok_or_else(missing)?;
    let y = gamma.iter().try_fold(y, |y, &gamma| b.mul(y, gamma))?;
    match beta.first() {
        Some(&beta) if center => b.add(y, beta),
        None if center => Err(missing()),
        _ => Ok(y),
    }
}
