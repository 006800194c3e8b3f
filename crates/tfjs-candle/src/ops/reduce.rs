//! Runs reductions.

use super::{to_type, type_of};
use crate::activation::to_float;
use crate::extremes::{largest, smallest};
use crate::run::{OrBug, Run, RunCx, one};
use crate::value::Value;
use candle_core::{DType, Tensor};
use tfjs_manifest::{Error, Result};
use tfjs_topology::call::Call;
use tfjs_topology::layer::LayerDef;
use tfjs_topology::ops::params::subject;
use tfjs_topology::ops::reduce::{Reduce, ReduceKind};
use tfjs_topology::types::ValueType;

impl Run for Reduce {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let x = subject(call, &["input_tensor"])?.tensor()?;
        let ty = type_of(x);
        let axes = self.axes(call, &ty)?;
        let outputs = self.infer(&call.try_map(|value| value.tensor().map(type_of))?)?;
        let dtype = outputs.first().map_or(ty.dtype, |ty| ty.dtype);
        if axes.iter().any(|&axis| x.dims()[axis] == 0) {
            return Err(Error::mismatch(format!("nothing to reduce in shape {}", ty.shape)));
        }
        let x = match (self.kind, ty.dtype) {
            (ReduceKind::Any | ReduceKind::All, _) => x.ne(0.0).or_bug()?,
            (ReduceKind::Mean, _) => to_float(x)?,
            (_, ValueType::Float) => x.clone(),
            _ => x.to_dtype(DType::I64).or_bug()?,
        };
        let mut out = x;
        for &axis in &axes {
            out = reduced(self.kind, &out, axis).or_bug()?;
        }
        if !self.keepdims(call)? {
            for &axis in axes.iter().rev() {
                out = out.squeeze(axis).or_bug()?;
            }
        }
        one(to_type(&out, dtype)?)
    }
}

/// One axis, kept with length 1.
fn reduced(kind: ReduceKind, x: &Tensor, axis: usize) -> candle_core::Result<Tensor> {
    match kind {
        ReduceKind::Sum => x.sum_keepdim(axis),
        // Over axes one after the other, as many elements each: the mean of means is the mean.
        ReduceKind::Mean => x.mean_keepdim(axis),
        ReduceKind::Max | ReduceKind::Any => largest(x, axis),
        ReduceKind::Min | ReduceKind::All => smallest(x, axis),
        ReduceKind::Prod => {
            let mut out = x.narrow(axis, 0, 1)?;
            for i in 1..x.dim(axis)? {
                out = (out * x.narrow(axis, i, 1)?)?;
            }
            Ok(out)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{b, check, f, i, run_op};
    use serde_json::json;

    #[test]
    fn over_axes() {
        let x = || f(&[1.0, 2.0, 3.0, 4.0, 5.0, 9.0], &[2, 3]);
        check("Mean", json!({"axis": 1}), vec![x()], &[2], &[2.0, 6.0]);
        check("Mean", json!({"axis": [0, -1], "keepdims": true}), vec![x()], &[1, 1], &[4.0]);
        check("Sum", json!({"axis": 0, "keepdims": true}), vec![x()], &[1, 3], &[5.0, 7.0, 12.0]);
        check("Max", json!({"axis": null}), vec![x()], &[], &[9.0]);
        check("Min", json!({"axis": -1}), vec![x()], &[2], &[1.0, 4.0]);
        check("Prod", json!({"axis": 1}), vec![x()], &[2], &[6.0, 180.0]);
        check("Mean", json!({"axis": 0}), vec![i(&[1, 2], &[2])], &[], &[1.5]);
        check("Sum", json!({"axis": 0}), vec![b(&[1, 1], &[2])], &[], &[2.0]);
        check("Any", json!({"axis": 1}), vec![b(&[0, 1, 0, 0], &[2, 2])], &[2], &[1.0, 0.0]);
        check("All", json!({"axis": 1}), vec![b(&[1, 1, 0, 1], &[2, 2])], &[2], &[1.0, 0.0]);
    }

    #[test]
    fn nothing_to_reduce() {
        let error = run_op("Max", json!({"axis": 1}), vec![f(&[], &[2, 0])]).unwrap_err();
        assert_eq!(error.message(), "nothing to reduce in shape [2,0]");
    }
}
