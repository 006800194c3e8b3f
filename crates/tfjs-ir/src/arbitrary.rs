//! Random programs and inputs for them, for property tests and fuzzing.
//!
//! Programs have typed values with symbolic dimensions and use most primitives. What the builder rejects is left out.

use crate::array::{Array, Data};
use crate::build::{Builder, Loop};
use crate::dim::Dim;
use crate::interpret::Inputs;
use crate::prim::activate::Activation;
use crate::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use crate::prim::index::Bounds;
use crate::prim::layout::{Padding, Range};
use crate::prim::normalize::{BatchNorm, Norm, Normalize, Softmax};
use crate::prim::recurrent::{Cell, Gate, MaskedOutput, Rnn};
use crate::prim::reduce::{Extreme, ReduceOp, RunningOp};
use crate::prim::source::{Distribution, Random};
use crate::prim::window::PoolOp;
use crate::program::{Origin, Program, Target, Value};
use crate::ty::{ElementType, Type};
use crate::window::{self, Window};
use tfjs_manifest::Result;

/// Where choices come from: given bytes first, then a generator.
#[derive(Clone, Debug)]
pub struct Choices<'a> {
    bytes: &'a [u8],
    generator: crate::random::Stream,
    drawn: u64,
}

impl<'a> Choices<'a> {
    /// Choices that the seed determines.
    pub fn seeded(seed: u64) -> Self {
        Choices::of_bytes(&[], seed)
    }

    /// Choices that these bytes determine, and then the seed.
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

/// What programs may be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taste {
    /// Anything.
    Any,
    /// Composites whose results only go where a rounding error stays small: for comparisons of results that were
    /// rounded in different ways.
    Tame,
}

/// A random program of about as many operations.
///
/// # Errors
/// Those of the builder that have nothing to do with what was chosen.
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
        // What does not fit is no part of the program.
        let _ = maker.operation();
    }
    maker.finish(&[Target::Slot(slot), Target::State(state)])
}

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
    let data = match element {
        _ if element.is_float() => Data::Float((0..count).map(|_| choices.number()).collect()),
        ElementType::Bool => Data::Bool((0..count).map(|_| choices.flip()).collect()),
        ElementType::String => Data::Text((0..count).map(|_| choices.below(9).to_string()).collect()),
        _ => Data::Int((0..count).map(|_| choices.below(7) as i64 - 2).collect()),
    };
    Array::new(element, dims, data)
}

/// A value to choose from.
#[derive(Clone, Copy, Debug)]
struct Known {
    value: Value,
    /// Whether a composite went into it, whose rounding is not defined.
    rounded: bool,
}

struct Maker<'a, 'b> {
    b: Builder,
    choices: &'a mut Choices<'b>,
    values: Vec<Known>,
    taste: Taste,
}

type Made = Option<Vec<Value>>;

impl Maker<'_, '_> {
    /// Adds a random operation. `None` means that there was no operand for it.
    fn operation(&mut self) -> Result<Made> {
        let exact: &[fn(&mut Self) -> Result<Made>] = &[
            Self::unary,
            Self::binary,
            Self::compare,
            Self::select,
            Self::cast,
            Self::arg_reduce,
            Self::sort,
            Self::gather,
            Self::one_hot,
            Self::counters,
            Self::random,
        ];
        let tame: &[fn(&mut Self) -> Result<Made>] = &[
            Self::arithmetic,
            Self::reduce,
            Self::cumulative,
            Self::product,
            Self::conv,
            Self::transpose,
            Self::reshape,
            Self::slice,
            Self::pad,
            Self::concat,
            Self::reverse,
            Self::spread,
            Self::scan,
        ];
        let composite: &[fn(&mut Self) -> Result<Made>] =
            &[Self::activate, Self::softmax, Self::normalize, Self::moments, Self::batch_norm, Self::pool, Self::rnn];
        let kinds = [exact, tame, composite];
        let kind = self.choices.below(kinds.len());
        let make = *self.choices.one_of(kinds[kind]);
        let known = self.values.clone();
        if kind == 0 && self.taste == Taste::Tame {
            self.values.retain(|value| !value.rounded);
        }
        let before = self.b.block().nodes.len();
        let made = make(self);
        self.values = known;
        let made = made?;
        for &value in made.iter().flatten() {
            // Every node that was added for it counts, and what they read.
            let nodes = &self.b.block().nodes[before..];
            let reads = |value: &Value| self.values.iter().any(|known| known.value == *value && known.rounded);
            let rounded = kind == 2 || nodes.iter().flat_map(|node| &node.operands).any(reads);
            self.values.push(Known { value, rounded });
        }
        Ok(made)
    }

