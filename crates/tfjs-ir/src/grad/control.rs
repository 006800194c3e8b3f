//! The gradient of a loop is a loop that runs in the opposite direction.
//!
//! The adjoints of the carries are the carries of the adjoint loop. The adjoint of an invariant is summed over the
//! steps in a carry of its own. For a matrix operand of a product in the body, this would cost a thin product and a sum
//! of the matrix's size at each step. Instead the steps collect the two factors, and one product after the loop sums
//! over all steps.

use super::linear;
use super::recurrent;
use super::rule::{Cx, Rule};
use super::steps::{Deferred, LoopBody};
use super::sweep::{Level, active, backward, reached};
use super::zeros;
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

/// Defers the adjoint of one operand of a product to after the loop that contains the node, if that operand is an
/// invariant of the loop and the other one is not. Returns whether it did.
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

impl Rule for Scan {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let (block, active) = self.expanded(cx)?;
        let collected: Vec<usize> = (self.carries..block.results.len()).filter(|&i| cx.adjoint(i).is_some()).collect();
        let live = self.live_carries(cx, &block, &active, &collected);

        cx.builder.open(Block::default());
        let step = Step::new(cx.builder, LoopBody::new(self, block), active, live, collected);
        let nodes = cx.builder.close()?;
        let mut step = step?;

        let scan = step.scan(self, nodes)?;
        let stacked = step.stacked(cx)?;
        let operands = step.operands(cx, &stacked)?;
        let results = cx.builder.push(scan, &operands)?;
        step.give(cx, self.axis, &stacked, &results)
    }
}

/// One step of the adjoint of a loop. All values except those of `body` belong to the adjoint's body.
struct Step {
    /// The body of the loop.
    body: LoopBody,
    /// The indices of the loop's carries that have adjoints.
    live: Vec<usize>,
    /// The indices of the loop's collected results that have adjoints.
    collected: Vec<usize>,
    /// The adjoints of the live carries after the step, then those of the collected results.
    seeds: Vec<Value>,
    /// The adjoints of live carries before the step.
    next: Vec<Value>,
    /// The adjoints of invariants: the index of the loop's operand, the sum before the step and the sum after it.
    sums: Vec<(usize, Value, Value)>,
    /// The adjoints of slices: the index of the loop's operand, the adjoint.
    elements: Vec<(usize, Value)>,
}

impl Step {
    /// Builds a step in the builder's innermost block.
    fn new(
        builder: &mut Builder,
        body: LoopBody,
        active: Vec<bool>,
        live: Vec<usize>,
        collected: Vec<usize>,
    ) -> Result<Step> {
        let Block { parameters, results, .. } = body.block.clone();
        let (carries, elements) = (body.scan.carries, body.scan.sequences);
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
        for &i in &live {
            next.push(match level.adjoint(parameters[i]) {
                Some(adjoint) => adjoint,
                None => {
                    let ty = level.block(builder).ty(parameters[i]).clone();
                    zeros(builder, &ty)?
                }
            });
        }
        let (of_elements, of_invariants) = parameters[carries..].split_at(elements);
        let of_elements = of_elements.iter().enumerate();
        let elements =
            of_elements.filter_map(|(i, &parameter)| Some((carries + i, level.adjoint(parameter)?))).collect();
        let mut sums = Vec::new();
        for (i, &parameter) in of_invariants.iter().enumerate() {
            let Some(adjoint) = level.adjoint(parameter) else { continue };
            let before = builder.parameter(builder.ty(adjoint).clone())?;
            sums.push((parameters.len() - of_invariants.len() + i, before, builder.add(before, adjoint)?));
        }
        let body = level.body.ok_or_else(|| Error::bug("the body of a loop is lost"))?;
        Ok(Step { body, live, collected, seeds, next, sums, elements })
    }

    /// The values that the steps collect. A value needed for two reasons is collected once.
    fn gathered(&self) -> Vec<Value> {
        let mut gathered = Vec::new();
        let elements = self.elements.iter().map(|element| element.1);
        for value in elements.chain(self.body.deferred.iter().map(|deferred| deferred.dy)) {
            if !gathered.contains(&value) {
                gathered.push(value);
            }
        }
        gathered
    }

    /// The adjoint loop, given the nodes of its body.
    fn scan(&self, forward: &Scan, nodes: Block) -> Result<Scan> {
        let (of_carries, of_collected) = self.seeds.split_at(self.live.len());
        let read: Vec<Value> = self.body.sources.iter().filter_map(|source| source.parameter).collect();
        let mut parameters = of_carries.to_vec();
        parameters.extend(self.sums.iter().map(|&(_, before, _)| before));
        parameters.extend(of_collected);
        parameters.extend(&read);
        parameters.extend(self.body.invariants.iter().map(|&(_, parameter)| parameter));
        let mut results = self.next.clone();
        results.extend(self.sums.iter().map(|&(_, _, after)| after));
        results.extend(self.gathered());
        let (body, _) = Block { parameters, results, ..nodes }.in_order()?;
        Ok(Scan {
            carries: self.live.len() + self.sums.len(),
            sequences: of_collected.len() + read.len(),
            length: forward.length,
            axis: forward.axis,
            reverse: !forward.reverse,
            body: Arc::new(body),
        })
    }

