//! Edits of blocks, for differentiation: nodes are replaced in place, and every value keeps its handle.

use super::Builder;
use crate::prim::Prim;
use crate::prim::layout::Reshape;
use crate::program::{Block, Node, Origin, OriginId, Value, ValueInfo};
use crate::ty::Type;
use std::collections::HashMap;
use tfjs_manifest::{Error, Result};

impl Builder {
    /// Opens a block inside the innermost one. Nodes are added to it until it is closed.
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

    /// The innermost open block, for editing.
    pub(crate) fn block_mut(&mut self) -> &mut Block {
        self.blocks.last_mut().expect("the body is never closed before `finish`")
    }

    /// From now on, nodes are recorded as gradients of nodes of this origin.
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

    /// Replaces nodes of the innermost block. `f` returns the values that replace a node's results, or `None` to keep
    /// the node. Handles of values stay valid.
    ///
    /// # Errors
    /// Those of `f`.
    pub(crate) fn replace_nodes(
        &mut self,
        mut f: impl FnMut(&mut Builder, &Node) -> Result<Option<Vec<Value>>>,
    ) -> Result<()> {
        let nodes = std::mem::take(&mut self.block_mut().nodes);
        // A cached constant may be defined after the replaced node, where the replacement cannot read it.
        let scalars = self.scalars.last_mut().map(std::mem::take);
        for node in nodes {
            let start = self.block().nodes.len();
            match f(self, &node)? {
                None => self.block_mut().push_node(node)?,
                Some(values) => {
                    if values.len() != node.results.len() {
                        return Err(Error::bug(format!("`{}` is replaced by other results", node.prim.name())));
                    }
                    let mut renamed: HashMap<Value, Value> = HashMap::new();
                    for (&old, new) in node.results.iter().zip(values) {
                        match renamed.get(&new) {
                            Some(&first) => self.block_mut().copy(first, old, node.origin)?,
                            None => {
                                self.block_mut().rename(start, new, old, node.origin)?;
                                renamed.insert(new, old);
                            }
                        }
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

    /// Adds a node whose results are already defined.
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

    /// Appends results to a node, whose primitive is replaced by `prim`, which computes them.
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

    /// Gives the value `new` the handle `old`. A value defined by a node before `start` is copied instead.
    fn rename(&mut self, start: usize, new: Value, old: Value, origin: OriginId) -> Result<()> {
        let Some(at) = self.nodes[start..].iter().position(|node| node.results.contains(&new)) else {
            return self.copy(new, old, origin);
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

    /// Defines `to`, which has a type already, as a copy of `from`.
    fn copy(&mut self, from: Value, to: Value, origin: OriginId) -> Result<()> {
        let dims = self.ty(to).dims.clone();
        let prim = Prim::from(Reshape { dims });
        self.push_node(Node { prim, operands: vec![from], results: vec![to], origin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prim::elementwise::UnaryOp;
    use crate::prim::reduce::Sort;
    use crate::ty::ElementType;
    use crate::verify::verify;

    #[test]
    fn replaced_nodes_leave_the_handles_of_their_results() {
        let mut b = Builder::default();
        let three = b.number(3);
        let x = b.input("x", Type::new(ElementType::F32, [three])).unwrap();
        let (values, positions) = b.sort(x, 0, false).unwrap();
        let up = b.unary(UnaryOp::Exp, values).unwrap();
        // Positions that are a new value, and values that are an old one.
        b.replace_nodes(|b, node| match node.prim {
            Prim::Sort(Sort { axis, .. }) => {
                let dims = b.dims_of(x);
                Ok(Some(vec![node.operands[0], b.iota(axis, &dims, ElementType::I64)?]))
            }
            _ => Ok(None),
        })
        .unwrap();
        // The same value for both results.
        let halves = b.push(Sort { axis: 0, descending: true }, &[up]).unwrap();
        b.replace_nodes(|b, node| match node.prim {
            Prim::Sort(_) => {
                let dims = b.dims_of(node.operands[0]);
                let numbers = b.iota(0, &dims, ElementType::I64)?;
                Ok(Some(vec![b.cast(numbers, ElementType::F32)?, numbers]))
            }
            _ => Ok(None),
        })
        .unwrap();
        let sum = b.add(halves[0], up).unwrap();
        let outputs = [sum, positions, halves[1]].map(|value| ("y".to_string(), value));
        let program = b.finish(outputs.to_vec()).unwrap();
        verify(&program).unwrap();
        let body = program.to_string().split_once('{').map(|(_, body)| body.replace("  ", "")).unwrap();
        assert_eq!(
            body,
            "\n\
             %0 = input() {port=0} : f32[3]\n\
             %1 = iota() {axis=0, dims=[3], element=i64} : i64[3]\n\
             %2 = reshape(%0) {dims=[3]} : f32[3]\n\
             %3 = unary(%2) {op=exp} : f32[3]\n\
             %4 = iota() {axis=0, dims=[3], element=i64} : i64[3]\n\
             %5 = cast(%4) {to=f32} : f32[3]\n\
             %6 = binary(%5, %3) {op=add} : f32[3]\n\
             return %6 \"y\", %1 \"y\", %4 \"y\"\n}\n"
        );
    }

    #[test]
    fn one_value_for_two_results_is_copied() {
        let mut b = Builder::default();
        let three = b.number(3);
        let x = b.input("x", Type::new(ElementType::F32, [three])).unwrap();
        let (mean, variance) = b.moments(x, &[0]).unwrap();
        b.replace_nodes(|b, node| match node.prim {
            Prim::Moments(_) => {
                let mean = b.reduce(crate::prim::reduce::ReduceOp::Mean, x, &[0], true)?;
                Ok(Some(vec![mean, mean]))
            }
            _ => Ok(None),
        })
        .unwrap();
        let sum = b.add(mean, variance).unwrap();
        verify(&b.finish(vec![("y".to_string(), sum)]).unwrap()).unwrap();
    }
}
