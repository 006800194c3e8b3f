//! The states of a recurrent layer: where they come from, and in which order they are listed.

use super::recurrent::{HeldCell, Recurrent};
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Dim, ElementType, Target, Value};
use tfjs_manifest::{Error, Result};

impl Recurrent {
    /// Checks the initial states that are given: all of them or none.
    pub(super) fn check_states(&self, cx: &mut LowerCx<'_>, given: &[&KerasTensor], batch: Dim) -> Result<()> {
        let units = self.state_units();
        if !given.is_empty() && given.len() != units.len() {
            let found = given.len();
            return Err(Error::malformed(format!("expected {} initial states, found {found}", units.len())));
        }
        for (state, units) in given.iter().zip(units) {
            let expected = [batch, cx.number(units)];
            let dims = cx.dims_of(state.value);
            let fits = dims.len() == 2 && dims.iter().zip(expected).all(|(&a, b)| cx.same(a, b).is_some());
            if !fits {
                let expected = cx.ty(state.value).with_dims(expected).shape(&cx.program().dims);
                let found = cx.shape(state.value);
                return Err(Error::malformed(format!("expected an initial state {expected}, found {found}")));
            }
        }
        Ok(())
    }

    /// The states that are carried from call to call, in the order of [`state_units`](Recurrent::state_units); none if
    /// the layer is not stateful. The batch of a stateful layer is a number.
    pub(super) fn carried_states(&self, cx: &mut LowerCx<'_>, batch: Dim) -> Result<Vec<Target>> {
        // DIFFERENCE: TensorFlow.js runs a layer once for each of its outputs that a model has, so that the states of a
        // stateful one with `return_state` go on several times at each call.
        if !self.stateful {
            return Ok(Vec::new());
        }
        if cx.known_dim(batch).is_none() {
            cx.keeps_states();
            return Ok(Vec::new());
        }
        cx.mixes_batch();
        let units = self.state_units().into_iter().enumerate();
        units
            .map(|(position, units)| {
                let units = cx.number(units);
                cx.layer_state(position, &[batch, units])
            })
            .collect()
    }

    /// The states before the first step, in the order of [`state_units`](Recurrent::state_units).
    pub(super) fn initial_states(
        &self,
        cx: &mut LowerCx<'_>,
        given: &[&KerasTensor],
        carried: &[Target],
        batch: Dim,
    ) -> Result<Vec<Value>> {
        let given = given.iter().map(|state| cx.to_float(state.value)).collect::<Result<Vec<_>>>()?;
        let carried = carried.iter().map(|&state| cx.get(state)).collect::<Result<Vec<_>>>()?;
        match (given.is_empty(), carried.is_empty()) {
            (true, true) => {
                let zeros = |units| {
                    let units = cx.number(units);
                    cx.full(ElementType::F32, &[batch, units], 0.0)
                };
                self.state_units().into_iter().map(zeros).collect()
            }
            (true, false) => Ok(carried),
            (false, false) if self.carried_states_win => {
                let began = any_is_not_zero(cx, &carried)?;
                let pairs = carried.iter().zip(given);
                pairs.map(|(&carried, given)| cx.select(began, carried, given)).collect()
            }
            _ => Ok(given),
        }
    }

    /// The states of each cell, lowest first, of a list of all states.
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

    /// The list of all states, of those of each cell.
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
        let differs = cx.reduce(ReduceOp::Any, differs, &[0, 1], false)?;
        found = Some(found.map_or(Ok(differs), |found| cx.binary(BinaryOp::Or, found, differs))?);
    }
    found.ok_or_else(|| Error::bug("a recurrent layer without states"))
}
