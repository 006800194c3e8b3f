//! Random programs and inputs for them, for property tests and fuzzing.
//!
//! Programs have typed values with symbolic dimensions and use most primitives. Operations that the builder rejects are
//! skipped.

mod maker;
mod operations;

use crate::array::{Array, Data};
use crate::build::Builder;
use crate::interpret::Inputs;
use crate::program::{Origin, Program, Target};
use crate::ty::{ElementType, Type};
use maker::{Known, Maker};
use tfjs_manifest::{Limits, Result};

/// Where choices come from: given bytes first, then a generator.
#[derive(Clone, Debug)]
pub struct Choices<'a> {
    bytes: &'a [u8],
    generator: crate::random::Stream,
    drawn: u64,
}

impl<'a> Choices<'a> {
    /// Choices determined by a seed.
    pub fn seeded(seed: u64) -> Self {
        Choices::of_bytes(&[], seed)
    }

    /// Choices determined by these bytes, and by the seed once they are used up.
    pub fn of_bytes(bytes: &'a [u8], seed: u64) -> Self {
        Choices { bytes, generator: crate::random::Stream::new(seed, 0), drawn: 0 }
    }

    /// A number below `n`, which is at least 1.
    pub fn below(&mut self, n: usize) -> usize {
        let bits = match self.bytes.split_first() {
            Some((&byte, rest)) => {
                self.bytes = rest;
                u64::from(byte)
            }
            None => {
                self.drawn += 1;
                self.generator.bits(self.drawn)
            }
        };
        (bits % n.max(1) as u64) as usize
    }

    /// True or false.
    pub fn flip(&mut self) -> bool {
        self.below(2) == 1
    }

    /// One of several things.
    pub fn one_of<'b, T>(&mut self, from: &'b [T]) -> &'b T {
        &from[self.below(from.len())]
    }

    /// A small number, in steps of an eighth.
    fn number(&mut self) -> f64 {
        self.below(33) as f64 / 8.0 - 2.0
    }
}

/// Which operations a program may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taste {
    /// Anything.
    Any,
    /// Composites are used only where their rounding errors stay small: for comparing results of implementations that
    /// round differently.
    Tame,
}

/// A random program of about this many operations.
///
/// # Errors
/// Builder errors that do not depend on the random choices.
pub fn program(choices: &mut Choices<'_>, taste: Taste, operations: usize) -> Result<Program> {
    let mut b = Builder::default();
    let (batch, time, width) = (b.dims().symbol("batch"), b.dims().symbol("time"), b.dims().symbol("width"));
    let (two, three) = (b.number(2), b.number(3));
    let types = [
        Type::new(ElementType::F32, [batch, time, three]),
        Type::new(ElementType::F32, [batch, two]),
        Type::new(ElementType::F32, [batch, time, width, two]),
        Type::new(ElementType::I32, [batch, time]),
        Type::new(ElementType::Bool, [batch, time]),
        Type::new(ElementType::F32, [width]),
    ];
    let mut values = Vec::new();
    for (i, ty) in types.into_iter().enumerate() {
        values.push(Known { value: b.input(&format!("x{i}"), ty)?, rounded: false });
    }
    let slot = b.slot("weight", Type::new(ElementType::F32, [three, two]))?;
    let state = b.state("state", Type::new(ElementType::F32, [batch, two]), 0.5)?;
    for target in [Target::Slot(slot), Target::State(state)] {
        values.push(Known { value: b.get(target)?, rounded: false });
    }
    let mut maker = Maker { b, choices, values, taste };
    for i in 0..operations {
        let origin = Origin { layer: format!("layer{}", i / 3).into(), call: Some(i as u32 / 3), ..Origin::default() };
        maker.b.set_origin(origin)?;
        // An operation that the builder rejects is skipped.
        let _ = maker.operation();
    }
    maker.finish(&[Target::Slot(slot), Target::State(state)])
}

/// The most elements of a random array.
const ELEMENTS: u64 = 1 << 20;

/// Random inputs, weights and states of a program whose symbols are these numbers, in the order of the program's
/// symbols.
///
/// # Errors
/// A dimension without a value, or too many elements.
pub fn inputs(choices: &mut Choices<'_>, program: &Program, symbols: &[u64]) -> Result<Inputs> {
    let given: Vec<_> = program.dims.symbols().map(|(_, symbol)| symbol).zip(symbols.iter().copied()).collect();
    let bound = program.dims.bind(&given)?;
    let mut array = |ty: &Type| -> Result<Array> {
        let dims = ty.dims.iter().map(|&dim| bound.get(dim)).collect::<Result<Vec<_>>>()?;
        array(choices, ty.element, &dims)
    };
    Ok(Inputs {
        arguments: program.inputs.iter().map(|input| array(&input.ty)).collect::<Result<_>>()?,
        seed: 1,
        slots: program.slots.iter().map(|slot| array(&slot.ty)).collect::<Result<_>>()?,
        states: Some(program.states.iter().map(|state| array(&state.ty)).collect::<Result<_>>()?),
    })
}

fn array(choices: &mut Choices<'_>, element: ElementType, dims: &[usize]) -> Result<Array> {
    let count = tfjs_manifest::Shape::new(dims)?.elements();
    Limits::check("elements of a random array", count as u64, ELEMENTS)?;
    let data = match element {
        _ if element.is_float() => Data::Float((0..count).map(|_| choices.number()).collect()),
        ElementType::Bool => Data::Bool((0..count).map(|_| choices.flip()).collect()),
        ElementType::String => Data::Text((0..count).map(|_| choices.below(9).to_string().into()).collect()),
        _ => Data::Int((0..count).map(|_| choices.below(7) as i64 - 2).collect()),
    };
    Array::new(element, dims, data)
}

#[cfg(test)]
pub(crate) mod tests;
