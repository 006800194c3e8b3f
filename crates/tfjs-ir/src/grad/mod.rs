//! Differentiation: adds the gradients of a loss to the program that computes it. Optimizers are defined elsewhere.
//!
//! The method is reverse mode on the graph. A program is walked from its last node to its first; each node's rule turns
//! the adjoints of the node's results into adjoints of its operands, as further nodes of the same program. An engine
//! therefore runs a training step in the same way as a prediction.
//!
//! ```
//! use tfjs_ir::grad::gradients;
//! use tfjs_ir::prim::activate::Activation;
//! use tfjs_ir::prim::reduce::ReduceOp;
//! use tfjs_ir::{Array, Builder, ElementType, Inputs, Target, Type, interpret};
//!
//! // y = relu(x w + b), and its mean square distance from a target.
//! let mut b = Builder::default();
//! let (batch, three, two) = (b.dims().symbol("batch"), b.number(3), b.number(2));
//! let x = b.input("x", Type::new(ElementType::F32, [batch, three]))?;
//! let target = b.input("target", Type::new(ElementType::F32, [batch, two]))?;
//! let kernel = b.slot("kernel", Type::new(ElementType::F32, [three, two]))?;
//! let bias = b.slot("bias", Type::new(ElementType::F32, [two]))?;
//! let (w, c) = (b.get(Target::Slot(kernel))?, b.get(Target::Slot(bias))?);
//! let product = b.matmul(x, w)?;
//! let sum = b.add(product, c)?;
//! let y = b.activate(Activation::RELU, sum)?;
//! let error = b.sub(y, target)?;
//! let square = b.mul(error, error)?;
//! let loss = b.reduce(ReduceOp::Mean, square, &[0, 1], false)?;
//!
//! // One step of gradient descent: the weights are replaced when the call has succeeded.
//! let slopes = gradients(&mut b, loss, &[w, c])?;
//! for (slot, weight, slope) in [(kernel, w, slopes[0]), (bias, c, slopes[1])] {
//!     let rate = b.scalar(ElementType::F32, 0.1)?;
//!     let change = b.mul(rate, slope)?;
//!     let next = b.sub(weight, change)?;
//!     b.set(Target::Slot(slot), next)?;
//! }
//! let step = b.finish(vec![("loss".to_string(), loss)])?;
//! println!("{step}");
//!
//! let call = Inputs {
//!     arguments: vec![Array::floats([1, 3], [1.0, 2.0, 3.0])?, Array::floats([1, 2], [1.0, 1.0])?],
//!     slots: vec![Array::floats([3, 2], [0.5, -1.0, 0.5, 0.0, 0.5, 0.0])?, Array::floats([2], [0.0, 0.0])?],
//!     ..Inputs::default()
//! };
//! let outcome = interpret(&step, &call)?;
//! // y is [3, 0]: the error of the first is 2, and the second unit is off.
//! assert_eq!(outcome.outputs[0].to_floats()?, [2.5]);
//! let bias = outcome.updated(Target::Slot(bias)).map(Array::to_floats).transpose()?;
//! assert_eq!(bias, Some(vec![f64::from(-0.2f32), 0.0]));
//! # Ok::<(), tfjs_manifest::Error>(())
//! ```
//!
//! A rule is in the file of its primitive's family. Where a function has no derivative (relu at 0, two equal maxima),
//! the rules return what TensorFlow returns; `tests/corners.rs` compares the two. TensorFlow.js differs from TensorFlow
//! at some of these points: `tests/goldens/gradients` lists them.
//!
//! Gradients do not pass through integers or truth values. Second derivatives are not supported.

mod activate;
mod control;
mod elementwise;
mod host;
mod index;
mod layout;
mod linear;
mod normalize;
mod recurrent;
mod reduce;
mod rule;
mod source;
mod steps;
mod sweep;
#[cfg(test)]
mod tests;
mod window;

use crate::build::Builder;
use crate::prim::Prim;
use crate::program::{Node, Program, SlotId, Value};
use sweep::Level;
use tfjs_manifest::{Error, Result};

/// The value that a gradient is taken with respect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wrt {
    /// A weight.
    Slot(SlotId),
    /// An input, by its position.
    Input(usize),
}

