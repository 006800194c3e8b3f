//! One-hot rows as a comparison with a counter.

use super::{Expand, take};
use crate::build::Builder;
use crate::prim::elementwise::CompareOp;
use crate::prim::index::OneHot;
use crate::program::Value;
use crate::ty::ElementType;
use tfjs_manifest::Result;

impl Expand for OneHot {
    fn expand(&self, b: &mut Builder, operands: &[Value]) -> Result<Vec<Value>> {
        let [indices] = take(operands)?;
        // The indices' own type may be too small to count to the depth.
        let indices = b.cast(indices, ElementType::I64)?;
        let indices = b.insert_axis(indices, b.ty(indices).rank())?;
        let counter = b.iota(0, &[self.depth], ElementType::I64)?;
        let hot = b.compare(CompareOp::Eq, indices, counter)?;
        Ok(vec![b.cast(hot, self.element)?])
    }
}
