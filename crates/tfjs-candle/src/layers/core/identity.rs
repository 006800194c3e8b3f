//! Runs the layers that give back their input at inference.

use crate::run::{Run, RunCx};
use crate::value::Value;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::layers::core::identity::Identity;

impl Run for Identity {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        Ok(call.inputs().into_iter().cloned().collect())
    }
}