/// Adds the gradients of an output to a program, as further outputs named `gradient of <weight or input>`. The existing
/// outputs and updates stay.
///
/// # Errors
/// As [`gradients`]; [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for an output, a weight or an input that the program
/// does not have.
pub fn grad(program: &Program, loss: &str, wrt: &[Wrt]) -> Result<Program> {
    let outputs = program.outputs.iter().cloned().zip(program.body.results.iter().copied());
    let mut outputs: Vec<(String, Value)> = outputs.collect();
    let found = outputs.iter().find(|(name, _)| name == loss).map(|&(_, value)| value);
    let loss = found.ok_or_else(|| Error::misuse(format!("the program has no output `{loss}`")))?;
    // A program may read a weight in several places.
    let mut reads = Vec::new();
    for &wrt in wrt {
        let name = name_of(program, wrt)?;
        let nodes = program.body.nodes.iter().filter(|node| is_read(node, wrt));
        reads.push((name, wrt, nodes.map(|node| node.results[0]).collect::<Vec<_>>()));
    }
    let mut builder = Builder::resume(program.clone());
    let values: Vec<Value> = reads.iter().flat_map(|(_, _, values)| values).copied().collect();
    let mut slopes = gradients(&mut builder, loss, &values)?.into_iter();
    for (name, wrt, values) in reads {
        let mut sum = None;
        for slope in slopes.by_ref().take(values.len()) {
            sum = Some(match sum {
                Some(sum) => builder.add(sum, slope)?,
                None => slope,
            });
        }
        let slope = match (sum, wrt) {
            (Some(sum), _) => sum,
            (None, Wrt::Slot(slot)) => zeros(&mut builder, &program.slots[slot.index()].ty)?,
            (None, Wrt::Input(port)) => zeros(&mut builder, &program.inputs[port].ty)?,
        };
        outputs.push((format!("gradient of {name}"), slope));
    }
    builder.finish(outputs)
}

fn zeros(builder: &mut Builder, ty: &crate::ty::Type) -> Result<Value> {
    builder.full(ty.element, &ty.dims, 0.0)
}

fn name_of(program: &Program, wrt: Wrt) -> Result<&str> {
    let name = match wrt {
        Wrt::Slot(slot) => program.slots.get(slot.index()).map(|slot| slot.name.as_str()),
        Wrt::Input(port) => program.inputs.get(port).map(|input| input.name.as_str()),
    };
    name.ok_or_else(|| Error::misuse(format!("the program has no {wrt:?}")))
}

fn is_read(node: &Node, wrt: Wrt) -> bool {
    match (&node.prim, wrt) {
        (Prim::Param(param), Wrt::Slot(slot)) => param.slot == slot,
        (Prim::Input(input), Wrt::Input(port)) => input.port == port,
        _ => false,
    }
}

/// Adds the gradients of `loss`, a scalar, with respect to values of the innermost open block. The gradient of a value
/// that the loss does not depend on is 0.
///
/// Handles of values stay valid. Recurrent layers that gradients pass through are replaced by their expansions.
///
/// # Errors
/// - [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) if the loss is not a floating-point scalar or a value of `wrt` has
///   no floating-point elements;
/// - [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a primitive without a gradient, at its layer, and for
///   a loss that depends on a gradient;
/// - [`Kind::Limit`](tfjs_manifest::Kind::Limit) past the builder's limit of nodes.
pub fn gradients(builder: &mut Builder, loss: Value, wrt: &[Value]) -> Result<Vec<Value>> {
    let known = builder.block().values.len();
    if wrt.iter().chain([&loss]).any(|value| value.index() >= known) {
        return Err(Error::misuse("a gradient of a value of another block"));
    }
    let ty = builder.ty(loss);
    if !ty.element.is_float() || ty.rank() != 0 {
        let found = ty.describe(&builder.program().dims);
        return Err(Error::misuse(format!("expected a loss of one floating-point number, found `{found}`")));
    }
    if let Some(value) = wrt.iter().find(|&&value| !builder.ty(value).element.is_float()) {
        let element = builder.ty(*value).element;
        return Err(Error::misuse(format!("expected a gradient by floating point, found `{element}`")));
    }
    let element = ty.element;
    let outer = builder.origin();
    let slopes = (|| {
        let mut level = Level::open(builder, wrt)?;
        if level.is_active(loss) {
            let one = builder.scalar(element, 1.0)?;
            level.add(builder, loss, one)?;
            sweep::backward(builder, &mut level)?;
        }
        let mut slopes = Vec::with_capacity(wrt.len());
        for &value in wrt {
            slopes.push(match level.adjoint(value) {
                Some(slope) => slope,
                None => {
                    let ty = builder.ty(value).clone();
                    zeros(builder, &ty)?
                }
            });
        }
        Ok(slopes)
    })();
    builder.restore_origin(outer);
    slopes
}