    /// Some of the values as outputs, and updates of the targets by values that fit.
    fn finish(mut self, targets: &[Target]) -> Result<Program> {
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

    /// A value of which this holds, one of the last ones more often.
    fn value(&mut self, fits: impl Fn(&Type) -> bool) -> Option<Value> {
        let fitting: Vec<Value> =
            self.values.iter().map(|known| known.value).filter(|&value| fits(self.b.ty(value))).collect();
        let last = fitting.len().checked_sub(1)?;
        let back = if self.choices.flip() { self.choices.below(3).min(last) } else { self.choices.below(last + 1) };
        Some(fitting[last - back])
    }

    fn float(&mut self) -> Option<Value> {
        self.value(|ty| ty.element.is_float())
    }

    /// A floating-point value with a rank of at least this.
    fn ranked(&mut self, rank: usize) -> Option<Value> {
        self.value(|ty| ty.element.is_float() && ty.rank() >= rank)
    }

    /// A value of the same type.
    fn like(&mut self, value: Value) -> Option<Value> {
        let ty = self.b.ty(value).clone();
        self.value(|other| *other == ty)
    }

    fn axis(&mut self, value: Value) -> Option<usize> {
        let rank = self.b.ty(value).rank();
        (rank > 0).then(|| self.choices.below(rank))
    }

    /// One axis or more.
    fn axes(&mut self, value: Value) -> Option<Vec<usize>> {
        let first = self.axis(value)?;
        Some((0..self.b.ty(value).rank()).filter(|&axis| axis == first || self.choices.below(3) == 0).collect())
    }

    /// The last dimension, if it is a number.
    fn channels(&self, value: Value) -> Option<usize> {
        let dim = *self.b.ty(value).dims.last()?;
        self.b.program().dims.known(dim).and_then(|n| usize::try_from(n).ok())
    }

    fn weight(&mut self, dims: &[usize]) -> Result<Value> {
        let array = array(self.choices, ElementType::F32, dims)?;
        self.b.constant(array)
    }
}

macro_rules! some {
    ($option:expr) => {
        match $option {
            Some(value) => value,
            None => return Ok(None),
        }
    };
}

/// Operations that may turn a small difference into a large one.
impl Maker<'_, '_> {
    fn unary(&mut self) -> Result<Made> {
        let op = *self.choices.one_of(UnaryOp::ALL);
        let x = some!(self.value(|ty| ty.element != ElementType::String));
        Ok(Some(vec![self.b.unary(op, x)?]))
    }

    fn binary(&mut self) -> Result<Made> {
        let op = *self.choices.one_of(BinaryOp::ALL);
        let a = some!(self.value(|_| true));
        let b = some!(self.like(a));
        Ok(Some(vec![self.b.binary(op, a, b)?]))
    }

    fn compare(&mut self) -> Result<Made> {
        let op = *self.choices.one_of(CompareOp::ALL);
        let a = some!(self.value(|_| true));
        let b = some!(self.like(a));
        Ok(Some(vec![self.b.compare(op, a, b)?]))
    }

    fn select(&mut self) -> Result<Made> {
        let (condition, a) = (some!(self.value(|ty| ty.element == ElementType::Bool)), some!(self.float()));
        let b = some!(self.like(a));
        Ok(Some(vec![self.b.select(condition, a, b)?]))
    }

    fn cast(&mut self) -> Result<Made> {
        let to = *self.choices.one_of(ElementType::ALL);
        let x = some!(self.value(|_| true));
        if self.taste == Taste::Tame && matches!(to, ElementType::F16 | ElementType::Bf16) {
            return Ok(None);
        }
        Ok(Some(vec![self.b.cast(x, to)?]))
    }

    fn arg_reduce(&mut self) -> Result<Made> {
        let x = some!(self.float());
        let axis = some!(self.axis(x));
        let op = *self.choices.one_of(Extreme::ALL);
        Ok(Some(vec![self.b.arg_reduce(op, x, axis, ElementType::I32)?]))
    }

    fn sort(&mut self) -> Result<Made> {
        let x = some!(self.value(|_| true));
        let axis = some!(self.axis(x));
        let descending = self.choices.flip();
        let (sorted, from) = self.b.sort(x, axis, descending)?;
        Ok(Some(vec![sorted, from]))
    }

