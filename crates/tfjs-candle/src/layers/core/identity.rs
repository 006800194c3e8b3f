//! Runs `Identity`, and shows how layers run that give back their input at inference.

use crate::run::{Run, RunCx};
use crate::value::Value;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::layers::core::identity::Identity;

/// The inputs as they are.
pub(super) fn unchanged(call: &Call<Value>) -> Vec<Value> {
    call.inputs().into_iter().cloned().collect()
}

impl Run for Identity {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        Ok(unchanged(call))
    }
}
