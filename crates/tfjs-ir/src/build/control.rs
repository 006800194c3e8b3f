//! Loops: a closure builds the body as a block of its own.

use super::Builder;
use crate::dim::Dim;
use crate::prim::control::Scan;
use crate::program::{Block, Value, ValueInfo};
use crate::ty::Type;
use std::collections::HashMap;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// The operands of a loop.
#[derive(Clone, Copy, Debug)]
pub struct Loop<'a> {
    /// The values before the first step.
    pub carries: &'a [Value],
    /// Values that are sliced: each step sees one slice along `axis`.
    pub sequences: &'a [Value],
    /// Values that are the same at each step. The body can use no other values of the surrounding block.
    pub invariants: &'a [Value],
    /// The number of steps.
    pub length: Dim,
    /// The axis of the sequences along which the loop runs.
    pub axis: usize,
    /// Whether it runs from the last slice to the first.
    pub reverse: bool,
}

impl Builder {
    /// Adds a loop. `body` takes the carries, the slices of the sequences and the invariants of one step, and returns
    /// the next carries and the values to collect. The loop returns the final carries and the collected values.
    ///
    /// # Errors
    /// Those of `body`; carries whose types change.
    pub fn scan(
        &mut self,
        over: Loop<'_>,
        body: impl FnOnce(&mut Builder, &[Value], &[Value], &[Value]) -> Result<(Vec<Value>, Vec<Value>)>,
    ) -> Result<(Vec<Value>, Vec<Value>)> {
        let Loop { carries, sequences, invariants, length, axis, reverse } = over;
        let mut types: Vec<Type> = carries.iter().map(|&value| self.ty(value).clone()).collect();
        for &value in sequences {
            let mut ty = self.ty(value).clone();
            if axis >= ty.rank() {
                return Err(Error::bug("a loop over a sequence without its axis"));
            }
            ty.dims.remove(axis);
            types.push(ty);
        }
        types.extend(invariants.iter().map(|&value| self.ty(value).clone()));
        let parameters = (0..types.len()).map(Value::new).collect::<Result<Vec<_>>>()?;
        let values = types.into_iter().map(|ty| ValueInfo { ty, node: None }).collect();
        self.blocks.push(Block { values, parameters: parameters.clone(), ..Block::default() });
        self.scalars.push(HashMap::new());
        let (first, rest) = parameters.split_at(carries.len());
        let (elements, fixed) = rest.split_at(sequences.len());
        let built = body(self, first, elements, fixed);
        self.scalars.pop();
        let mut block = self.blocks.pop().ok_or_else(|| Error::bug("a loop without a body"))?;
        let (next, collected) = built?;
        if next.len() != carries.len() {
            return Err(Error::bug("a loop that carries another number of values than it started with"));
        }
        block.results = next.into_iter().chain(collected).collect();
        let scan =
            Scan { carries: carries.len(), sequences: sequences.len(), length, axis, reverse, body: Arc::new(block) };
        let operands: Vec<Value> = carries.iter().chain(sequences).chain(invariants).copied().collect();
        let mut results = self.push(scan, &operands)?;
        let collected = results.split_off(carries.len());
        Ok((results, collected))
    }
}
