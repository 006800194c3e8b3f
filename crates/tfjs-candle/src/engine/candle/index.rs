//! Gather, its transpose, and one-hot rows. Indices are checked on the host.

use super::error::Result;
use super::execute::Site;
use super::typed::{Typed, dtype};
use super::{Results, Rule, reference, take, tensors};
use candle_core::{DType, Tensor};
use tfjs_ir::prim::index::{Bounds, Gather, OneHot, ScatterAdd};
use tfjs_manifest::Error;

impl Rule for Gather {
    // An invalid index is an error even if rows have no elements.
    const ALWAYS: bool = true;

    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [x, indices] = take(operands)?;
        let len = *x.dims().get(self.axis).ok_or_else(|| Error::bug("a gather along an axis that does not exist"))?;
        let rows = rows(indices, len, self.bounds)?;
        let expected = site.expected(0)?;
        if expected.dims.contains(&0) {
            return Ok(vec![Some(Typed::empty(expected.element, &expected.dims, site.device())?)]);
        }
        let count = rows.len();
        let rows = Tensor::from_vec(rows, count, site.device())?;
        let picked = x.tensor()?.contiguous()?.index_select(&rows, self.axis)?;
        site.one(picked.reshape(&expected.dims[..])?)
    }
}

/// The rows of an axis that indices select.
fn rows(indices: &Typed, len: usize, bounds: Bounds) -> Result<Vec<u32>> {
    let row = |index: i64| {
        let row = bounds.row(index, len)?;
        u32::try_from(row).map_err(|_| Error::limit("a table of more than 2^32 rows").into())
    };
    indices.to_integers()?.into_iter().map(row).collect()
}

impl Rule for ScatterAdd {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [base, indices, slices] = take(operands)?;
        if base.element().is_integer() {
            return reference::evaluate(site, operands);
        }
        let (to, slices) = (base.tensor()?, slices.tensor()?);
        if slices.elem_count() == 0 {
            return site.one(to.clone());
        }
        let rows = rows(indices, to.dims()[self.axis], Bounds::Clamp)?;
        let mut dims = to.dims().to_vec();
        dims[self.axis] = rows.len();
        let count = rows.len();
        let rows = Tensor::from_vec(rows, count, site.device())?;
        site.one(to.contiguous()?.index_add(&rows, &slices.contiguous()?.reshape(dims)?, self.axis)?)
    }
}

impl Rule for OneHot {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [indices] = tensors(operands)?;
        let columns = Tensor::arange(0, site.dim(self.depth)? as i64, site.device())?;
        let indices = indices.to_dtype(DType::I64)?.unsqueeze(indices.rank())?;
        site.one(indices.broadcast_eq(&columns)?.to_dtype(dtype(self.element, site.device()))?)
    }
}
