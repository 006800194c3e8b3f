//! Loops over an axis, and opaque functions of the caller.

use super::primitive;
use crate::dim::Dim;
use crate::program::{Block, OpaqueId};
use crate::ty::Type;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

primitive! {
    /// A loop that carries values from step to step.
    ///
    /// Operands: the initial carries, the sequences, the invariants. At each step the body takes the carries, the slice
    /// of each sequence at this step (without its axis), and the invariants; it returns the next carries, then the
    /// values to collect. Results: the final carries, then the collected values, stacked along `axis` at the positions
    /// of their steps.
    Scan {
        /// The number of carries.
        carries: usize,
        /// The number of sequences.
        sequences: usize,
        /// The number of steps.
        length: Dim,
        /// The axis of the sequences along which the loop runs, and along which results are collected.
        axis: usize,
        /// Whether it runs from the last step to the first.
        reverse: bool,
        /// The body: one step.
        body: Arc<Block>,
    }
    infer(self, cx, operands) {
        let body = &self.body;
        let types: Vec<&Type> = body.parameters.iter().map(|&value| body.ty(value)).collect();
        let misfit = |what: &str| Err(Error::bug(format!("a loop whose {what} do not fit its body")));
        if operands.len() != types.len() || self.carries + self.sequences > types.len() || body.results.len() < self.carries {
            return misfit("operands");
        }
        for (i, (operand, ty)) in operands.iter().zip(&types).enumerate() {
            let mut operand = operand.clone();
            if (self.carries..self.carries + self.sequences).contains(&i) {
                let length = cx.axis(self.axis, &operand)?;
                if cx.same(length, self.length).is_none() {
                    return misfit("sequences");
                }
                operand.dims.remove(self.axis);
            }
            if !fits(cx, &operand, ty) {
                return misfit("operands");
            }
        }
        let results: Vec<&Type> = body.results.iter().map(|&value| body.ty(value)).collect();
        for (result, carry) in results.iter().zip(&types).take(self.carries) {
            if !fits(cx, result, carry) {
                return misfit("carries");
            }
        }
        let collected = results.iter().skip(self.carries).map(|ty| {
            let mut ty = (*ty).clone();
            if self.axis > ty.rank() {
                return Err(Error::bug("a loop collects values without its axis"));
            }
            ty.dims.insert(self.axis, self.length);
            Ok(ty)
        });
        let collected: Vec<Type> = collected.collect::<Result<_>>()?;
        Ok(types[..self.carries].iter().map(|&ty| ty.clone()).chain(collected).collect())
    }
}

fn fits(cx: &mut super::infer::Infer<'_>, found: &Type, expected: &Type) -> bool {
    found.element == expected.element
        && found.rank() == expected.rank()
        && found.dims.iter().zip(&expected.dims).all(|(&a, &b)| cx.same(a, b).is_some())
}

primitive! {
    /// A function of the caller, which a runtime finds by its number. Only its types are known.
    Opaque {
        /// The function.
        function: OpaqueId,
        /// The types of its results.
        results: Vec<Type>,
        /// The name of the layer class, for messages.
        class: String,
    }
    infer(self, _cx, _operands) {
        Ok(self.results.clone())
    }
}
