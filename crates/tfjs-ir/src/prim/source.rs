//! Primitives without numeric operands: inputs, weights, states, constants, sizes, counters, random numbers.

use super::infer::{of_element, take};
use super::{primitive, words};
use crate::dim::Dim;
use crate::program::{ConstId, SlotId, StateId};
use crate::ty::{ElementType, Type};
use tfjs_manifest::Error;

primitive! {
    /// An input of the program.
    Input {
        /// Its position.
        port: usize,
    }
    infer(self, cx, operands) {
        let [] = take(operands)?;
        let input = cx.inputs.get(self.port).ok_or_else(|| missing("input", self.port))?;
        Ok(vec![input.ty.clone()])
    }
}

primitive! {
    /// The value of a weight before the call.
    Param {
        /// The weight.
        slot: SlotId,
    }
    infer(self, cx, operands) {
        let [] = take(operands)?;
        let slot = cx.slots.get(self.slot.index()).ok_or_else(|| missing("weight", self.slot.index()))?;
        Ok(vec![slot.ty.clone()])
    }
}

primitive! {
    /// The value of a state before the call.
    State {
        /// The state.
        state: StateId,
    }
    infer(self, cx, operands) {
        let [] = take(operands)?;
        let state = cx.states.get(self.state.index()).ok_or_else(|| missing("state", self.state.index()))?;
        Ok(vec![state.ty.clone()])
    }
}

primitive! {
    /// A constant.
    Const {
        /// The constant.
        constant: ConstId,
    }
    infer(self, cx, operands) {
        let [] = take(operands)?;
        let found = cx.constants.get(self.constant.index());
        let array = found.ok_or_else(|| missing("constant", self.constant.index()))?.clone();
        let dims: Vec<Dim> = array.dims().iter().map(|&n| cx.dims.number(n as u64)).collect();
        Ok(vec![Type::new(array.element(), dims)])
    }
}

primitive! {
    /// The values of dimensions, as a vector or as a scalar.
    Sizes {
        /// The dimensions.
        sizes: Vec<Dim>,
        /// Whether the result is a scalar instead of a vector.
        scalar: bool,
        /// The element type, which must be an integer.
        element: ElementType,
    }
    infer(self, cx, operands) {
        let [] = take(operands)?;
        if !self.element.is_integer() || (self.scalar && self.sizes.len() != 1) {
            return Err(Error::bug("sizes are integers: one, or a vector of them"));
        }
        let dims = if self.scalar { vec![] } else { vec![cx.dims.number(self.sizes.len() as u64)] };
        Ok(vec![Type::new(self.element, dims)])
    }
}

primitive! {
    /// `0, 1, 2, ...` along one axis, repeated along all others.
    Iota {
        /// The axis along which the numbers grow.
        axis: usize,
        /// The dimensions.
        dims: Vec<Dim>,
        /// The element type, which must be numeric.
        element: ElementType,
    }
    infer(self, cx, operands) {
        let [] = take(operands)?;
        let ty = Type::new(self.element, self.dims.clone());
        cx.axis(self.axis, &ty)?;
        if !self.element.is_float() && !self.element.is_integer() {
            return Err(Error::bug("counters are numbers"));
        }
        Ok(vec![ty])
    }
}

words! {
    /// How random numbers are distributed.
    Distribution {
        /// Between 0 and 1, 1 excluded.
        Uniform = "uniform",
        /// Mean 0, deviation 1.
        Normal = "normal",
    }
}

primitive! {
    /// Random single-precision numbers: a function of the seed, of [`stream`](Random::stream) and of the position of
    /// each element, so that they can be computed again instead of being stored.
    ///
    /// Operand: the seed, `i64[]`.
    Random {
        /// The distribution.
        distribution: Distribution,
        /// The dimensions.
        dims: Vec<Dim>,
        /// Distinguishes the places of a program that draw random numbers. It is chosen when the program is built and
        /// is kept when passes remove nodes.
        stream: u64,
    }
    infer(self, _cx, operands) {
        let [seed] = take(operands)?;
        of_element(seed, ElementType::I64)?;
        Ok(vec![Type::new(ElementType::F32, self.dims.clone())])
    }
}

fn missing(what: &str, index: usize) -> Error {
    Error::bug(format!("the program has no {what} {index}"))
}
