//! Runs `ELU`.

use crate::activation::activate_any;
use crate::run::{Run, RunCx, one, single};
use crate::value::Value;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::layers::activation::elu::Elu;

impl Run for Elu {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        one(activate_any(self.activation, single(call)?)?)
    }
}