    fn gather(&mut self) -> Result<Made> {
        let indices = some!(self.value(|ty| ty.element.is_integer() && ty.rank() < 3));
        let x = some!(self.ranked(1));
        let axis = some!(self.axis(x));
        let rows = self.b.gather(x, indices, axis, Bounds::Clamp)?;
        let added = self.b.scatter_add(x, indices, rows, axis)?;
        Ok(Some(vec![rows, added]))
    }

    fn one_hot(&mut self) -> Result<Made> {
        let indices = some!(self.value(|ty| ty.element.is_integer() && ty.rank() < 3));
        let depth = self.choices.below(5);
        let depth = self.b.number(depth);
        let element = *self.choices.one_of(&[ElementType::F32, ElementType::I32, ElementType::Bool]);
        Ok(Some(vec![self.b.one_hot(indices, depth, element)?]))
    }

    fn counters(&mut self) -> Result<Made> {
        let x = some!(self.value(|ty| ty.rank() > 0));
        let axis = some!(self.axis(x));
        let dims = self.b.dims_of(x);
        let size = self.b.size(dims[axis], ElementType::I32)?;
        Ok(Some(vec![self.b.iota(axis, &dims, ElementType::F32)?, size]))
    }

    fn random(&mut self) -> Result<Made> {
        let x = some!(self.value(|_| true));
        let distribution = *self.choices.one_of(Distribution::ALL);
        let dims = self.b.dims_of(x);
        let seed = self.b.constant(Array::scalar(ElementType::I64, 7.0))?;
        let stream = self.b.stream();
        Ok(Some(vec![self.b.one(Random { distribution, dims, stream }, &[seed])?]))
    }
}

/// Operations that keep small differences small.
impl Maker<'_, '_> {
    fn arithmetic(&mut self) -> Result<Made> {
        let op = *self.choices.one_of(&[BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::Max, BinaryOp::Min]);
        let a = some!(self.float());
        let same = self.like(a);
        let other = if self.choices.below(4) == 0 { self.float() } else { same };
        Ok(Some(vec![self.b.binary(op, a, some!(other))?]))
    }

    fn reduce(&mut self) -> Result<Made> {
        let x = some!(self.ranked(1));
        let (axes, keep) = (some!(self.axes(x)), self.choices.flip());
        let op = *self.choices.one_of(&[ReduceOp::Sum, ReduceOp::Mean, ReduceOp::Max, ReduceOp::Min]);
        let reduced = self.b.reduce(op, x, &axes, true)?;
        let dims = self.b.dims_of(reduced);
        let summed = self.b.sum_to(x, &dims)?;
        Ok(Some(vec![summed, self.b.reduce(op, x, &axes, keep)?]))
    }

    fn cumulative(&mut self) -> Result<Made> {
        let x = some!(self.ranked(1));
        let axis = some!(self.axis(x));
        let (reverse, exclusive) = (self.choices.flip(), self.choices.flip());
        Ok(Some(vec![self.b.cumulative(RunningOp::Sum, x, axis, reverse, exclusive)?]))
    }

    fn product(&mut self) -> Result<Made> {
        let x = some!(self.ranked(1));
        let channels = some!(self.channels(x));
        let columns = self.choices.below(3) + 1;
        let weight = self.weight(&[channels, columns])?;
        let product = self.b.matmul(x, weight)?;
        let last = self.b.ty(x).rank() - 1;
        let batch: Vec<(usize, usize)> = if last > 0 { vec![(0, 0)] } else { vec![] };
        let own = self.b.dot(x, x, &batch, &[(last, last)])?;
        Ok(Some(vec![product, own]))
    }

    fn window(&mut self, dilated: bool) -> Result<Window> {
        use window::Padding::{Exact, Same, Valid};
        let size = self.choices.below(3) + 1;
        let (stride, dilation) = (self.choices.below(3) + 1, if dilated { self.choices.below(2) + 1 } else { 1 });
        let padding =
            *self.choices.one_of(&[Valid, Same, Exact { before: 1, after: 2 }, Exact { before: 0, after: 1 }]);
        Window::new(size, stride, dilation, padding)
    }

    fn windows(&mut self, x: Value, dilated: bool) -> Result<Vec<Window>> {
        (2..self.b.ty(x).rank()).map(|_| self.window(dilated)).collect()
    }

