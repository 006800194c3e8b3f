//! Copies a program node by node through a builder, which infers types and records guards again. Passes build on this.

use crate::build::{Builder, Loop};
use crate::prim::Prim;
use crate::program::{Block, Node, Program, Update, Value};
use tfjs_manifest::{Error, Result};

/// Builds a replacement of a node and returns its results, or `None` to copy the node.
pub type Replace<'a> = dyn FnMut(&mut Builder, &Node, &[Value]) -> Result<Option<Vec<Value>>> + 'a;

/// The nodes of a program that may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// The nodes of its body; loops are copied unchanged.
    Body,
    /// The nodes of loop bodies too.
    Loops,
}

/// A copy of a program in which nodes are replaced. Inputs, weights, states, outputs, updates, guards and origins stay.
///
/// # Errors
/// Those of `replace`; [`Kind::Bug`](tfjs_manifest::Kind::Bug) if it returns another number of results.
pub fn rewrite(program: &Program, within: Within, replace: &mut Replace<'_>) -> Result<Program> {
    let mut b = Builder::like(program);
    let values = copy_block(&mut b, &program.body, &[], within, replace)?;
    let value = |old: Value| read(&values, old);
    let results = program.body.results.iter().map(|&old| value(old)).collect::<Result<Vec<_>>>()?;
    let updates = program.updates.iter().map(|update| Ok(Update { value: value(update.value)?, ..*update }));
    b.finish_with(program.outputs.clone(), results, updates.collect::<Result<_>>()?)
}

/// Copies the nodes of a block into the innermost open one. Returns the copy of each value.
fn copy_block(
    b: &mut Builder,
    block: &Block,
    parameters: &[Value],
    within: Within,
    replace: &mut Replace<'_>,
) -> Result<Vec<Option<Value>>> {
    let mut values = vec![None; block.values.len()];
    for (old, &new) in block.parameters.iter().zip(parameters) {
        values[old.index()] = Some(new);
    }
    for node in &block.nodes {
        b.restore_origin(node.origin);
        let operands = node.operands.iter().map(|&old| read(&values, old)).collect::<Result<Vec<_>>>()?;
        let results = match replace(b, node, &operands)? {
            Some(results) => results,
            None => copy_node(b, node, &operands, within, replace)?,
        };
        if results.len() != node.results.len() {
            let (name, found) = (node.prim.name(), results.len());
            return Err(Error::bug(format!("`{name}` is replaced by {found} results")));
        }
        for (&old, new) in node.results.iter().zip(results) {
            // Equal dimensions may be different expressions. Readers expect the old ones, so they are kept.
            let dims = &block.ty(old).dims;
            values[old.index()] = Some(if *b.ty(new).dims == **dims { new } else { b.reshape(new, dims)? });
        }
    }
    Ok(values)
}

fn copy_node(
    b: &mut Builder,
    node: &Node,
    operands: &[Value],
    within: Within,
    replace: &mut Replace<'_>,
) -> Result<Vec<Value>> {
    let scan = match &node.prim {
        Prim::Scan(scan) if within == Within::Loops => scan,
        prim => return b.push(prim.clone(), operands),
    };
    let (carries, rest) = operands.split_at_checked(scan.carries).ok_or_else(loop_without_operands)?;
    let (sequences, invariants) = rest.split_at_checked(scan.sequences).ok_or_else(loop_without_operands)?;
    let (length, axis, reverse) = (scan.length, scan.axis, scan.reverse);
    let over = Loop { carries, sequences, invariants, length, axis, reverse };
    let (mut finals, collected) = b.scan(over, |b, carries, elements, invariants| {
        let parameters = [carries, elements, invariants].concat();
        let values = copy_block(b, &scan.body, &parameters, within, replace)?;
        let mut next = scan.body.results.iter().map(|&old| read(&values, old)).collect::<Result<Vec<_>>>()?;
        let collected = next.split_off(scan.carries.min(next.len()));
        Ok((next, collected))
    })?;
    finals.extend(collected);
    Ok(finals)
}

fn read(values: &[Option<Value>], old: Value) -> Result<Value> {
    let found = values.get(old.index()).copied().flatten();
    found.ok_or_else(|| Error::bug(format!("%{} is read before it is defined", old.0)))
}

fn loop_without_operands() -> Error {
    Error::bug("a loop without its operands")
}
