//! The gradient of a loop: a loop that runs the other way.
//!
//! The adjoints of the carries are the carries of the adjoint loop. The adjoint of an invariant is summed over the steps
//! in a carry of its own. For a matrix that each step multiplies with, that would be a product of few rows and a sum of
//! the matrix's size at each step. Instead the steps give the two factors, and one product after the loop sums over all
//! steps.

use super::linear;
use super::recurrent;
use super::rule::{Cx, Rule};
use super::steps::{Deferred, LoopBody};
use super::sweep::{Level, active, backward, reached};
use crate::build::Builder;
use crate::prim::Prim;
use crate::prim::control::{Opaque, Scan};
use crate::prim::linear::Dot;
use crate::program::{Block, Value};
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

impl Rule for Opaque {
    fn pull(&self, _cx: &mut Cx<'_>) -> Result<()> {
        Err(Error::unsupported(format!("`{}` has no gradient: it is a function of the caller's own", self.class)))
    }
}

/// Leaves the adjoint of one operand of a product to be computed after the loop that the node is in, if the operand is
/// an invariant of the loop and the other one is not the same at each step.
pub(super) fn defer(cx: &mut Cx<'_>, dot: &Dot, ranks: [usize; 2], side: usize, dy: Value) -> Result<bool> {
    let (matrix, other) = (cx.node.operands[side], cx.node.operands[1 - side]);
    let dy_rank = cx.builder.ty(dy).rank();
    let Some(body) = &mut cx.level.body else { return Ok(false) };
    let Some(invariant) = body.operand(matrix).filter(|_| body.is_fixed(matrix)) else { return Ok(false) };
    if body.is_fixed(other) || dy_rank.min(ranks[1 - side]) < body.scan.axis {
        return Ok(false);
    }
    let source = body.source(other);
    body.deferred.push(Deferred { invariant, dot: dot.clone(), ranks, side, source, dy });
    Ok(true)
}

/// One step of the adjoint of a loop. All values but those of `body` are of the adjoint's body.
struct Step {
    /// The body of the loop.
    body: LoopBody,
    /// The adjoints of the results that have any: those of live carries, then those of what is collected.
    seeds: Vec<Value>,
    /// The adjoints of the live carries before the step.
    next: Vec<Value>,
    /// The adjoints of invariants: the operand of the loop, the sum before the step and after it.
    sums: Vec<(usize, Value, Value)>,
    /// The adjoints of elements: the operand of the loop, the adjoint.
    elements: Vec<(usize, Value)>,
}

impl Rule for Scan {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let (block, active) = self.expanded(cx)?;
        let collected: Vec<usize> = (self.carries..block.results.len()).filter(|&i| cx.adjoint(i).is_some()).collect();
        let live = self.live_carries(cx, &block, &active, &collected);

        cx.builder.open(Block::default());
        let step = self.step(cx.builder, LoopBody::new(self, block), active, &live, &collected);
        let adjoint = cx.builder.close()?;
        let Step { body, seeds, next, sums, elements } = step?;
        let (of_carries, of_collected) = seeds.split_at(live.len());
        let read = body.sources.iter().filter_map(|source| source.parameter);
        let (deferred, invariants, sources) = (body.deferred.clone(), body.invariants.clone(), body.sources.clone());
        let sequence: Vec<Option<usize>> = sources.iter().map(|source| body.sequence(source.value)).collect();

        // The body of the adjoint.
        let parameters = (of_carries.iter().copied())
            .chain(sums.iter().map(|&(_, before, _)| before))
            .chain(of_collected.iter().copied())
            .chain(read.clone())
            .chain(invariants.iter().map(|&(_, parameter)| parameter));
        // A value that is collected for two reasons is collected once.
        let mut gathered: Vec<Value> = Vec::new();
        for value in elements.iter().map(|element| element.1).chain(deferred.iter().map(|deferred| deferred.dy)) {
            if !gathered.contains(&value) {
                gathered.push(value);
            }
        }
        let results =
            (next.iter().copied()).chain(sums.iter().map(|&(_, _, after)| after)).chain(gathered.iter().copied());
        let adjoint = Block { parameters: parameters.collect(), results: results.collect(), ..adjoint };
        let (adjoint, _) = adjoint.in_order()?;
        let scan = Scan {
            carries: live.len() + sums.len(),
            sequences: of_collected.len() + read.count(),
            length: self.length,
            axis: self.axis,
            reverse: !self.reverse,
            body: Arc::new(adjoint),
        };

        // The loop stores what its adjoint reads.
        let (stores, types) = body.store()?;
        let mut stored = Vec::new();
        if !types.is_empty() {
            stored = cx.level.block_mut(cx.builder).extend_node(cx.index, Prim::from(stores), types)?;
        }
        let mut stored = stored.into_iter();
        let mut stacked = Vec::with_capacity(sources.len());
        for operand in sequence {
            stacked.push(match (operand, operand.is_none().then(|| stored.next()).flatten()) {
                (Some(operand), _) => cx.operand(operand)?,
                (None, Some(value)) => cx.level.read(cx.builder, value)?,
                (None, None) => return Err(Error::bug("a loop stores less than its adjoint reads")),
            });
        }

