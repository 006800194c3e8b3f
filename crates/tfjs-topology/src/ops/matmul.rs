//! `Matmul`: products of matrices, batches broadcast.
//!
//! Reference: `keras.ops.matmul`, `tf.linalg.matmul`.

use super::FromOpConfig;
use super::args::{self, Args};
use super::binary::operands;
use super::params::Params;
use crate::call::{Arg, Call};
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
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

impl Matmul {
    /// The operands, and whether each has its last two axes exchanged.
    ///
    /// # Errors
    /// An operand that is missing or no tensor.
    pub fn operands<'a, T>(&self, call: &'a Call<T>) -> Result<[(&'a T, bool); 2]> {
        for name in ["adjoint_a", "adjoint_b", "a_is_sparse", "b_is_sparse"] {
            if self.params.opt(call, &[name], None)?.unwrap_or(false) {
                return Err(Error::unsupported(format!("`{name}` is not supported")));
            }
        }
        let transposed = |name: &str| Ok(self.params.opt(call, &[name], None)?.unwrap_or(false));
        let (transpose_a, transpose_b) = (transposed("transpose_a")?, transposed("transpose_b")?);
        let [Arg::Tensor(a), Arg::Tensor(b)] = operands(call)? else {
            return Err(Error::unsupported("a constant in a product of matrices is not supported"));
        };
        Ok([(a, transpose_a), (b, transpose_b)])
    }
}

/// Lowering.
impl Matmul {
    /// An operand, and the axes of it that are no batch: those that stay, those that are summed over.
    fn side(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, arg: &Arg<KerasTensor>, of: Side) -> Result<Factor> {
        let Arg::Tensor(tensor) = arg else {
            return Err(Error::unsupported("a constant in a product of matrices is not supported"));
        };
        args::numeric(cx, tensor.value)?;
        let transposed = args.or(&[of.transpose()], None, false)?;
        let Some(batch) = cx.ty(tensor.value).rank().checked_sub(2) else {
            let shape = cx.shape(tensor.value);
            return Err(Error::unsupported(format!("expected tensors of rank 2 or more, found shape {shape}")));
        };
        let inner = if transposed == (of == Side::Left) { batch } else { batch + 1 };
        Ok(Factor { value: cx.to_float(tensor.value)?, batch, inner })
    }
}

/// Which operand of a product.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl Side {
    fn transpose(self) -> &'static str {
        match self {
            Side::Left => "transpose_a",
            Side::Right => "transpose_b",
        }
    }
}

/// An operand of a product.
#[derive(Clone, Copy)]
struct Factor {
    value: Value,
    /// The number of axes of the batch, which come first.
    batch: usize,
    /// The axis that is summed over.
    inner: usize,
}

impl Factor {
    /// The operand with its batch repeated to this one.
    fn spread(self, cx: &mut LowerCx<'_>, batch: &[tfjs_ir::Dim]) -> Result<Factor> {
        let mut dims = cx.dims_of(self.value);
        dims.splice(..self.batch, batch.iter().copied());
        let value = cx.broadcast_to(self.value, &dims)?;
        Ok(Factor { value, batch: batch.len(), inner: self.inner + batch.len() - self.batch })
    }
}

fn product(cx: &mut LowerCx<'_>, a: Factor, b: Factor) -> Result<Value> {
    let (a_dims, b_dims) = (cx.dims_of(a.value), cx.dims_of(b.value));
    if cx.same(a_dims[a.inner], b_dims[b.inner]).is_none() {
        let (a, b) = (cx.shape(a.value), cx.shape(b.value));
        return Err(Error::malformed(format!("shapes {a} and {b} cannot be multiplied")));
    }
    // Only axes of a batch at the same place run together; everything else sees other entries.
    if a_dims.len() != b_dims.len() || a.batch == 0 {
        cx.mixes_batch();
    }
    if b.batch == 0 {
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
        for name in ["adjoint_a", "adjoint_b", "a_is_sparse", "b_is_sparse"] {
            if args.or(&[name], None, false)? {
                return Err(Error::unsupported(format!("`{name}` is not supported")));
            }
        }
        let [a, b] = args.pair(0)?;
        let a = self.side(cx, &args, a, Side::Left)?;
        let b = self.side(cx, &args, b, Side::Right)?;
        let value = product(cx, a, b)?;
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
        refused("Matmul", json!(["f:?,3", "f:4,5"]), "shapes [?,3] and [4,5] cannot be multiplied");
    }
}
