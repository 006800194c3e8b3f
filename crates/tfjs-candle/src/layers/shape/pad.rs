//! Runs `ZeroPadding1D`, `2D`, `3D`.

use crate::run::{OrBug, Run, RunCx, one, single};
use crate::value::Value;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::layers::shape::pad::ZeroPadding;

impl Run for ZeroPadding {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let mut x = single(call)?.clone();
        for (axis, pads) in (self.spatial.format.first_spatial()..).zip(&self.pads) {
            x = x.pad_with_zeros(axis, pads.before, pads.after).or_bug()?;
        }
        one(x)
    }
}