    fn conv(&mut self) -> Result<Made> {
        let x = some!(self.value(|ty| ty.element == ElementType::F32 && (3..=4).contains(&ty.rank())));
        let channels = some!(self.channels(x));
        let windows = self.windows(x, true)?;
        let groups = if channels == 2 && self.choices.flip() { 2 } else { 1 };
        let mut dims: Vec<usize> = windows.iter().map(|window| window.size).collect();
        dims.extend([channels / groups, 2]);
        let kernel = self.weight(&dims)?;
        let y = self.b.conv(x, kernel, &windows, groups)?;
        let dims = self.b.dims_of(x);
        let back = self.b.conv_input(y, kernel, &windows, groups, &dims[1..dims.len() - 1])?;
        Ok(Some(vec![self.b.conv_kernel(x, y, &windows, groups)?, back, y]))
    }

    fn transpose(&mut self) -> Result<Made> {
        let x = some!(self.ranked(2));
        let mut order: Vec<usize> = (0..self.b.ty(x).rank()).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, self.choices.below(i + 1));
        }
        let y = self.b.transpose(x, &order)?;
        Ok(Some(vec![y, self.b.transpose(y, &order)?]))
    }

    fn reshape(&mut self) -> Result<Made> {
        let x = some!(self.ranked(2));
        let mut dims = self.b.dims_of(x);
        let last = dims.pop().unwrap_or(Dim::ONE);
        if let Some(before) = dims.last_mut() {
            *before = self.b.dims().mul(*before, last)?;
        }
        let flat = self.b.reshape(x, &dims)?;
        let old = self.b.dims_of(x);
        Ok(Some(vec![flat, self.b.reshape(flat, &old)?]))
    }

    fn slice(&mut self) -> Result<Made> {
        let x = some!(self.ranked(1));
        let axis = some!(self.axis(x));
        let dim = self.b.ty(x).dims[axis];
        let step = self.choices.below(3) as u64 + 1;
        let start = self.choices.below(2);
        let len = if self.choices.flip() { self.b.dims().div_floor(dim, step)? } else { Dim::ONE };
        let range = Range { start: self.b.number(start), len, step };
        Ok(Some(vec![self.b.slice_axis(x, axis, range)?]))
    }

    fn pad(&mut self) -> Result<Made> {
        let x = some!(self.ranked(1));
        let axis = some!(self.axis(x));
        let mut padding = vec![Padding::NONE; self.b.ty(x).rank()];
        let (low, high) = (self.choices.below(3), self.choices.below(3));
        padding[axis] =
            Padding { low: self.b.number(low), high: self.b.number(high), interior: self.choices.below(2) as u64 };
        let value = self.choices.number();
        Ok(Some(vec![self.b.pad(x, &padding, value)?]))
    }

    fn concat(&mut self) -> Result<Made> {
        let x = some!(self.value(|ty| ty.rank() > 0));
        let axis = some!(self.axis(x));
        let y = some!(self.like(x));
        Ok(Some(vec![self.b.concat(&[x, y, x], axis)?]))
    }

    fn reverse(&mut self) -> Result<Made> {
        let x = some!(self.value(|ty| ty.rank() > 0));
        let axes = some!(self.axes(x));
        Ok(Some(vec![self.b.reverse(x, &axes)?]))
    }

    fn spread(&mut self) -> Result<Made> {
        let x = some!(self.value(|ty| ty.rank() < 4));
        let mut dims = self.b.dims_of(x);
        let count = self.choices.below(3) + 1;
        dims.insert(0, self.b.number(count));
        Ok(Some(vec![self.b.broadcast_to(x, &dims)?]))
    }

    fn scan(&mut self) -> Result<Made> {
        let x = some!(self.ranked(2));
        let axis = some!(self.axis(x));
        let mut dims = self.b.dims_of(x);
        let length = dims.remove(axis);
        let start = self.b.full(self.b.ty(x).element, &dims, 0.25)?;
        let half = self.b.scalar(self.b.ty(x).element, 0.5)?;
        let over = Loop {
            carries: &[start],
            sequences: &[x],
            invariants: &[half],
            length,
            axis,
            reverse: self.choices.flip(),
        };
        let function = Activation::Tanh {};
        let (mut finals, collected) = self.b.scan(over, |b, carries, elements, invariants| {
            let kept = b.mul(carries[0], invariants[0])?;
            let sum = b.add(kept, elements[0])?;
            let next = b.unary(UnaryOp::Tanh, sum)?;
            let unused = b.add(sum, sum)?;
            let active = b.activate(function, sum)?;
            Ok((vec![next], vec![active, unused]))
        })?;
        finals.extend(collected);
        Ok(Some(finals))
    }
}

