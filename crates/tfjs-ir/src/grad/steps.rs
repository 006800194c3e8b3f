//! The values that the adjoint of a loop reads of the loop's steps.
//!
//! A value of the loop's body is an invariant, a slice of a sequence, or computed from them. An invariant becomes an
//! invariant of the adjoint loop, and a slice is taken from the same sequence. Values that are the same at each step
//! are computed again. All other values are stored: the loop collects them, and the adjoint loop takes them as a
//! sequence.

use crate::build::Builder;
use crate::dim::Dim;
use crate::prim::Prim;
use crate::prim::control::Scan;
use crate::prim::layout::Reshape;
use crate::prim::linear::Dot;
use crate::program::{Block, Node, OriginId, Value};
use crate::ty::Type;
use std::collections::HashMap;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// The body of a loop while its adjoint is being built.
#[derive(Debug)]
pub(super) struct LoopBody {
    pub(super) block: Block,
    pub(super) scan: Scan,
    /// For each value, whether it is the same at each step.
    fixed: Vec<bool>,
    /// For values of the body that are available in the adjoint's body, their handles there.
    known: HashMap<Value, Value>,
    /// The values that the adjoint reads of each step.
    pub(super) sources: Vec<Source>,
    /// The invariants that the adjoint reads: operands of the loop, and parameters of the adjoint's body.
    pub(super) invariants: Vec<(usize, Value)>,
    /// The products to be computed after the adjoint loop.
    pub(super) deferred: Vec<Deferred>,
}

/// A value that the adjoint of a loop reads of each step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    /// The value of the loop's body.
    pub(super) value: Value,
    /// The index of the loop's operand, if the value is a slice of a sequence.
    pub(super) sequence: Option<usize>,
    /// The parameter of the adjoint's body, if its steps read the value.
    pub(super) parameter: Option<Value>,
}

/// The adjoint of an invariant that is an operand of a product: one product for all steps.
#[derive(Clone, Debug)]
pub(super) struct Deferred {
    /// The index of the invariant among the loop's operands.
    pub(super) invariant: usize,
    /// The product.
    pub(super) dot: Dot,
    /// The ranks of its operands.
    pub(super) ranks: [usize; 2],
    /// Which operand of the product the invariant is.
    pub(super) side: usize,
    /// The index of the other operand among the sources.
    pub(super) source: usize,
    /// The adjoint of the product at each step.
    pub(super) dy: Value,
}

impl LoopBody {
    /// The body of a loop; `block` may be a rewritten form of it.
    pub(super) fn new(scan: &Scan, block: Block) -> LoopBody {
        let mut fixed = vec![false; block.values.len()];
        for &parameter in &block.parameters[scan.carries + scan.sequences..] {
            fixed[parameter.index()] = true;
        }
        for node in &block.nodes {
            let same = node.operands.iter().all(|operand| fixed[operand.index()]);
            node.results.iter().for_each(|result| fixed[result.index()] = same);
        }
        LoopBody {
            block,
            scan: scan.clone(),
            fixed,
            known: HashMap::new(),
            sources: Vec::new(),
            invariants: Vec::new(),
            deferred: Vec::new(),
        }
    }

    /// Whether a value is the same at each step.
    pub(super) fn is_fixed(&self, value: Value) -> bool {
        self.fixed.get(value.index()).copied().unwrap_or(false)
    }

    /// The index of the loop's operand that a value is, or is a slice of.
    pub(super) fn operand(&self, value: Value) -> Option<usize> {
        self.block.parameters.iter().position(|&parameter| parameter == value)
    }

    /// The index of the loop's operand that a value is a slice of.
    fn sequence(&self, value: Value) -> Option<usize> {
        let Scan { carries, sequences, .. } = self.scan;
        self.operand(value).filter(|operand| (carries..carries + sequences).contains(operand))
    }

