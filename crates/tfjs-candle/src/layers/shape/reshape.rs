//! Runs `Reshape`.

use crate::run::{OrBug, Run, RunCx, one, single};
use crate::value::Value;
use tfjs_manifest::{Error, Result};
use tfjs_topology::call::Call;
use tfjs_topology::layers::shape::reshape::Reshape;
use tfjs_topology::types::SymShape;

impl Run for Reshape {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let x = single(call)?;
        let input = SymShape(x.dims().iter().copied().map(Some).collect());
        let dims: Option<Vec<usize>> = self.output(&input)?.0.into_iter().collect();
        one(x.reshape(dims.ok_or_else(|| Error::bug("a reshape to an open shape"))?).or_bug()?)
    }
}