        let mut operands = Vec::new();
        for &i in &live {
            operands.push(match cx.adjoint(i) {
                Some(adjoint) => adjoint,
                None => zeros(cx, i)?,
            });
        }
        for &(operand, ..) in &sums {
            operands.push(zeros(cx, operand)?);
        }
        operands.extend(collected.iter().filter_map(|&i| cx.adjoint(i)));
        operands.extend(sources.iter().zip(&stacked).filter(|(source, _)| source.parameter.is_some()).map(|(_, v)| *v));
        for &(operand, _) in &invariants {
            operands.push(cx.operand(operand)?);
        }
        let mut finals = cx.builder.push(scan, &operands)?;
        let stacks = finals.split_off(live.len() + sums.len());
        let stack_of = |value: Value| -> Result<Value> {
            let found = gathered.iter().zip(&stacks).find(|(gathered, _)| **gathered == value);
            found.map(|(_, &stack)| stack).ok_or_else(|| Error::bug("a loop gives less than was collected"))
        };

        for (operand, adjoint) in live.iter().copied().chain(sums.iter().map(|sum| sum.0)).zip(finals) {
            cx.give(operand, adjoint)?;
        }
        for &(operand, element) in &elements {
            cx.give(operand, stack_of(element)?)?;
        }
        for Deferred { invariant, dot, ranks, side, source, dy } in &deferred {
            let (other, dy) = (stacked[*source], stack_of(*dy)?);
            let adjoint = linear::adjoint(cx.builder, dot, *ranks, *side, other, dy, Some(self.axis))?;
            cx.give(*invariant, adjoint)?;
        }
        Ok(())
    }
}

/// Zeros in the shape of an operand.
fn zeros(cx: &mut Cx<'_>, operand: usize) -> Result<Value> {
    let ty = cx.operand_type(operand)?;
    cx.builder.full(ty.element, &ty.dims, 0.0)
}

impl Scan {
    /// The body, with the recurrences expanded that gradients pass through, and which of its values are active.
    fn expanded(&self, cx: &mut Cx<'_>) -> Result<(Block, Vec<bool>)> {
        let active = self.active(cx, &self.body);
        cx.builder.open((*self.body).clone());
        let expanded = recurrent::expand(cx.builder, &active);
        let block = cx.builder.close()?;
        expanded?;
        let active = self.active(cx, &block);
        Ok((block, active))
    }

    /// Which values of the body depend on what the gradient is taken by, at some step.
    fn active(&self, cx: &Cx<'_>, block: &Block) -> Vec<bool> {
        let wanted = block.parameters.iter().enumerate().filter(|&(i, _)| cx.wants(i));
        let mut seeds: Vec<Value> = wanted.map(|(_, &parameter)| parameter).collect();
        loop {
            let active = active(block, &seeds);
            let carries = block.parameters.iter().zip(&block.results).take(self.carries);
            let more = carries.filter(|(before, after)| active[after.index()] && !active[before.index()]);
            let more: Vec<Value> = more.map(|(&before, _)| before).collect();
            if more.is_empty() {
                return active;
            }
            seeds.extend(more);
        }
    }

    /// The carries whose adjoints are not 0 at some step, given the results that are collected and have adjoints.
    fn live_carries(&self, cx: &Cx<'_>, block: &Block, active: &[bool], collected: &[usize]) -> Vec<usize> {
        let is_active = |i: usize| active[block.parameters[i].index()];
        let mut live: Vec<usize> = (0..self.carries).filter(|&i| cx.adjoint(i).is_some() && is_active(i)).collect();
        loop {
            let roots: Vec<Value> = live.iter().chain(collected).map(|&i| block.results[i]).collect();
            let reached = reached(block, active, &roots);
            let more = (0..self.carries).filter(|i| reached[block.parameters[*i].index()] && !live.contains(i));
            let more: Vec<usize> = more.collect();
            if more.is_empty() {
                return live;
            }
            live.extend(more);
        }
    }

    /// Builds a step of the adjoint in the builder's innermost block.
    fn step(
        &self,
        builder: &mut Builder,
        body: LoopBody,
        active: Vec<bool>,
        live: &[usize],
        collected: &[usize],
    ) -> Result<Step> {
        let Block { parameters, results, .. } = body.block.clone();
        let type_of = |value: Value| body.block.ty(value).clone();
        let of_carries = live.iter().map(|&i| (results[i], type_of(parameters[i])));
        let of_collected = collected.iter().map(|&i| (results[i], type_of(results[i])));
        let given: Vec<_> = of_carries.chain(of_collected).collect();
        let mut level = Level::of_loop(body, active);
        let mut seeds = Vec::with_capacity(given.len());
        for (result, ty) in given {
            let seed = builder.parameter(ty)?;
            seeds.push(seed);
            if level.is_active(result) {
                level.add(builder, result, seed)?;
            }
        }
        backward(builder, &mut level)?;

        let mut next = Vec::with_capacity(live.len());
        for &i in live {
            next.push(match level.adjoint(parameters[i]) {
                Some(adjoint) => adjoint,
                None => {
                    let ty = level.block(builder).ty(parameters[i]).clone();
                    builder.full(ty.element, &ty.dims, 0.0)?
                }
            });
        }
        let (mut elements, mut sums) = (Vec::new(), Vec::new());
        for (operand, &parameter) in parameters.iter().enumerate().skip(self.carries) {
            let Some(adjoint) = level.adjoint(parameter) else { continue };
            if operand < self.carries + self.sequences {
                elements.push((operand, adjoint));
            } else {
                let before = builder.parameter(builder.ty(adjoint).clone())?;
                sums.push((operand, before, builder.add(before, adjoint)?));
            }
        }
        let body = level.body.ok_or_else(|| Error::bug("the body of a loop is lost"))?;
        Ok(Step { body, seeds, next, sums, elements })
    }
}
