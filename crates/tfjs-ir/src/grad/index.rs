//! Gradients of gather and its transpose.

use super::rule::{Cx, Rule, no_gradient};
use crate::prim::index::{Bounds, Gather, OneHot, ScatterAdd};
use tfjs_manifest::Result;

no_gradient! {
    OneHot: "indices are integers";
}

impl Rule for Gather {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let ty = cx.operand_type(0)?;
        let (dy, indices) = (cx.dy()?, cx.operand(1)?);
        let zeros = cx.builder.full(ty.element, &ty.dims, 0.0)?;
        let dx = cx.builder.scatter_add(zeros, indices, dy, self.axis)?;
        cx.give(0, dx)
    }
}

impl Rule for ScatterAdd {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dy = cx.dy()?;
        cx.give(0, dy)?;
        if cx.needs(2) {
            let indices = cx.operand(1)?;
            let slices = cx.builder.gather(dy, indices, self.axis, Bounds::Clamp)?;
            cx.give(2, slices)?;
        }
        Ok(())
    }
}