/// Composites.
impl Maker<'_, '_> {
    fn activation(&mut self) -> Activation {
        let a = self.choices.below(8) as f64 / 8.0 + 0.125;
        *self.choices.one_of(&[
            Activation::RELU,
            Activation::RELU6,
            Activation::Relu { max: 1.0, negative_slope: a, threshold: 0.0 },
            Activation::Elu { alpha: a },
            Activation::Selu {},
            Activation::Sigmoid {},
            Activation::HardSigmoid { slope: 0.2, offset: 0.5 },
            Activation::Tanh {},
            Activation::Softplus {},
            Activation::Softsign {},
            Activation::Silu {},
            Activation::HardSilu {},
            Activation::Gelu {},
            Activation::GeluTanh {},
            Activation::Mish {},
            Activation::Celu { alpha: a },
            Activation::SoftShrink { lambda: a },
            Activation::Clip { low: -a, high: a },
            Activation::LogSigmoid {},
            Activation::TanhShrink {},
            Activation::SparsePlus {},
            Activation::Squareplus { b: 4.0 },
        ])
    }

    fn activate(&mut self) -> Result<Made> {
        let function = self.activation();
        let x = some!(self.float());
        Ok(Some(vec![self.b.activate(function, x)?]))
    }

    fn softmax(&mut self) -> Result<Made> {
        let x = some!(self.ranked(1));
        let (axes, log) = (some!(self.axes(x)), self.choices.flip());
        Ok(Some(vec![self.b.one(Softmax { axes, log }, &[x])?]))
    }

    fn normalize(&mut self) -> Result<Made> {
        let x = some!(self.ranked(1));
        let channels = some!(self.channels(x));
        let norm = *self.choices.one_of(Norm::ALL);
        let axes = some!(self.axes(x));
        let (scale, center) = (self.choices.flip(), self.choices.flip());
        let mut operands = vec![x];
        for _ in 0..usize::from(scale) + usize::from(center) {
            operands.push(self.weight(&[channels])?);
        }
        Ok(Some(vec![self.b.one(Normalize { norm, axes, epsilon: 0.25, scale, center }, &operands)?]))
    }

    fn moments(&mut self) -> Result<Made> {
        let x = some!(self.ranked(1));
        let axes = some!(self.axes(x));
        let (mean, variance) = self.b.moments(x, &axes)?;
        Ok(Some(vec![mean, variance]))
    }

    fn batch_norm(&mut self) -> Result<Made> {
        let x = some!(self.ranked(1));
        let channels = some!(self.channels(x));
        let mean = self.weight(&[channels])?;
        let variance = self.b.mul(mean, mean)?;
        let center = self.choices.flip();
        let mut operands = vec![x, mean, variance];
        if center {
            operands.push(self.weight(&[channels])?);
        }
        Ok(Some(vec![self.b.one(BatchNorm { epsilon: 0.5, scale: false, center }, &operands)?]))
    }

    fn pool(&mut self) -> Result<Made> {
        let x = some!(self.value(|ty| ty.element.is_float() && (3..=5).contains(&ty.rank())));
        let windows = self.windows(x, false)?;
        let op = *self.choices.one_of(PoolOp::ALL);
        Ok(Some(vec![self.b.pool(op, x, &windows)?]))
    }

    fn rnn(&mut self) -> Result<Made> {
        let x = some!(self.value(|ty| ty.element == ElementType::F32 && ty.rank() == 3));
        let channels = some!(self.channels(x));
        let (cell, units) = (*self.choices.one_of(Cell::ALL), self.choices.below(2) + 1);
        let columns = cell.gates() * units;
        let (bias, backwards, wants_mask) = (self.choices.flip(), self.choices.flip(), self.choices.flip());
        let dims = self.b.dims_of(x);
        let mask = self.value(|ty| ty.element == ElementType::Bool && ty.dims == dims[..2]).filter(|_| wants_mask);
        let mut operands = vec![x, self.weight(&[channels, columns])?, self.weight(&[units, columns])?];
        if bias {
            let rows: &[usize] = if cell == Cell::GruResetAfter { &[2, columns] } else { &[columns] };
            operands.push(self.weight(rows)?);
        }
        let initial = self.weight(&[units])?;
        let units = self.b.number(units);
        for _ in 0..cell.states() {
            operands.push(self.b.broadcast_to(initial, &[dims[0], units])?);
        }
        operands.extend(mask);
        let rnn = Rnn {
            cell,
            activation: Gate(Some(Activation::Tanh {})),
            recurrent_activation: Gate(Some(Activation::Sigmoid {})),
            backwards,
            bias,
            mask: mask.is_some(),
            masked_output: *self.choices.one_of(MaskedOutput::ALL),
        };
        self.b.push(rnn, &operands).map(Some)
    }
}

#[cfg(test)]
pub(crate) mod tests;
