//! Runs `Dense`.

use crate::activation::{activate, to_float};
use crate::run::{OrBug, Run, RunCx, one, single};
use crate::value::Value;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::layers::core::dense::Dense;

impl Run for Dense {
    fn run(&self, cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let input = to_float(single(call)?)?;
        let mut out = input.broadcast_matmul(cx.weight(0)?).or_bug()?;
        if self.use_bias {
            out = out.broadcast_add(cx.weight(1)?).or_bug()?;
        }
        one(activate(self.activation, &out)?)
    }
}
