//! The executor: runs the nodes of a block in order and drops values after their last use.

use super::error::Result;
use super::plan::{Plan, Step};
use super::typed::Typed;
use super::{Results, always_runs, reference, run_prim};
use crate::engine::call::Call;
use candle_core::{Device, Tensor};
use std::time::Instant;
use tfjs_ir::{Array, Block, Dim, ElementType, Node, Prim, Program, SlotId, Type, check_deadline};
use tfjs_manifest::Error;

/// The context that is constant during a call.
pub(super) struct Env<'a> {
    pub(super) program: &'a Program,
    pub(super) call: &'a Call<'a>,
    pub(super) weight: &'a dyn Fn(SlotId) -> tfjs_manifest::Result<Tensor>,
    /// The constants that the program reads, on the device.
    pub(super) constants: &'a [Option<Typed>],
    pub(super) device: &'a Device,
}

/// The context of a node, for its rule.
pub(super) struct Site<'a> {
    pub(super) env: &'a Env<'a>,
    pub(super) node: &'a Node,
    /// The plan of the body, for a loop.
    pub(super) body: Option<&'a Plan>,
    block: &'a Block,
    results: Vec<Expected>,
}

/// The type of a result that a rule must return.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) element: ElementType,
    pub(super) dims: Vec<usize>,
    /// Whether the result is read.
    pub(super) wanted: bool,
}

impl Env<'_> {
    /// Runs a block and returns the roots of its plan.
    pub(super) fn block(
        &self,
        plan: &Plan,
        block: &Block,
        parameters: Vec<Typed>,
    ) -> tfjs_manifest::Result<Vec<Typed>> {
        let mut values: Vec<Option<Typed>> = vec![None; block.values.len()];
        for (value, given) in block.parameters.iter().zip(parameters) {
            values[value.index()] = Some(given);
        }
        // The size of each value, and of all live ones; values that the caller holds are not counted.
        let mut bytes = vec![0u64; block.values.len()];
        let mut live = 0u64;
        for step in &plan.steps {
            check_deadline(self.call.deadline)?;
            let node = &block.nodes[step.node];
            let results = self.step(step, block, node, &mut values, live);
            let results = results.map_err(|failure| self.program.at(failure.into(), node.origin))?;
            live -= step.dead.iter().map(|value| std::mem::take(&mut bytes[value.index()])).sum::<u64>();
            for ((result, found), wanted) in node.results.iter().zip(results).zip(&step.wanted) {
                if let Some(found) = found.as_ref().filter(|_| *wanted && !is_held(&node.prim)) {
                    bytes[result.index()] = found.bytes();
                    live += found.bytes();
                }
                values[result.index()] = found.filter(|_| *wanted);
            }
        }
        let found = plan.roots.iter().map(|root| values[root.index()].clone().ok_or_else(undefined));
        found.collect()
    }

    /// Runs one node.
    fn step(
        &self,
        step: &Step,
        block: &Block,
        node: &Node,
        values: &mut [Option<Typed>],
        live: u64,
    ) -> Result<Results> {
        let operands = node.operands.iter().map(|value| values[value.index()].clone().ok_or_else(undefined));
        let operands = operands.collect::<std::result::Result<Vec<Typed>, Error>>()?;
        for value in &step.dead {
            values[value.index()] = None;
        }
        let site = Site {
            env: self,
            node,
            body: step.body.as_ref(),
            block,
            results: self.expected(block, node, &step.wanted)?,
        };
        if !is_held(&node.prim) {
            let asked = site.results.iter().fold(live, |sum, expected| sum.saturating_add(expected.bytes()));
            self.call.check_activations(asked)?;
        }
        let is_empty = !site.results.is_empty() && site.results.iter().all(Expected::is_empty);
        let has_text = operands.iter().any(|operand| operand.element() == ElementType::String);
        let results = match &node.prim {
            prim if is_empty && !always_runs(prim) => site.empty()?,
            Prim::Opaque(_) => run_prim(&node.prim, &site, &operands)?,
            _ if has_text => reference::evaluate(&site, &operands)?,
            prim => run_prim(prim, &site, &operands)?,
        };
        site.check(&results)?;
        Ok(results)
    }

    fn expected(&self, block: &Block, node: &Node, wanted: &[bool]) -> Result<Vec<Expected>> {
        let expected = node.results.iter().zip(wanted).map(|(&result, &wanted)| {
            let Type { element, dims } = block.ty(result);
            Ok(Expected { element: *element, dims: self.dims(dims)?, wanted })
        });
        expected.collect()
    }

    /// The values of dimensions.
    fn dims(&self, dims: &[Dim]) -> Result<Vec<usize>> {
        dims.iter().map(|&dim| Ok(self.call.bound.get(dim)?)).collect()
    }
}

