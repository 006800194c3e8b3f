//! Makes programs: chooses operations and operands among the values so far.

use super::{Choices, Taste, array};
use crate::build::Builder;
use crate::program::{Program, Target, Value};
use crate::ty::{ElementType, Type};
use tfjs_manifest::Result;

/// A value to choose from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) value: Value,
    /// Whether it depends on a composite, whose rounding is not specified.
    pub(super) rounded: bool,
}

/// A program under construction.
#[derive(Debug)]
pub(super) struct Maker<'a, 'b> {
    pub(super) b: Builder,
    pub(super) choices: &'a mut Choices<'b>,
    pub(super) values: Vec<Known>,
    pub(super) taste: Taste,
}

/// The results of an operation; `None` if no operand fits it.
pub(super) type Made = Option<Vec<Value>>;

impl Maker<'_, '_> {
    /// Adds a random operation. Returns `None` if no operand fits it.
    pub(super) fn operation(&mut self) -> Result<Made> {
        let kinds = [Self::exact(), Self::tame(), Self::composite()];
        let kind = self.choices.below(kinds.len());
        let make = *self.choices.one_of(&kinds[kind]);
        let known = self.values.clone();
        if kind == 0 && self.taste == Taste::Tame {
            self.values.retain(|value| !value.rounded);
        }
        let before = self.b.block().nodes.len();
        let made = make(self);
        self.values = known;
        let made = made?;
        for &value in made.iter().flatten() {
            // The result is rounded if any node added for it is, or reads a rounded value.
            let nodes = &self.b.block().nodes[before..];
            let reads = |value: &Value| self.values.iter().any(|known| known.value == *value && known.rounded);
            let rounded = kind == 2 || nodes.iter().flat_map(|node| &node.operands).any(reads);
            self.values.push(Known { value, rounded });
        }
        Ok(made)
    }

    /// Finishes the program: some of the values become outputs, and each target is updated by a value of its type.
    pub(super) fn finish(mut self, targets: &[Target]) -> Result<Program> {
        for &target in targets {
            let old = self.b.get(target)?;
            let ty = self.b.ty(old).clone();
            let fits = self.values.iter().rev().find(|known| *self.b.ty(known.value) == ty).copied();
            if let Some(known) = fits.filter(|known| known.value != old) {
                self.b.set(target, known.value)?;
            }
        }
        let count = self.values.len();
        let outputs = self.values.iter().skip(count.saturating_sub(6)).enumerate();
        let outputs = outputs.map(|(i, known)| (format!("y{i}"), known.value)).collect();
        self.b.finish(outputs)
    }

    /// A value whose type satisfies `fits`; recent values are more likely.
    pub(super) fn value(&mut self, fits: impl Fn(&Type) -> bool) -> Option<Value> {
        let fitting: Vec<Value> =
            self.values.iter().map(|known| known.value).filter(|&value| fits(self.b.ty(value))).collect();
        let last = fitting.len().checked_sub(1)?;
        let back = if self.choices.flip() { self.choices.below(3).min(last) } else { self.choices.below(last + 1) };
        Some(fitting[last - back])
    }

    pub(super) fn float(&mut self) -> Option<Value> {
        self.value(|ty| ty.element.is_float())
    }

    /// A floating-point value of at least this rank.
    pub(super) fn ranked(&mut self, rank: usize) -> Option<Value> {
        self.value(|ty| ty.element.is_float() && ty.rank() >= rank)
    }

    /// A value of the same type.
    pub(super) fn like(&mut self, value: Value) -> Option<Value> {
        let ty = self.b.ty(value).clone();
        self.value(|other| *other == ty)
    }

    pub(super) fn axis(&mut self, value: Value) -> Option<usize> {
        let rank = self.b.ty(value).rank();
        (rank > 0).then(|| self.choices.below(rank))
    }

    /// One or more axes.
    pub(super) fn axes(&mut self, value: Value) -> Option<Vec<usize>> {
        let first = self.axis(value)?;
        Some((0..self.b.ty(value).rank()).filter(|&axis| axis == first || self.choices.below(3) == 0).collect())
    }

    /// The last dimension, if it is a number.
    pub(super) fn channels(&self, value: Value) -> Option<usize> {
        let dim = *self.b.ty(value).dims.last()?;
        self.b.program().dims.known(dim).and_then(|n| usize::try_from(n).ok())
    }

    pub(super) fn weight(&mut self, dims: &[usize]) -> Result<Value> {
        let array = array(self.choices, ElementType::F32, dims)?;
        self.b.constant(array)
    }
}
