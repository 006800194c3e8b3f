//! Runs `Matmul`.

use crate::activation::to_float;
use crate::run::{OrBug, Run, RunCx, one};
use crate::value::Value;
use candle_core::{D, Tensor};
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::ops::matmul::Matmul;

impl Run for Matmul {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let ready = |(value, transposed): (&Value, bool)| -> Result<Tensor> {
            let x = to_float(value.tensor()?)?;
            if transposed { x.transpose(D::Minus1, D::Minus2).or_bug()?.contiguous().or_bug() } else { Ok(x) }
        };
        let [a, b] = self.operands(call)?;
        let (a, b) = (ready(a)?, ready(b)?);
        if a.elem_count() > 0 && b.elem_count() > 0 {
            return one(a.broadcast_matmul(&b).or_bug()?);
        }
        empty(&a, &b)
    }
}

/// The product of tensors one of which has no elements, which candle does not multiply: a sum over nothing is 0.
fn empty(a: &Tensor, b: &Tensor) -> Result<Vec<Value>> {
    let batch = |x: &Tensor| candle_core::Shape::from(x.dims()[..x.rank() - 2].to_vec());
    let batch = batch(a).broadcast_shape_binary_op(&batch(b), "matmul").or_bug()?;
    let mut dims = batch.into_dims();
    dims.extend([a.dim(D::Minus2).or_bug()?, b.dim(D::Minus1).or_bug()?]);
    one(Tensor::zeros(dims, a.dtype(), a.device()).or_bug()?)
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, f, none};
    use serde_json::json;

    #[test]
    fn products() {
        let a = || f(&[1.0, 2.0, 3.0, 4.0], &[2, 2]);
        check("Matmul", none(), vec![a(), a()], &[2, 2], &[7.0, 10.0, 15.0, 22.0]);
        check("Matmul", json!({"transpose_b": true}), vec![a(), a()], &[2, 2], &[5.0, 11.0, 11.0, 25.0]);
        let batch = f(&[1.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 2.0], &[2, 2, 2]);
        let expect = [1.0, 2.0, 3.0, 4.0, 2.0, 4.0, 6.0, 8.0];
        check("Matmul", none(), vec![batch, a()], &[2, 2, 2], &expect);
        check("Matmul", none(), vec![f(&[], &[2, 0]), f(&[], &[0, 1])], &[2, 1], &[0.0, 0.0]);
    }
}
