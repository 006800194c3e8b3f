//! The cost of nodes in arithmetic operations and bytes, once the dimensions are bound.
//!
//! An operation is one addition, multiplication, comparison or call of a function of one element. The numbers are those
//! of a plain kernel; they serve estimates and limits, not timing. Sums saturate.
//!
//! [`work`] is the estimate for limits. It includes CPU time that is not arithmetic: window kernels compute sixteen
//! channels at a time even if there are fewer, and each step of a sequence costs its dispatch.

use crate::dim::{Bound, Dim};
use crate::prim::Prim;
use crate::prim::recurrent::Rnn;
use crate::program::{Block, Node, Program, Value};
use crate::ty::Type;
use tfjs_manifest::Result;

/// The cost of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Arithmetic operations. Rearrangements have none.
    pub flops: u64,
    /// Bytes of the operands and of the results.
    pub bytes: u64,
}

/// The cost of a node of a block. A loop costs its body times its steps.
///
/// # Errors
/// A dimension without a value.
pub fn cost(block: &Block, node: &Node, bound: &Bound) -> Result<Cost> {
    let count = Count { block, node, bound };
    if let Prim::Scan(scan) = &node.prim {
        let steps = bound.get(scan.length)? as u64;
        let mut flops = 0u64;
        let mut bytes = 0u64;
        for node in &scan.body.nodes {
            let cost = cost(&scan.body, node, bound)?;
            (flops, bytes) = (flops.saturating_add(cost.flops), bytes.saturating_add(cost.bytes));
        }
        let around = count.bytes()?;
        return Ok(Cost { flops: flops.saturating_mul(steps), bytes: bytes.saturating_mul(steps).max(around) });
    }
    Ok(Cost { flops: count.flops()?, bytes: count.bytes()? })
}

/// Channels that window kernels compute together.
const LANES: u64 = 16;
/// The least work of one step of a recurrent layer, in operations.
const STEP: u64 = 20_000;
/// The least work of running one node of a loop body, in operations.
const DISPATCH: u64 = 5_000;

/// The work of a program in operations. A node counts at least one, and at least one for each element of its results.
///
/// # Errors
/// A dimension without a value.
pub fn work(program: &Program, bound: &Bound) -> Result<u64> {
    work_of(&program.body, bound)
}

fn work_of(block: &Block, bound: &Bound) -> Result<u64> {
    let mut total = 0u64;
    for node in &block.nodes {
        let count = Count { block, node, bound };
        let own = match &node.prim {
            Prim::Scan(scan) => {
                let dispatched = (scan.body.nodes.len() as u64).saturating_mul(DISPATCH);
                work_of(&scan.body, bound)?.saturating_add(dispatched).saturating_mul(bound.get(scan.length)? as u64)
            }
            Prim::Rnn(_) => count.flops()?.max(count.dim_of(0, 1)?.saturating_mul(STEP)),
            Prim::Conv(_) | Prim::ConvInput(_) | Prim::ConvKernel(_) | Prim::Pool(_) => count.in_lanes()?,
            _ => count.flops()?,
        };
        total = total.saturating_add(own.max(count.written()?).max(1));
    }
    Ok(total)
}

/// Counts the operations of one node.
struct Count<'a> {
    block: &'a Block,
    node: &'a Node,
    bound: &'a Bound,
}

