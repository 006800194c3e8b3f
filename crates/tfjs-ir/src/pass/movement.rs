//! Cancels rearrangements: transposes of transposes, reshapes of reshapes, reversals of reversals.

use super::copy::{Copy, with_body};
use crate::dim::{Dim, Dims};
use crate::prim::Prim;
use crate::prim::layout::{Reshape, Transpose};
use crate::program::{Block, Program, Value};
use tfjs_manifest::{Error, Result};

/// Merges two consecutive rearrangements of one kind into one, or removes both. Nodes that become unused stay, for
/// [`dead_code`](super::dead_code).
///
/// # Errors
/// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for a program that does not verify.
pub fn movement(program: &Program) -> Result<Program> {
    let mut dims = program.dims.clone();
    let (body, values) = cancel(&program.body, &mut dims)?.into_parts();
    let value = |old: Value| values[old.index()].ok_or_else(|| Error::bug(format!("%{} is not computed", old.0)));
    Ok(Program { dims, ..super::with_body(program, body, value)? })
}

fn cancel<'a>(block: &'a Block, dims: &mut Dims) -> Result<Copy<'a>> {
    let mut copy = Copy::with_parameters(block)?;
    for node in &block.nodes {
        let operands = copy.operands(node)?;
        let simpler = match (&operands[..], &node.results[..]) {
            (&[x], &[result]) => simpler(copy.block(), dims, &node.prim, x).map(|simpler| (simpler, result)),
            _ => None,
        };
        match simpler {
            Some((Simpler::Value(new), result)) if copy.same_type(result, new) => copy.replace(result, new),
            Some((Simpler::Node(prim, x), _)) => copy.push(prim, vec![x], &node.results, node.origin)?,
            _ => {
                let prim = with_body(&node.prim, |body| cancel(body, dims)?.finish(&body.results))?;
                copy.push(prim, operands, &node.results, node.origin)?;
            }
        }
    }
    Ok(copy)
}

/// The simpler form of a rearrangement.
enum Simpler {
    /// An existing value.
    Value(Value),
    /// One primitive applied to an earlier value.
    Node(Prim, Value),
}

/// The simpler form of this primitive on `x`, if it is a rearrangement and has one.
fn simpler(block: &Block, dims: &mut Dims, prim: &Prim, x: Value) -> Option<Simpler> {
    let inner = block.node_of(x).and_then(|node| Some((&node.prim, *node.operands.first()?)));
    match (prim, inner) {
        (Prim::Transpose(outer), inner) => {
            let (order, from) = match inner {
                Some((Prim::Transpose(inner), from)) => {
                    let order = outer.order.iter().map(|&axis| inner.order.get(axis).copied());
                    (order.collect::<Option<Vec<usize>>>()?, from)
                }
                _ => (outer.order.clone(), x),
            };
            if order.iter().enumerate().all(|(i, &axis)| i == axis) {
                return Some(Simpler::Value(from));
            }
            (from != x).then(|| Simpler::Node(Transpose { order }.into(), from))
        }
        (Prim::Reshape(outer), _) if block.ty(x).dims == outer.dims => Some(Simpler::Value(x)),
        (Prim::Reshape(outer), Some((Prim::Reshape(_), from))) => {
            if block.ty(from).dims == outer.dims {
                return Some(Simpler::Value(from));
            }
            // If the equality depends on a guard of the step in between, the step stays.
            let same = same_count(dims, &block.ty(from).dims, &outer.dims);
            same.then(|| Simpler::Node(Reshape { dims: outer.dims.clone() }.into(), from))
        }
        (Prim::Reverse(outer), Some((Prim::Reverse(inner), from))) => {
            let same = |a: &[usize], b: &[usize]| a.iter().all(|axis| b.contains(axis));
            let inverse = same(&outer.axes, &inner.axes) && same(&inner.axes, &outer.axes);
            inverse.then_some(Simpler::Value(from))
        }
        _ => None,
    }
}

/// Whether two shapes certainly have the same number of elements.
fn same_count(dims: &mut Dims, a: &[Dim], b: &[Dim]) -> bool {
    matches!((dims.product(a), dims.product(b)), (Ok(a), Ok(b)) if a == b)
}