/// Whether the results are held by the caller or the model and not by the call.
fn is_held(prim: &Prim) -> bool {
    matches!(prim, Prim::Input(_) | Prim::Param(_) | Prim::Const(_) | Prim::State(_))
}

impl Expected {
    fn is_empty(&self) -> bool {
        self.dims.contains(&0)
    }

    fn bytes(&self) -> u64 {
        let elements = self.dims.iter().fold(1u64, |n, &dim| n.saturating_mul(dim as u64));
        elements.saturating_mul(self.element.bytes() as u64)
    }
}

impl Site<'_> {
    /// The value of a dimension.
    pub(super) fn dim(&self, dim: Dim) -> Result<usize> {
        Ok(self.env.call.bound.get(dim)?)
    }

    /// Fails if a temporary buffer of this size would exceed the memory limit of the call.
    pub(super) fn check_scratch(&self, bytes: u64) -> Result<()> {
        Ok(self.env.call.check_activations(bytes)?)
    }

    /// Fails if this many views of a tensor would exceed the memory limit of the call.
    pub(super) fn check_views(&self, views: usize) -> Result<()> {
        // A tensor's handle with its shape, strides and storage counter.
        const VIEW_BYTES: u64 = 512;
        self.check_scratch(VIEW_BYTES.saturating_mul(views as u64))
    }

    /// The values of dimensions.
    pub(super) fn dims(&self, dims: &[Dim]) -> Result<Vec<usize>> {
        self.env.dims(dims)
    }

    /// The deadline of the call.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.env.call.deadline
    }

    pub(super) fn device(&self) -> &Device {
        self.env.device
    }

    /// The type of an expected result.
    pub(super) fn expected(&self, index: usize) -> Result<&Expected> {
        self.results
            .get(index)
            .ok_or_else(|| Error::bug(format!("`{}` has no result {index}", self.node.prim.name())).into())
    }

    /// The number of results.
    pub(super) fn count(&self) -> usize {
        self.results.len()
    }

    /// Returns the only result of a node.
    pub(super) fn one(&self, tensor: Tensor) -> Result<Results> {
        self.all([tensor])
    }

    /// Returns the results of a node, in order.
    pub(super) fn all(&self, tensors: impl IntoIterator<Item = Tensor>) -> Result<Results> {
        let typed =
            self.results.iter().zip(tensors).map(|(expected, tensor)| Some(Typed::new(expected.element, tensor)));
        Ok(typed.collect())
    }

    /// Returns results that are filled with one number.
    pub(super) fn full(&self, number: f64) -> Result<Results> {
        let full =
            |Expected { element, dims, .. }: &Expected| Typed::full(*element, number, dims, self.device()).map(Some);
        self.results.iter().map(full).collect()
    }

    /// The value of an operand that is a scalar constant.
    pub(super) fn scalar(&self, operand: usize) -> Option<f64> {
        let value = *self.node.operands.get(operand)?;
        let Prim::Const(constant) = self.block.prim_of(value)? else { return None };
        let array: &Array = self.env.program.constants.get(constant.constant.index())?;
        let is_scalar = array.dims().is_empty() && array.element().is_float();
        array.to_floats().ok()?.first().copied().filter(|_| is_scalar)
    }

    /// Returns results without elements.
    fn empty(&self) -> Result<Results> {
        let empty = |expected: &Expected| Typed::empty(expected.element, &expected.dims, self.device()).map(Some);
        self.results.iter().map(empty).collect()
    }

    /// Fails unless the results have the inferred types.
    fn check(&self, results: &[Option<Typed>]) -> Result<()> {
        let name = self.node.prim.name();
        if results.len() != self.results.len() {
            return Err(Error::bug(format!("`{name}` gives {} results", results.len())).into());
        }
        for (expected, found) in self.results.iter().zip(results) {
            let fits = match found {
                Some(found) => found.element() == expected.element && found.dims() == expected.dims,
                None => !expected.wanted,
            };
            if !fits {
                let found = found.as_ref().map(|found| (found.element(), found.dims()));
                return Err(Error::bug(format!("`{name}` gives {found:?}, expected {expected:?}")).into());
            }
        }
        Ok(())
    }
}

fn undefined() -> Error {
    Error::bug("a value is read before it is computed")
}
