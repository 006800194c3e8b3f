//! Edits of blocks, for differentiation: a node changes in its place, and every value keeps its handle.

use super::Builder;
use crate::prim::Prim;
use crate::program::{Block, Node, Origin, OriginId, Value, ValueInfo};
use crate::ty::Type;
use std::collections::HashMap;
use tfjs_manifest::{Error, Result};

impl Builder {
    /// Opens a block inside of the innermost one. Nodes are added to it until it is closed.
    pub(crate) fn open(&mut self, block: Block) {
        self.blocks.push(block);
        self.scalars.push(HashMap::new());
    }

    /// Closes the innermost block.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) if it is the body of the program.
    pub(crate) fn close(&mut self) -> Result<Block> {
        if self.blocks.len() == 1 {
            return Err(Error::bug("the body of a program is closed"));
        }
        self.scalars.pop();
        self.blocks.pop().ok_or_else(|| Error::bug("a block is closed that is not open"))
    }

    /// Adds a parameter to the innermost block.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) past 2^32 values.
    pub(crate) fn parameter(&mut self, ty: Type) -> Result<Value> {
        let block = self.blocks.last_mut().ok_or_else(|| Error::bug("a parameter outside of a block"))?;
        let value = block.define(ty, None)?;
        block.parameters.push(value);
        Ok(value)
    }

    /// The innermost open block, to be edited.
    pub(crate) fn block_mut(&mut self) -> &mut Block {
        self.blocks.last_mut().expect("the body is never closed before `finish`")
    }

    /// Nodes from now on belong to the way back through nodes of this origin.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) past 2^32 origins.
    pub(crate) fn gradient_of(&mut self, origin: OriginId) -> Result<()> {
        let origins = &self.program.origins;
        let origin = Origin { gradient: true, ..origins.get(origin.index()).cloned().unwrap_or_default() };
        let known = origins.iter().rposition(|known| *known == origin);
        match known {
            Some(known) => self.origin = OriginId::new(known)?,
            None => drop(self.set_origin(origin)?),
        }
        Ok(())
    }

    /// Replaces nodes of the innermost block by others: `f` returns the values that take the place of a node's results,
    /// or `None` to keep it. Handles of values stay as they are.
    ///
    /// # Errors
    /// What `f` says.
    pub(crate) fn replace_nodes(
        &mut self,
        mut f: impl FnMut(&mut Builder, &Node) -> Result<Option<Vec<Value>>>,
    ) -> Result<()> {
        let nodes = std::mem::take(&mut self.block_mut().nodes);
        // Constants that were made behind a replaced node are not known before it.
        let scalars = self.scalars.last_mut().map(std::mem::take);
        for node in nodes {
            let start = self.block().nodes.len();
            match f(self, &node)? {
                None => self.block_mut().push_node(node)?,
                Some(values) => {
                    if values.len() != node.results.len() {
                        return Err(Error::bug(format!("`{}` is replaced by other results", node.prim.name())));
                    }
                    let mut renamed = HashMap::new();
                    for (&old, new) in node.results.iter().zip(values) {
                        let new = renamed.get(&new).copied().unwrap_or(new);
                        self.block_mut().rename(start, new, old, node.origin)?;
                        renamed.entry(new).or_insert(old);
                    }
                    if let Some(scalars) = self.scalars.last_mut() {
                        scalars.clear();
                    }
                }
            }
        }
        if let (Some(known), Some(scalars)) = (self.scalars.last_mut(), scalars) {
            *known = scalars;
        }
        Ok(())
    }
}

impl Block {
    /// A new value.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) past 2^32 values.
    pub(crate) fn define(&mut self, ty: Type, node: Option<u32>) -> Result<Value> {
        let value = Value::new(self.values.len())?;
        self.values.push(ValueInfo { ty, node });
        Ok(value)
    }

    /// Adds a node whose results are defined already.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) past 2^32 nodes.
    pub(crate) fn push_node(&mut self, node: Node) -> Result<()> {
        let index = u32::try_from(self.nodes.len()).map_err(|_| Error::limit("more than 2^32 nodes"))?;
        for &result in &node.results {
            self.values[result.index()].node = Some(index);
        }
        self.nodes.push(node);
        Ok(())
    }

    /// Gives a node more results, for a primitive that computes them.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) past 2^32 values.
    pub(crate) fn extend_node(&mut self, node: usize, prim: Prim, types: Vec<Type>) -> Result<Vec<Value>> {
        let index = self.nodes[node].results.first().and_then(|result| self.values[result.index()].node);
        let more = types.into_iter().map(|ty| self.define(ty, index)).collect::<Result<Vec<_>>>()?;
        self.nodes[node].prim = prim;
        self.nodes[node].results.extend(&more);
        Ok(more)
    }

    /// Makes `old` the name of what is known as `new`. A value of a node before `start`, and one that was renamed
    /// already, is copied.
    fn rename(&mut self, start: usize, new: Value, old: Value, origin: OriginId) -> Result<()> {
        let Some(at) = self.nodes[start..].iter().position(|node| node.results.contains(&new)) else {
            let dims = self.ty(old).dims.clone();
            let prim = Prim::from(crate::prim::layout::Reshape { dims });
            return self.push_node(Node { prim, operands: vec![new], results: vec![old], origin });
        };
        let index = u32::try_from(start + at).map_err(|_| Error::limit("more than 2^32 nodes"))?;
        self.values[old.index()].node = Some(index);
        for node in &mut self.nodes[start..] {
            for value in node.operands.iter_mut().chain(&mut node.results).filter(|value| **value == new) {
                *value = old;
            }
        }
        Ok(())
    }
}
