//! The inputs and outputs of a running step: its operands, its results, and the context of the call.

use super::buffer::{Buffer, Element, Slice, wrong_type};
use super::held::Loaded;
use crate::engine::call::OpaqueFunction;
use std::sync::Arc;
use std::time::Instant;
use tfjs_ir::{Bound, Clock, Program, check_deadline};
use tfjs_kernels::{Cpu, KernelError, PackedConv2d, PackedDepthwise, PackedMatrix};
use tfjs_manifest::{Error, Result};

/// The location of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// In a buffer of the arena.
    Arena(usize),
    /// In memory that the caller or the plan owns, by position.
    Outside(usize),
}

/// An operand of a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) place: Place,
    pub(super) len: usize,
}

/// A result of a step. An unused result has no buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sink {
    pub(super) buffer: Option<usize>,
    pub(super) len: usize,
}

/// The context shared by all steps of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) cpu: &'a Cpu,
    pub(super) program: &'a Program,
    pub(super) bound: &'a Bound,
    /// The weights in the forms that kernels need.
    pub(super) loaded: &'a [Loaded],
    /// The number of values outside the arena that the plan holds; they come first.
    pub(super) held: usize,
    pub(super) functions: &'a [Arc<dyn OpaqueFunction>],
    pub(super) deadline: Option<Instant>,
}

impl Context<'_> {
    /// A clock with the deadline of the call.
    pub(super) fn clock(&self) -> Clock {
        Clock::new(self.deadline)
    }

    /// Fails if the deadline of the call has passed.
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

    /// The elements of an operand, of the expected type.
    pub(super) fn get<T: Element>(self, index: usize) -> Result<&'a [T]> {
        T::read(self.slice(index)?).ok_or_else(wrong_type)
    }
}

/// The results of a step.
#[derive(Debug)]
pub(super) struct Outs<'a> {
    pub(super) sinks: &'a [Sink],
    /// The buffers, taken out of the arena, in the order of the sinks; then the nested ones that the step requested.
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

    /// All results, of one type; `None` for unused results.
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

/// The arguments of a running step.
#[derive(Debug)]
pub(super) struct Io<'a> {
    pub(super) cx: Context<'a>,
    pub(super) ins: Ins<'a>,
    pub(super) outs: Outs<'a>,
    /// The operand whose buffer the first result has taken. Its elements are in the result; the operand must not be
    /// read.
    pub(super) in_place: Option<usize>,
    /// The weights of this step, as indices into all loaded weights.
    pub(super) wants: &'a [usize],
}

impl<'a> Io<'a> {
    /// The first result, filled with the elements of an operand: they are copied unless the result has taken their
    /// buffer.
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

    /// A weight in the form that the step needs.
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

/// Converts the error of a kernel: without memory for a packed operand it is a limit. A kernel that rejects its
/// arguments was prepared wrongly.
pub(super) fn rejected(error: KernelError) -> Error {
    match error {
        KernelError::TooLarge { .. } => Error::limit(format!("no memory for the operand of a kernel: {error}")),
        error => Error::bug(format!("a kernel rejected its arguments: {error}")),
    }
}
