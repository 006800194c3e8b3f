//! `Matmul`: products of matrices, batches broadcast.
//!
//! Reference: `keras.ops.matmul`, `tf.linalg.matmul`.

use super::FromOpConfig;
use super::binary::{broadcast, operands};
use super::params::{Params, numeric};
use crate::call::{Arg, Call};
use crate::config::Config;
use crate::layer::LayerDef;
use crate::types::{Dim, SymShape, TensorType};
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

impl LayerDef for Matmul {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let split = |(ty, transposed): (&TensorType, bool)| -> Result<(SymShape, Dim, Dim)> {
            match (&numeric(ty)?.shape.0[..], transposed) {
                ([batch @ .., rows, columns], false) | ([batch @ .., columns, rows], true) => {
                    Ok((SymShape(batch.to_vec()), *rows, *columns))
                }
                _ => Err(Error::unsupported(format!("expected tensors of rank 2 or more, found shape {}", ty.shape))),
            }
        };
        let [a, b] = self.operands(call)?;
        let ((batch_a, rows, inner_a), (batch_b, inner_b, columns)) = (split(a)?, split(b)?);
        if inner_a.zip(inner_b).is_some_and(|(a, b)| a != b) {
            return Err(Error::malformed(format!("shapes {} and {} cannot be multiplied", a.0.shape, b.0.shape)));
        }
        let mut dims = broadcast(&batch_a, &batch_b)?.0;
        dims.extend([rows, columns]);
        Ok(vec![TensorType::float(SymShape(dims))])
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