impl Count<'_> {
    fn flops(&self) -> Result<u64> {
        let (x, y) = (self.operand(0)?, self.result(0)?);
        Ok(match &self.node.prim {
            Prim::Input(_)
            | Prim::Param(_)
            | Prim::State(_)
            | Prim::Const(_)
            | Prim::Sizes(_)
            | Prim::Reshape(_)
            | Prim::Transpose(_)
            | Prim::Broadcast(_)
            | Prim::Slice(_)
            | Prim::Pad(_)
            | Prim::Concat(_)
            | Prim::Reverse(_)
            | Prim::Gather(_)
            | Prim::Opaque(_) => 0,
            Prim::Iota(_)
            | Prim::Unary(_)
            | Prim::Binary(_)
            | Prim::Compare(_)
            | Prim::Select(_)
            | Prim::Cast(_)
            | Prim::OneHot(_)
            | Prim::Lookup(_)
            | Prim::ToText(_) => y,
            Prim::Cross(_) => y.saturating_mul(self.node.operands.len() as u64),
            Prim::Reduce(_) | Prim::SumTo(_) | Prim::ArgReduce(_) | Prim::Cumulative(_) => x,
            Prim::Activate(_) => y.saturating_mul(4),
            Prim::Random(_) => y.saturating_mul(16),
            Prim::ScatterAdd(_) => self.operand(2)?,
            Prim::Moments(_) | Prim::BatchNorm(_) => x.saturating_mul(4),
            Prim::Softmax(_) => x.saturating_mul(5),
            Prim::Normalize(_) => x.saturating_mul(8),
            Prim::Sort(sort) => {
                let length = self.dim_of(0, sort.axis)?;
                x.saturating_mul(u64::from(u64::BITS - length.leading_zeros()))
            }
            Prim::Dot(dot) => {
                let mut depth = 1u64;
                for &(axis, _) in &dot.contract {
                    depth = depth.saturating_mul(self.dim_of(0, axis)?);
                }
                y.saturating_mul(depth).saturating_mul(2)
            }
            // Every element of the kernel is used once for each output position and batch entry.
            Prim::Conv(_) => self.convolution(self.operand(1)?, self.node.results.first())?,
            Prim::ConvInput(_) => self.convolution(self.operand(1)?, self.node.operands.first())?,
            Prim::ConvKernel(_) => self.convolution(y, self.node.operands.get(1))?,
            // A window that is larger than its axis reads no more than the axis.
            Prim::Pool(pool) => {
                let mut window = 1u64;
                for (i, along) in pool.windows.iter().enumerate() {
                    window = window.saturating_mul((along.size as u64).min(self.dim_of(0, i + 1)?));
                }
                y.saturating_mul(window)
            }
            Prim::Rnn(rnn) => self.recurrence(rnn)?,
            Prim::Scan(_) => 0, // counted by its body
        })
    }

    /// Two operations for each element of the kernel at each position of an array `[n, s'.., o]`.
    fn convolution(&self, kernel: u64, positions: Option<&Value>) -> Result<u64> {
        let Some(&value) = positions else { return Ok(0) };
        let dims = &self.block.ty(value).dims;
        let positions = self.product(dims.split_last().map_or(&[], |(_, positions)| positions))?;
        Ok(positions.saturating_mul(kernel).saturating_mul(2))
    }

    /// Two products for each step, and some operations for each gate.
    fn recurrence(&self, rnn: &Rnn) -> Result<u64> {
        let steps = self.dim_of(0, 0)?.saturating_mul(self.dim_of(0, 1)?);
        let weights = self.operand(1)?.saturating_add(self.operand(2)?);
        let gates = self.dim_of(2, 0)?.saturating_mul(rnn.cell.gates() as u64);
        let step = weights.saturating_mul(2).saturating_add(gates.saturating_mul(8));
        Ok(steps.saturating_mul(step))
    }

    /// The operations of a window kernel, including unused lanes.
    fn in_lanes(&self) -> Result<u64> {
        let last = self.node.results.first().and_then(|&value| self.block.ty(value).dims.last());
        let channels = last.map_or(Ok(1), |&dim| self.bound.get(dim))?.max(1) as u64;
        let lanes = channels.div_ceil(LANES).saturating_mul(LANES);
        let flops = u128::from(self.flops()?) * u128::from(lanes) / u128::from(channels);
        Ok(u64::try_from(flops).unwrap_or(u64::MAX))
    }

    /// The elements of all results.
    fn written(&self) -> Result<u64> {
        let mut total = 0u64;
        for &value in &self.node.results {
            total = total.saturating_add(self.elements(self.block.ty(value))?);
        }
        Ok(total)
    }

    fn bytes(&self) -> Result<u64> {
        let mut total = 0u64;
        for &value in self.node.operands.iter().chain(&self.node.results) {
            let ty = self.block.ty(value);
            total = total.saturating_add(self.elements(ty)?.saturating_mul(ty.element.bytes() as u64));
        }
        Ok(total)
    }

    /// The number of elements of an operand; 0 if there is no such operand.
    fn operand(&self, i: usize) -> Result<u64> {
        self.node.operands.get(i).map_or(Ok(0), |&value| self.elements(self.block.ty(value)))
    }

    fn result(&self, i: usize) -> Result<u64> {
        self.node.results.get(i).map_or(Ok(0), |&value| self.elements(self.block.ty(value)))
    }

    /// The length of an axis of an operand; 1 if there is no such operand or axis.
    fn dim_of(&self, operand: usize, axis: usize) -> Result<u64> {
        let ty = self.node.operands.get(operand).map(|&value| self.block.ty(value));
        ty.and_then(|ty| ty.dims.get(axis)).map_or(Ok(1), |&dim| Ok(self.bound.get(dim)? as u64))
    }

    fn elements(&self, ty: &Type) -> Result<u64> {
        self.product(&ty.dims)
    }

    fn product(&self, dims: &[Dim]) -> Result<u64> {
        let lengths = dims.iter().map(|&dim| self.bound.get(dim)).collect::<Result<Vec<usize>>>()?;
        // A product with an empty axis is 0, even if the other factors overflow.
        if lengths.contains(&0) {
            return Ok(0);
        }
        Ok(lengths.iter().fold(1u64, |product, &n| product.saturating_mul(n as u64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{Builder, Loop};
    use crate::ty::ElementType;

    #[track_caller]
    fn check(batch: usize, build: impl FnOnce(&mut Builder, Value) -> Result<Value>, flops: u64, bytes: u64) {
        let mut b = Builder::default();
        let (n, four, three) = (b.dims().symbol("batch"), b.number(4), b.number(3));
        let x = b.input("x", Type::new(ElementType::F32, [n, four, three])).unwrap();
        let y = build(&mut b, x).unwrap();
        let program = b.finish(vec![("y".to_string(), y)]).unwrap();
        let bound = program.bind(&[&[batch, 4, 3]]).unwrap();
        let node = program.body.node_of(program.body.results[0]).unwrap();
        assert_eq!(cost(&program.body, node, &bound).unwrap(), Cost { flops, bytes });
    }

    #[test]
    fn products_and_rearrangements() {
        check(2, |b, x| b.add(x, x), 24, 3 * 24 * 4);
        check(2, |b, x| b.transpose(x, &[2, 0, 1]), 0, 2 * 24 * 4);
        let weight = |b: &mut Builder, dims: &[usize]| {
            let count = dims.iter().product();
            b.constant(crate::array::Array::floats(dims, vec![0.5; count])?)
        };
        check(
            2,
            |b, x| {
                let w = weight(b, &[3, 5])?;
                b.matmul(x, w)
            },
            2 * 8 * 3 * 5,
            4 * (24 + 15 + 40),
        );
        check(
            2,
            |b, x| {
                let w = weight(b, &[2, 3, 5])?;
                b.conv(x, w, &["2:valid".parse()?], 1)
            },
            2 * (2 * 3) * 30,
            4 * (24 + 30 + 30),
        );
        check(0, |b, x| b.add(x, x), 0, 0);
    }

    #[test]
    fn loops_count_their_steps() {
        let mut b = Builder::default();
        let length = b.dims().symbol("length");
        let x = b.input("x", Type::new(ElementType::F32, [length])).unwrap();
        let zero = b.scalar(ElementType::F32, 0.0).unwrap();
        let over = Loop { carries: &[zero], sequences: &[x], invariants: &[], length, axis: 0, reverse: false };
        let (finals, _) = b.scan(over, |b, c, x, _| Ok((vec![b.add(c[0], x[0])?], vec![]))).unwrap();
        let program = b.finish(vec![("y".to_string(), finals[0])]).unwrap();
        let bound = |n: u64| program.dims.bind(&[(length, n)]).unwrap();
        // The nodes are the input, the zero and the steps.
        assert_eq!(work(&program, &bound(10)).unwrap(), 10 + 1 + 10 * (1 + DISPATCH));
        assert_eq!(work(&program, &bound(0)).unwrap(), 1 + 1 + 1);
        assert_eq!(work(&program, &bound(u64::MAX / 2)).unwrap(), u64::MAX);
    }
}