    /// The values of all steps that the adjoint reads. Extends the loop to store those it does not store yet.
    fn stacked(&mut self, cx: &mut Cx<'_>) -> Result<Vec<Value>> {
        let (forward, types) = self.body.store()?;
        let mut stored = Vec::new();
        if !types.is_empty() {
            stored = cx.level.block_mut(cx.builder).extend_node(cx.index, Prim::from(forward), types)?;
        }
        let mut stored = stored.into_iter();
        let mut stacked = Vec::with_capacity(self.body.sources.len());
        for source in &self.body.sources {
            stacked.push(match source.sequence {
                Some(operand) => cx.operand(operand)?,
                None => {
                    let value = stored.next().ok_or_else(|| Error::bug("a loop stores less than its adjoint reads"))?;
                    cx.level.read(cx.builder, value)?
                }
            });
        }
        Ok(stacked)
    }

    /// The operands of the adjoint loop.
    fn operands(&self, cx: &mut Cx<'_>, stacked: &[Value]) -> Result<Vec<Value>> {
        let mut operands = Vec::new();
        for &carry in &self.live {
            operands.push(match cx.adjoint(carry) {
                Some(adjoint) => adjoint,
                None => zeros_like(cx, carry)?,
            });
        }
        for &(operand, ..) in &self.sums {
            operands.push(zeros_like(cx, operand)?);
        }
        operands.extend(self.collected.iter().filter_map(|&result| cx.adjoint(result)));
        let sources = self.body.sources.iter().zip(stacked);
        operands.extend(sources.filter(|(source, _)| source.parameter.is_some()).map(|(_, &value)| value));
        for &(operand, _) in &self.body.invariants {
            operands.push(cx.operand(operand)?);
        }
        Ok(operands)
    }

    /// Adds the results of the adjoint loop to the adjoints of the loop's operands.
    fn give(&self, cx: &mut Cx<'_>, axis: usize, stacked: &[Value], results: &[Value]) -> Result<()> {
        let (finals, stacks) = results.split_at(self.live.len() + self.sums.len());
        let gathered = self.gathered();
        let stack_of = |value: Value| -> Result<Value> {
            let found = gathered.iter().zip(stacks).find(|(gathered, _)| **gathered == value);
            found.map(|(_, &stack)| stack).ok_or_else(|| Error::bug("a loop gives less than was collected"))
        };
        let operands = self.live.iter().copied().chain(self.sums.iter().map(|sum| sum.0));
        for (operand, &adjoint) in operands.zip(finals) {
            cx.give(operand, adjoint)?;
        }
        for &(operand, element) in &self.elements {
            cx.give(operand, stack_of(element)?)?;
        }
        for Deferred { invariant, dot, ranks, side, source, dy } in &self.body.deferred {
            let (other, dy) = (stacked[*source], stack_of(*dy)?);
            let adjoint = linear::adjoint(cx.builder, dot, *ranks, *side, other, dy, Some(axis))?;
            cx.give(*invariant, adjoint)?;
        }
        Ok(())
    }
}

/// Zeros in the shape of an operand.
fn zeros_like(cx: &mut Cx<'_>, operand: usize) -> Result<Value> {
    let ty = cx.operand_type(operand)?;
    zeros(cx.builder, &ty)
}

impl Scan {
    /// The body, in which recurrent layers that gradients pass through are expanded; and which of its values are
    /// active.
    fn expanded(&self, cx: &mut Cx<'_>) -> Result<(Block, Vec<bool>)> {
        let active = self.active(cx, &self.body);
        cx.builder.open((*self.body).clone());
        let expanded = recurrent::expand(cx.builder, &active);
        let block = cx.builder.close()?;
        expanded?;
        let active = self.active(cx, &block);
        Ok((block, active))
    }

    /// Which values of the body depend, at some step, on the values that the gradient is taken with respect to.
    fn active(&self, cx: &Cx<'_>, block: &Block) -> Vec<bool> {
        let needed = block.parameters.iter().enumerate().filter(|&(i, _)| cx.needs(i));
        let mut seeds: Vec<Value> = needed.map(|(_, &parameter)| parameter).collect();
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

    /// The carries whose adjoints are not 0 at some step, given the collected results that have adjoints.
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
}
