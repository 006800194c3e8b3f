//! Runs `GaussianNoise` and `GaussianDropout`: nothing happens at inference.

use super::identity::unchanged;
use crate::run::{Run, RunCx};
use crate::value::Value;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::layers::core::noise::Noise;

impl Run for Noise {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        Ok(unchanged(call))
    }
}