    /// Makes a value of the body available in the adjoint's body.
    pub(super) fn read(&mut self, builder: &mut Builder, value: Value) -> Result<Value> {
        let mut pending = vec![value];
        while let Some(&next) = pending.last() {
            if self.known.contains_key(&next) {
                pending.pop();
                continue;
            }
            let Some(Node { prim, operands, results, .. }) = self.computed_again(next).cloned() else {
                let copy = self.parameter(builder, next)?;
                self.known.insert(next, copy);
                continue;
            };
            let known: Vec<Value> = operands.iter().filter_map(|operand| self.known.get(operand)).copied().collect();
            if known.len() == operands.len() {
                let copies = builder.push(prim, &known)?;
                self.known.extend(results.into_iter().zip(copies));
            } else {
                pending.extend(operands);
            }
        }
        self.known.get(&value).copied().ok_or_else(|| Error::bug("a value of a loop was not read"))
    }

    /// The node that computes a value, if the adjoint recomputes the value instead of reading it.
    fn computed_again(&self, value: Value) -> Option<&Node> {
        let node = self.block.node_of(value)?;
        // These cost nothing to compute, and their results are no smaller than their operands.
        let spreads = matches!(node.prim, Prim::Reshape(_) | Prim::Broadcast(_));
        // An opaque function may return something else when it is called again.
        let is_opaque = matches!(node.prim, Prim::Opaque(_));
        (spreads || self.is_fixed(value) && !is_opaque).then_some(node)
    }

    /// Adds a parameter to the adjoint's body.
    fn parameter(&mut self, builder: &mut Builder, value: Value) -> Result<Value> {
        let ty = self.block.ty(value).clone();
        if let Some(operand) = self.operand(value).filter(|_| self.is_fixed(value)) {
            let parameter = builder.parameter(ty)?;
            self.invariants.push((operand, parameter));
            return Ok(parameter);
        }
        let parameter = builder.parameter(self.collected(&ty))?;
        let index = self.source(value);
        self.sources[index].parameter = Some(parameter);
        builder.reshape(parameter, &ty.dims)
    }

    /// The index of a value in `sources`; it is added if it is new.
    pub(super) fn source(&mut self, value: Value) -> usize {
        let known = self.sources.iter().position(|source| source.value == value);
        known.unwrap_or_else(|| {
            self.sources.push(Source { value, sequence: self.sequence(value), parameter: None });
            self.sources.len() - 1
        })
    }

    /// The type in which values of a type are collected: axes are added until the loop's axis exists.
    fn collected(&self, ty: &Type) -> Type {
        let missing = self.scan.axis.saturating_sub(ty.rank());
        // SIZE: verification has checked the axis against the ranks.
        let dims: Vec<Dim> = std::iter::repeat_n(Dim::ONE, missing).chain(ty.dims.iter().copied()).collect();
        ty.with_dims(dims)
    }

    /// The loop, extended to collect in order the sources that are not slices of its sequences; and the types of the
    /// new results. Takes the body out of `self`.
    pub(super) fn store(&mut self) -> Result<(Scan, Vec<Type>)> {
        let mut block = std::mem::take(&mut self.block);
        let mut types = Vec::new();
        for source in self.sources.iter().filter(|source| source.sequence.is_none()) {
            let ty = self.collected(block.ty(source.value));
            let mut stored = source.value;
            if ty.dims != block.ty(stored).dims {
                stored = block.define(ty.clone(), None)?;
                let prim = Prim::from(Reshape { dims: ty.dims.clone() });
                let origin = block.node_of(source.value).map_or(OriginId(0), |node| node.origin);
                block.push_node(Node { prim, operands: vec![source.value], results: vec![stored], origin })?;
            }
            block.results.push(stored);
            let mut stacked = ty;
            stacked.dims.insert(self.scan.axis, self.scan.length);
            types.push(stacked);
        }
        let (block, _) = block.in_order()?;
        Ok((Scan { body: Arc::new(block), ..self.scan.clone() }, types))
    }
}
