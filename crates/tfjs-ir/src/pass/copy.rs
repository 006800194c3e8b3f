//! A partial copy of a block: values keep their types and get new numbers.

use crate::prim::Prim;
use crate::prim::control::Scan;
use crate::program::{Block, Node, OriginId, Value, ValueInfo};
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// A block that is being copied.
#[derive(Debug)]
pub(super) struct Copy<'a> {
    from: &'a Block,
    to: Block,
    /// The new value of each copied value, by its old number.
    values: Vec<Option<Value>>,
}

impl<'a> Copy<'a> {
    /// Starts with an empty block.
    pub(super) fn new(from: &'a Block) -> Self {
        Copy { from, to: Block::default(), values: vec![None; from.values.len()] }
    }

    /// Starts with the parameters only.
    pub(super) fn with_parameters(from: &'a Block) -> Result<Self> {
        let mut copy = Copy::new(from);
        from.parameters.iter().try_for_each(|&old| copy.parameter(old))?;
        Ok(copy)
    }

    /// The block so far.
    pub(super) fn block(&self) -> &Block {
        &self.to
    }

    /// Copies a parameter.
    pub(super) fn parameter(&mut self, old: Value) -> Result<()> {
        let new = self.define(old, None)?;
        self.to.parameters.push(new);
        Ok(())
    }

    /// The new value of an old one.
    pub(super) fn read(&self, old: Value) -> Result<Value> {
        let found = self.values.get(old.index()).copied().flatten();
        found.ok_or_else(|| Error::bug(format!("%{} is read, but was not copied", old.0)))
    }

    /// The new values of a node's operands.
    pub(super) fn operands(&self, node: &Node) -> Result<Vec<Value>> {
        node.operands.iter().map(|&old| self.read(old)).collect()
    }

    /// Adds a node whose results are the copies of these old values.
    pub(super) fn push(&mut self, prim: Prim, operands: Vec<Value>, results: &[Value], origin: OriginId) -> Result<()> {
        let node = u32::try_from(self.to.nodes.len()).map_err(|_| Error::limit("more than 2^32 nodes"))?;
        let results = results.iter().map(|&old| self.define(old, Some(node))).collect::<Result<Vec<_>>>()?;
        self.to.nodes.push(Node { prim, operands, results, origin });
        Ok(())
    }

    /// Maps an old value to an existing new one.
    pub(super) fn replace(&mut self, old: Value, new: Value) {
        self.values[old.index()] = Some(new);
    }

    /// Whether an old value and a new one have the same type.
    pub(super) fn same_type(&self, old: Value, new: Value) -> bool {
        self.from.ty(old) == self.to.ty(new)
    }

    fn define(&mut self, old: Value, node: Option<u32>) -> Result<Value> {
        let new = Value::new(self.to.values.len())?;
        self.to.values.push(ValueInfo { ty: self.from.ty(old).clone(), node });
        self.replace(old, new);
        Ok(new)
    }

    /// Finishes the block, with the copies of these values as its results.
    pub(super) fn finish(mut self, results: &[Value]) -> Result<Block> {
        self.to.results = results.iter().map(|&old| self.read(old)).collect::<Result<_>>()?;
        Ok(self.to)
    }

    /// The new block, and the new value of each old one.
    pub(super) fn into_parts(self) -> (Block, Vec<Option<Value>>) {
        (self.to, self.values)
    }
}

/// The primitive with its body replaced, if it is a loop.
pub(super) fn with_body(prim: &Prim, body: impl FnOnce(&Block) -> Result<Block>) -> Result<Prim> {
    Ok(match prim {
        Prim::Scan(scan) => Scan { body: Arc::new(body(&scan.body)?), ..scan.clone() }.into(),
        prim => prim.clone(),
    })
}
