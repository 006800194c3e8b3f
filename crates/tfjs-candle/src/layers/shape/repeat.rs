//! Runs `RepeatVector`.

use crate::run::{OrBug, Run, RunCx, one, single};
use crate::value::Value;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::layers::shape::repeat::RepeatVector;

impl Run for RepeatVector {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let x = single(call)?;
        let (batch, size) = x.dims2().or_bug()?;
        let repeated = x.unsqueeze(1).or_bug()?.broadcast_as((batch, self.n, size)).or_bug()?;
        one(repeated.contiguous().or_bug()?)
    }
}
