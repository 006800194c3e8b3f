//! Runs `Permute`.

use crate::run::{OrBug, Run, RunCx, one, single};
use crate::value::Value;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::layers::shape::permute::Permute;

impl Run for Permute {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let order: Vec<usize> = [0].into_iter().chain(self.dims.iter().copied()).collect();
        one(single(call)?.permute(order).or_bug()?.contiguous().or_bug()?)
    }
}
