//! The backward walk over the nodes of a block, and the adjoints it accumulates.

use super::recurrent;
use super::rule::{Cx, rule};
use super::steps::LoopBody;
use crate::build::Builder;
use crate::program::{Block, Value};
use std::collections::HashMap;
use tfjs_manifest::{Error, Result};

/// A block that is being differentiated, and the adjoints of its values.
///
/// The adjoints are values of the builder's innermost block. That is either the block itself, which is extended, or, if
/// the block is the body of a loop, the body of the adjoint loop.
#[derive(Debug)]
pub(super) struct Level {
    /// The body of a loop; `None` if the block is the builder's innermost one.
    pub(super) body: Option<LoopBody>,
    /// The number of nodes of the block at the start.
    nodes: usize,
    /// For each value, whether it depends on the values that the gradient is taken with respect to.
    active: Vec<bool>,
    adjoints: HashMap<Value, Value>,
}

impl Level {
    /// Starts at the builder's innermost block, to be differentiated with respect to `wrt`.
    pub(super) fn open(builder: &mut Builder, wrt: &[Value]) -> Result<Level> {
        let active = active(builder.block(), wrt);
        recurrent::expand(builder, &active)?;
        let active = self::active(builder.block(), wrt);
        Ok(Level { body: None, nodes: builder.block().nodes.len(), active, adjoints: HashMap::new() })
    }

    /// Starts at the body of a loop, whose adjoint is built in the builder's innermost block.
    pub(super) fn of_loop(body: LoopBody, active: Vec<bool>) -> Level {
        let nodes = body.block.nodes.len();
        Level { body: Some(body), nodes, active, adjoints: HashMap::new() }
    }

    /// The block.
    pub(super) fn block<'a>(&'a self, builder: &'a Builder) -> &'a Block {
        self.body.as_ref().map_or(builder.block(), |body| &body.block)
    }

    /// The block, for editing.
    pub(super) fn block_mut<'a>(&'a mut self, builder: &'a mut Builder) -> &'a mut Block {
        match &mut self.body {
            Some(body) => &mut body.block,
            None => builder.block_mut(),
        }
    }

    /// Whether a value depends on the values that the gradient is taken with respect to.
    pub(super) fn is_active(&self, value: Value) -> bool {
        self.active.get(value.index()).copied().unwrap_or(false)
    }

    /// The adjoint of a value, if it has one yet.
    pub(super) fn adjoint(&self, value: Value) -> Option<Value> {
        self.adjoints.get(&value).copied()
    }

    /// Makes a value of the block available in the builder's innermost block.
    pub(super) fn read(&mut self, builder: &mut Builder, value: Value) -> Result<Value> {
        match &mut self.body {
            Some(body) => body.read(builder, value),
            None => Ok(value),
        }
    }

    /// Adds to the adjoint of a value.
    pub(super) fn add(&mut self, builder: &mut Builder, value: Value, adjoint: Value) -> Result<()> {
        // Equal dimensions may be different expressions.
        let dims = self.block(builder).ty(value).dims.clone();
        let adjoint = builder.reshape(adjoint, &dims)?;
        let sum = match self.adjoint(value) {
            Some(known) => builder.add(known, adjoint)?,
            None => adjoint,
        };
        self.adjoints.insert(value, sum);
        Ok(())
    }
}

/// Applies the rules of all nodes, from the last to the first.
pub(super) fn backward(builder: &mut Builder, level: &mut Level) -> Result<()> {
    for index in (0..level.nodes).rev() {
        let node = &level.block(builder).nodes[index];
        let reached = node.results.iter().any(|&result| level.adjoint(result).is_some());
        if !reached || !node.operands.iter().any(|&operand| level.is_active(operand)) {
            continue;
        }
        let node = node.clone();
        let origin = builder.program().origins.get(node.origin.index());
        let pulled = match origin.is_some_and(|origin| origin.gradient) {
            true => Err(Error::unsupported("second derivatives are not supported: the loss depends on a gradient")),
            false => {
                builder.gradient_of(node.origin)?;
                rule(&node.prim).pull(&mut Cx { builder, level, index, node: &node })
            }
        };
        pulled.map_err(|e| builder.program().at(e, node.origin))?;
    }
    Ok(())
}

/// For each value of a block, whether it depends on `seeds` through nodes that pass gradients.
pub(super) fn active(block: &Block, seeds: &[Value]) -> Vec<bool> {
    let mut active = vec![false; block.values.len()];
    for &seed in seeds {
        active[seed.index()] = true;
    }
    for node in &block.nodes {
        if node.operands.iter().any(|operand| active[operand.index()]) && rule(&node.prim).passes() {
            for &result in &node.results {
                active[result.index()] |= block.ty(result).element.is_float();
            }
        }
    }
    active
}

/// For each value of a block, whether an active value among `roots` depends on it.
pub(super) fn reached(block: &Block, active: &[bool], roots: &[Value]) -> Vec<bool> {
    let mut reached = vec![false; block.values.len()];
    for &root in roots {
        reached[root.index()] = active[root.index()];
    }
    for node in block.nodes.iter().rev() {
        if node.results.iter().any(|result| reached[result.index()]) {
            for &operand in node.operands.iter().filter(|operand| active[operand.index()]) {
                reached[operand.index()] = true;
            }
        }
    }
    reached
}
