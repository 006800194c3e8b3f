//! `Matmul`: matrix products with broadcast batches.
//!
//! Reference: `keras.ops.matmul`, `tf.linalg.matmul`.

use super::FromOpConfig;
use super::args::{Args, to_type};
use super::params::{Params, promote, summed};
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, value_type};
use tfjs_ir::Value;
use tfjs_manifest::{Error, Result};

/// A product of two tensors of rank 2 or more.
#[derive(Clone, Debug, PartialEq)]
pub struct Matmul {
    /// `transpose_a`, `transpose_b`.
    pub params: Params,
}

impl FromOpConfig for Matmul {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Matmul { params: Params::read(config) })
    }
}

/// The operands of a product.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl Side {
    /// The arguments that transpose the operand. The adjoint of a real matrix is its transpose.
    fn transpose(self) -> [&'static str; 2] {
        match self {
            Side::Left => ["transpose_a", "adjoint_a"],
            Side::Right => ["transpose_b", "adjoint_b"],
        }
    }
}

/// An operand of a product.
#[derive(Clone, Copy)]
struct Factor {
    value: Value,
    /// The number of batch axes, which come first.
    batch: usize,
    /// The axis that is summed over.
    inner: usize,
}

impl Factor {
    /// Broadcasts the operand to a batch.
    fn spread(self, cx: &mut LowerCx<'_>, batch: &[tfjs_ir::Dim]) -> Result<Factor> {
        let mut dims = cx.dims_of(self.value);
        dims.splice(..self.batch, batch.iter().copied());
        let value = cx.broadcast_to(self.value, &dims)?;
        Ok(Factor { value, batch: batch.len(), inner: self.inner + batch.len() - self.batch })
    }
}

/// An operand with its axes: batch, kept and summed.
fn side(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value, of: Side) -> Result<Factor> {
    let [transpose, adjoint] = of.transpose();
    let transposed = args.or(&[transpose], None, false)? || args.or(&[adjoint], None, false)?;
    let value = cx.to_float(x)?;
    match cx.ty(value).rank() {
        0 => Err(Error::malformed("expected vectors or matrices, found a number")),
        // The only axis of a vector is summed over.
        1 => Ok(Factor { value, batch: 0, inner: 0 }),
        rank => {
            let batch = rank - 2;
            let inner = if transposed == (of == Side::Left) { batch } else { batch + 1 };
            Ok(Factor { value, batch, inner })
        }
    }
}

fn product(cx: &mut LowerCx<'_>, a: Factor, b: Factor) -> Result<Value> {
    let (a_dims, b_dims) = (cx.dims_of(a.value), cx.dims_of(b.value));
    if cx.same(a_dims[a.inner], b_dims[b.inner]).is_none() {
        let (a, b) = (cx.shape(a.value), cx.shape(b.value));
        return Err(Error::malformed(format!("shapes {a} and {b} cannot be multiplied")));
    }
    // Only batch axes at the same position pair entries; all others mix entries of the batch.
    if a_dims.len() != b_dims.len() || a.batch == 0 {
        cx.mixes_batch();
    }
    if b.batch == 0 || cx.ty(a.value).rank() == 1 {
        if b.batch > 0 {
            // The batch axes of the matrices come first in the result.
            return cx.dot(b.value, a.value, &[], &[(b.inner, a.inner)]);
        }
        return cx.dot(a.value, b.value, &[], &[(a.inner, b.inner)]);
    }
    let batch = cx.broadcast_shapes(&a_dims[..a.batch], &b_dims[..b.batch])?;
    let (a, b) = (a.spread(cx, &batch)?, b.spread(cx, &batch)?);
    let pairs: Vec<(usize, usize)> = (0..batch.len()).map(|axis| (axis, axis)).collect();
    cx.dot(a.value, b.value, &pairs, &[(a.inner, b.inner)])
}

impl LayerDef for Matmul {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        // Hints for the choice of a kernel.
        args.inert(&["a_is_sparse", "b_is_sparse"]);
        let a = args.need_value(cx, &["x1", "a", "x"], Some(0))?;
        let b = args.need_value(cx, &["x2", "b", "y"], Some(1))?;
        let dtype = promote(value_type(cx.ty(a).element), value_type(cx.ty(b).element));
        let a = side(cx, &args, a, Side::Left)?;
        let b = side(cx, &args, b, Side::Right)?;
        let value = product(cx, a, b)?;
        let value = to_type(cx, value, summed(dtype))?;
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused};
    use serde_json::json;

    #[test]
    fn products() {
        check("Matmul", json!({}), json!(["f:?,3,4", "f:?,4,5"]), json!({}), "float32[?,3,5]");
        check("Matmul", json!({}), json!(["f:?,3,4", "f:4,5"]), json!({}), "float32[?,3,5]");
        let kwargs = json!({"b": "f:?,5,4", "transpose_b": true});
        check("Matmul", json!({}), json!(["f:?,3,4"]), kwargs, "float32[?,3,5]");
        check("Matmul", json!({}), json!(["f:?,3,4", [1.0, 2.0, 3.0, 4.0]]), json!({}), "float32[?,3]");
        check("Matmul", json!({}), json!(["f:4", "f:?,4,3"]), json!({}), "float32[?,3]");
        check("Matmul", json!({}), json!(["i:?,2", [[1], [2]]]), json!({}), "int32[?,1]");
        refused("Matmul", json!(["f:?,3", "f:4,5"]), "shapes [?,3] and [4,5] cannot be multiplied");
    }
}
