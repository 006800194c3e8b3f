//! The operations that programs are made of.

use super::Taste;
use super::maker::{Made, Maker};
use crate::array::Array;
use crate::build::Loop;
use crate::dim::Dim;
use crate::prim::activate::Activation;
use crate::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use crate::prim::index::Bounds;
use crate::prim::layout::{Padding, Range};
use crate::prim::normalize::{BatchNorm, Norm, Normalize, Softmax};
use crate::prim::recurrent::{Cell, Gate, MaskedOutput, Rnn};
use crate::prim::reduce::{Extreme, ReduceOp, RunningOp};
use crate::prim::source::{Distribution, Random};
use crate::prim::window::PoolOp;
use crate::program::Value;
use crate::ty::ElementType;
use crate::window::{self, Window};
use tfjs_manifest::Result;

/// Adds an operation with random operands and attributes.
pub(super) type Operation<'a, 'b> = fn(&mut Maker<'a, 'b>) -> Result<Made>;

impl<'a, 'b> Maker<'a, 'b> {
    /// Operations that may amplify a small difference.
    pub(super) fn exact() -> Vec<Operation<'a, 'b>> {
        vec![
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
        ]
    }

    /// Operations that do not amplify small differences.
    pub(super) fn tame() -> Vec<Operation<'a, 'b>> {
        vec![
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
        ]
    }

    /// Composites.
    pub(super) fn composite() -> Vec<Operation<'a, 'b>> {
        vec![Self::activate, Self::softmax, Self::normalize, Self::moments, Self::batch_norm, Self::pool, Self::rnn]
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

/// Operations that may amplify a small difference.
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

/// Operations that do not amplify small differences.
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
