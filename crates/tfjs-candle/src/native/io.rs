//! What a step sees while it runs: its operands, its results, and what is the same for all steps of a call.

use super::buffer::{Buffer, Element, Slice, wrong_type};
use super::held::Loaded;
use crate::engine::call::{OpaqueFunction, check_deadline};
use std::sync::Arc;
use std::time::Instant;
use tfjs_ir::{Bound, Program};
use tfjs_kernels::{Cpu, PackedConv2d, PackedDepthwise, PackedMatrix};
use tfjs_manifest::{Error, Result};

/// Where a value is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a buffer of the arena.
    Arena(usize),
    /// In memory that the call was given or that the plan holds.
    Outside(usize),
}

/// An operand of a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) place: Place,
    pub(super) len: usize,
}

/// A result of a step. One that nobody reads has no buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sink {
    pub(super) buffer: Option<usize>,
    pub(super) len: usize,
}

/// What is the same for all steps of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) cpu: &'a Cpu,
    pub(super) program: &'a Program,
    pub(super) bound: &'a Bound,
    /// The weights in the forms that kernels want.
    pub(super) loaded: &'a [Loaded],
    /// How many of the values outside of the arena are held by the plan; they come first.
    pub(super) held: usize,
    pub(super) functions: &'a [Arc<dyn OpaqueFunction>],
    pub(super) deadline: Option<Instant>,
}

impl Context<'_> {
    /// Fails if the time of the call is over.
    pub(super) fn check_deadline(&self) -> Result<()> {
        check_deadline(self.deadline)
    }
}

/// The operands of a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ins<'a> {
    pub(super) sources: &'a [Source],
    pub(super) arena: &'a [Buffer],
    pub(super) outside: &'a [Slice<'a>],
}

impl<'a> Ins<'a> {
    pub(super) fn len(self) -> usize {
        self.sources.len()
    }

    /// The elements of an operand.
    pub(super) fn slice(self, index: usize) -> Result<Slice<'a>> {
        let source = self.sources.get(index).ok_or_else(|| Error::bug("a step reads an operand it does not have"))?;
        match source.place {
            Place::Arena(buffer) => match self.arena.get(buffer) {
                Some(buffer) => buffer.slice(source.len),
                None => Err(Error::bug("a value in a buffer that does not exist")),
            },
            Place::Outside(index) => {
                self.outside.get(index).copied().ok_or_else(|| Error::bug("a value that the call was not given"))
            }
        }
    }

    /// The elements of an operand of a known type.
    pub(super) fn get<T: Element>(self, index: usize) -> Result<&'a [T]> {
        T::read(self.slice(index)?).ok_or_else(wrong_type)
    }
}

/// The results of a step.
#[derive(Debug)]
pub(super) struct Outs<'a> {
    pub(super) sinks: &'a [Sink],
    /// The buffers, taken out of the arena, in the order of the sinks; then those the step asked for itself.
    pub(super) buffers: &'a mut [Buffer],
}

impl Outs<'_> {
    /// The elements of a result.
    pub(super) fn get<T: Element>(&mut self, index: usize) -> Result<&mut [T]> {
        let (Some(sink), Some(buffer)) = (self.sinks.get(index), self.buffers.get_mut(index)) else {
            return Err(Error::bug("a step writes a result it does not have"));
        };
        let values = T::write(buffer).ok_or_else(wrong_type)?;
        values.get_mut(..sink.len).ok_or_else(|| Error::bug("a buffer is too short for its value"))
    }

    /// All results, of one type; `None` for those that nobody reads.
    pub(super) fn all<T: Element, const N: usize>(&mut self) -> Result<[Option<&mut [T]>; N]> {
        let mut all = [const { None }; N];
        for ((to, sink), buffer) in all.iter_mut().zip(self.sinks).zip(self.buffers.iter_mut()) {
            if sink.buffer.is_some() {
                let values = T::write(buffer).ok_or_else(wrong_type)?;
                *to = Some(values.get_mut(..sink.len).ok_or_else(|| Error::bug("a buffer is too short"))?);
            }
        }
        Ok(all)
    }
}

/// What a step is run with.
#[derive(Debug)]
pub(super) struct Io<'a> {
    pub(super) cx: Context<'a>,
    pub(super) ins: Ins<'a>,
    pub(super) outs: Outs<'a>,
    /// The operand whose buffer the first result has taken over. Its elements are in the result; it is not read.
    pub(super) in_place: Option<usize>,
    /// The weights of this step, as indices of all that are loaded.
    pub(super) wants: &'a [usize],
}

impl<'a> Io<'a> {
    /// The first result, after the elements of an operand were copied to it unless it has taken over their buffer.
    pub(super) fn first_holding<T: Element>(&mut self, operand: usize) -> Result<&mut [T]> {
        let taken = self.in_place == Some(operand);
        let ins = self.ins;
        let out = self.outs.get::<T>(0)?;
        if !taken {
            let from = ins.get::<T>(operand)?;
            if from.len() != out.len() {
                return Err(Error::bug("a step in place whose operand is not as long as its result"));
            }
            out.copy_from_slice(from);
        }
        Ok(out)
    }

    /// A weight in the form the step wants.
    pub(super) fn loaded(&self, index: usize) -> Result<&'a Loaded> {
        let found = self.wants.get(index).and_then(|&want| self.cx.loaded.get(want));
        found.ok_or_else(|| Error::bug("a step reads a weight it did not ask for"))
    }

    pub(super) fn matrix(&self, index: usize) -> Result<&'a PackedMatrix> {
        match self.loaded(index)? {
            Loaded::Matrix(matrix) => Ok(matrix),
            _ => Err(wrong_form()),
        }
    }

    pub(super) fn conv(&self, index: usize) -> Result<&'a PackedConv2d> {
        match self.loaded(index)? {
            Loaded::Conv(kernel) => Ok(kernel),
            _ => Err(wrong_form()),
        }
    }

    pub(super) fn depthwise(&self, index: usize) -> Result<&'a PackedDepthwise> {
        match self.loaded(index)? {
            Loaded::Depthwise(kernel) => Ok(kernel),
            _ => Err(wrong_form()),
        }
    }

    pub(super) fn vector(&self, index: usize) -> Result<&'a [f32]> {
        match self.loaded(index)? {
            Loaded::Vector(values) => Ok(values),
            _ => Err(wrong_form()),
        }
    }
}

pub(super) fn wrong_form() -> Error {
    Error::bug("a weight is not in the form that its step wants")
}

/// A kernel that rejects what a step gives it: the step was prepared wrongly.
pub(super) fn rejected(error: tfjs_kernels::KernelError) -> Error {
    Error::bug(format!("a kernel refused its arguments: {error}"))
}
