//! The states of a recurrent layer: their initial values, and the order in which they are listed.

use super::recurrent::{HeldCell, Recurrent};
use super::steps::Steps;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Dim, ElementType, Target, Value};
use tfjs_manifest::{Error, Result};

/// The states of a layer, in the order in which they are passed, carried and returned.
pub(super) struct States<'a> {
    pub(super) steps: &'a Steps,
    /// The dimensions of each state, the batch first.
    pub(super) dims: Vec<Vec<Dim>>,
}

impl States<'_> {
    /// Checks the initial states that are passed: all or none.
    pub(super) fn check(&self, cx: &mut LowerCx<'_>, given: &[&KerasTensor]) -> Result<()> {
        if !given.is_empty() && given.len() != self.dims.len() {
            let found = given.len();
            return Err(Error::malformed(format!("expected {} initial states, found {found}", self.dims.len())));
        }
        for (state, expected) in given.iter().zip(&self.dims) {
            let dims = cx.dims_of(state.value);
            let fits =
                dims.len() == expected.len() && dims.iter().zip(expected).all(|(&a, &b)| cx.same(a, b).is_some());
            if !fits {
                let expected = cx.ty(state.value).with_dims(expected.clone()).shape(&cx.program().dims);
                let found = cx.shape(state.value);
                return Err(Error::malformed(format!("expected an initial state {expected}, found {found}")));
            }
        }
        Ok(())
    }

    /// The states that are carried from call to call; empty if the layer is not stateful. The shape of a carried state
    /// must be known.
    pub(super) fn carried(&self, cx: &mut LowerCx<'_>) -> Result<Vec<Target>> {
        // DIFFERENCE: TensorFlow.js runs a layer once for each of its outputs in the model, so the states of a
        // stateful layer with `return_state` advance several times in each call.
        if !self.steps.stateful {
            return Ok(Vec::new());
        }
        if self.dims.iter().flatten().any(|&dim| cx.known_dim(dim).is_none()) {
            cx.keeps_states();
            return Ok(Vec::new());
        }
        cx.mixes_batch();
        self.dims.iter().enumerate().map(|(position, dims)| cx.layer_state(position, dims)).collect()
    }

    /// The initial states of a call.
    pub(super) fn initial(
        &self,
        cx: &mut LowerCx<'_>,
        given: &[&KerasTensor],
        carried: &[Target],
    ) -> Result<Vec<Value>> {
        let given = given.iter().map(|state| cx.to_float(state.value)).collect::<Result<Vec<_>>>()?;
        let carried = carried.iter().map(|&state| cx.get(state)).collect::<Result<Vec<_>>>()?;
        match (given.is_empty(), carried.is_empty()) {
            (true, true) => self.dims.iter().map(|dims| cx.full(ElementType::F32, dims, 0.0)).collect(),
            (true, false) => Ok(carried),
            (false, false) if self.steps.carried_states_win => {
                let began = any_is_not_zero(cx, &carried)?;
                let pairs = carried.iter().zip(given);
                pairs.map(|(&carried, given)| cx.select(began, carried, given)).collect()
            }
            _ => Ok(given),
        }
    }
}

/// Replaces the carried states.
pub(super) fn carry(cx: &mut LowerCx<'_>, carried: &[Target], finals: &[Value]) -> Result<()> {
    carried.iter().zip(finals).try_for_each(|(&target, &state)| cx.set(target, state))
}

impl Recurrent {
    /// Splits a list of all states by cell, lowest first.
    pub(super) fn by_cell(&self, states: Vec<Value>) -> Vec<Vec<Value>> {
        let mut states = states.into_iter();
        let mut take = |held: &HeldCell| states.by_ref().take(held.cell.kind.states()).collect();
        if !self.reverse_states {
            return self.cells.iter().map(take).collect();
        }
        let mut cells: Vec<_> = self.cells.iter().rev().map(&mut take).collect();
        cells.reverse();
        cells
    }

    /// Joins the states of each cell to a list of all states.
    pub(super) fn listed(&self, mut states: Vec<Vec<Value>>) -> Vec<Value> {
        if self.reverse_states {
            states.reverse();
        }
        states.into_iter().flatten().collect()
    }
}

fn any_is_not_zero(cx: &mut LowerCx<'_>, states: &[Value]) -> Result<Value> {
    let mut found = None;
    for &state in states {
        let differs = cx.compare_scalar(CompareOp::Ne, state, 0.0)?;
        let axes: Vec<usize> = (0..cx.ty(differs).rank()).collect();
        let differs = cx.reduce(ReduceOp::Any, differs, &axes, false)?;
        found = Some(found.map_or(Ok(differs), |found| cx.binary(BinaryOp::Or, found, differs))?);
    }
    found.ok_or_else(|| Error::bug("a recurrent layer without states"))
}
