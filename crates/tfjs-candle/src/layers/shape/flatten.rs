//! Runs `Flatten`.

use crate::run::{OrBug, Run, RunCx, one, single};
use crate::value::Value;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::config::DataFormat;
use tfjs_topology::layers::shape::flatten::Flatten;

impl Run for Flatten {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let x = single(call)?;
        let (batch, elements) = (x.dim(0).or_bug()?, x.dims().iter().skip(1).product::<usize>());
        let rank = x.rank();
        let x = if self.format == DataFormat::ChannelsFirst && rank > 2 {
            let order: Vec<usize> = [0].into_iter().chain(2..rank).chain([1]).collect();
            x.permute(order).or_bug()?
        } else {
            x.clone()
        };
        one(x.reshape((batch, elements)).or_bug()?)
    }
}
