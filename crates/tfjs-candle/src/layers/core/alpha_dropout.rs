//! Runs `AlphaDropout`: nothing happens at inference.

use super::identity::unchanged;
use crate::run::{Run, RunCx};
use crate::value::Value;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::layers::core::alpha_dropout::AlphaDropout;

impl Run for AlphaDropout {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        Ok(unchanged(call))
    }
}
