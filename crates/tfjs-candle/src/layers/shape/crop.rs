//! Runs `Cropping1D`, `2D`, `3D`.

use crate::run::{OrBug, Run, RunCx, one, single};
use crate::value::Value;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::layers::shape::crop::Cropping;

impl Run for Cropping {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let mut x = single(call)?.clone();
        for (axis, cut) in (self.spatial.format.first_spatial()..).zip(&self.cuts) {
            let left = x.dim(axis).or_bug()?.saturating_sub(cut.before).saturating_sub(cut.after);
            x = x.narrow(axis, cut.before, left).or_bug()?;
        }
        one(x.contiguous().or_bug()?)
    }
}
