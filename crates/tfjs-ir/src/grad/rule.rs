//! The trait of gradient rules, and the context they run in.

use super::sweep::Level;
use crate::build::Builder;
use crate::dim::Dim;
use crate::for_each_prim;
use crate::prim::elementwise::BinaryOp;
use crate::prim::reduce::ReduceOp;
use crate::prim::{self, Prim};
use crate::program::{Node, Value};
use crate::ty::Type;
use tfjs_manifest::{Error, Result};

/// Computes the adjoints of a primitive's operands from those of its results.
pub(super) trait Rule {
    /// Whether gradients pass at all. They do not if the results are not floating point, or are piecewise constant.
    fn passes(&self) -> bool {
        true
    }

    /// Turns the adjoints of the results into adjoints of the operands.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) if there is no rule; those of the builder.
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()>;
}

macro_rules! dispatch {
    ($($family:ident :: $name:ident = $text:literal, $class:ident;)*) => {
        /// The rule of a primitive. A listed primitive without a rule does not compile.
        pub(super) fn rule(prim: &Prim) -> &dyn Rule {
            match prim { $(Prim::$name(prim) => prim as &prim::$family::$name,)* }
        }
    };
}
for_each_prim!(dispatch);

/// Declares primitives without gradients, each with the reason.
macro_rules! no_gradient {
    ($($prim:ty: $reason:literal;)*) => {$(
        impl $crate::grad::rule::Rule for $prim {
            #[doc = $reason]
            fn passes(&self) -> bool {
                false
            }

            fn pull(&self, _cx: &mut $crate::grad::rule::Cx<'_>) -> tfjs_manifest::Result<()> {
                Err(tfjs_manifest::Error::bug(concat!("a gradient of a primitive that has none: ", $reason)))
            }
        }
    )*};
}
pub(super) use no_gradient;

/// The context of a rule: a node whose results have adjoints, and the builder.
///
/// The values that rules read (operands, results) and build are those of the builder's innermost block. Within the
/// adjoint of a loop, a value of the loop's body that a rule reads must be stored at every step. A rule should
/// therefore read only the values it needs.
#[derive(Debug)]
pub(super) struct Cx<'a> {
    /// Builds the adjoints.
    pub(super) builder: &'a mut Builder,
    /// The block that contains the node.
    pub(super) level: &'a mut Level,
    /// The index of the node in its block.
    pub(super) index: usize,
    /// The node.
    pub(super) node: &'a Node,
}

impl Cx<'_> {
    /// The value of an operand.
    pub(super) fn operand(&mut self, i: usize) -> Result<Value> {
        let value = *self.node.operands.get(i).ok_or_else(missing)?;
        self.level.read(self.builder, value)
    }

    /// The value of a result.
    pub(super) fn result(&mut self, i: usize) -> Result<Value> {
        let value = *self.node.results.get(i).ok_or_else(missing)?;
        self.level.read(self.builder, value)
    }

    /// The type of an operand.
    pub(super) fn operand_type(&self, i: usize) -> Result<Type> {
        let value = *self.node.operands.get(i).ok_or_else(missing)?;
        Ok(self.level.block(self.builder).ty(value).clone())
    }

    /// The adjoint of a result, if it has one.
    pub(super) fn adjoint(&self, i: usize) -> Option<Value> {
        self.node.results.get(i).and_then(|&value| self.level.adjoint(value))
    }

    /// The adjoint of the only result.
    pub(super) fn dy(&self) -> Result<Value> {
        self.adjoint(0).ok_or_else(|| Error::bug("a rule runs without an adjoint"))
    }

    /// Whether an operand depends on the values that the gradient is taken with respect to.
    pub(super) fn needs(&self, i: usize) -> bool {
        self.node.operands.get(i).is_some_and(|&value| self.level.is_active(value))
    }

    /// Adds to the adjoint of an operand, unless it is not needed.
    pub(super) fn give(&mut self, i: usize, adjoint: Value) -> Result<()> {
        let value = *self.node.operands.get(i).ok_or_else(missing)?;
        if self.level.is_active(value) { self.level.add(self.builder, value, adjoint) } else { Ok(()) }
    }

    /// Adds to the adjoint of an operand that was broadcast to the shape of `adjoint`.
    pub(super) fn give_sum(&mut self, i: usize, adjoint: Value) -> Result<()> {
        if !self.needs(i) {
            return Ok(());
        }
        let dims = self.operand_type(i)?.dims;
        let sum = sum_to(self.builder, adjoint, &dims)?;
        self.give(i, sum)
    }
}

fn missing() -> Error {
    Error::bug("a rule reads an operand or a result that its node does not have")
}

/// `x` broadcast to a shape, even if it is not known which of its axes have length 1.
pub(super) fn spread(builder: &mut Builder, x: Value, dims: &[Dim]) -> Result<Value> {
    let found = builder.dims_of(x);
    let aligned = dims.iter().rev().zip(found.iter().rev());
    if aligned.clone().all(|(to, from)| from == to || *from == Dim::ONE) {
        return builder.broadcast_to(x, dims);
    }
    let zeros = builder.full(builder.ty(x).element, dims, 0.0)?;
    builder.binary(BinaryOp::Add, x, zeros)
}

/// The sum over the axes along which broadcasting from `dims` repeated the elements: a reduction, if those axes are
/// known.
pub(super) fn sum_to(builder: &mut Builder, x: Value, dims: &[Dim]) -> Result<Value> {
    let found = builder.dims_of(x);
    let new = found.len().checked_sub(dims.len()).ok_or_else(|| Error::bug("a sum to a higher rank"))?;
    let repeated: Vec<usize> = (new..found.len()).filter(|&axis| found[axis] != dims[axis - new]).collect();
    if repeated.iter().any(|&axis| dims[axis - new] != Dim::ONE) {
        return builder.sum_to(x, dims);
    }
    let axes: Vec<usize> = (0..new).chain(repeated).collect();
    let sum = builder.reduce(ReduceOp::Sum, x, &axes, false)?;
    builder.reshape(sum, dims)
}

/// The number of elements of some axes of a shape, as a scalar of an element type.
pub(super) fn count(builder: &mut Builder, dims: &[Dim], axes: &[usize], like: &Type) -> Result<Value> {
    let counted: Vec<Dim> = axes.iter().filter_map(|&axis| dims.get(axis).copied()).collect();
    let product = builder.dims().product(&counted)?;
    match builder.dims().known(product) {
        Some(n) => builder.scalar(like.element, n as f64),
        None => {
            let size = builder.size(product, crate::ty::ElementType::I64)?;
            builder.cast(size, like.element)
        }
    }
}
