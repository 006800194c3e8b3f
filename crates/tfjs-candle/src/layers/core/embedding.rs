//! Runs `Embedding`.

use crate::run::{OrBug, Run, RunCx};
use crate::value::Value;
use candle_core::{DType, Device, Tensor};
use tfjs_manifest::{Error, Result};
use tfjs_topology::call::Call;
use tfjs_topology::layers::core::embedding::Embedding;

impl Run for Embedding {
    fn run(&self, cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let ids = crate::run::single(call)?;
        let table = cx.weight(0)?;
        let mut dims = ids.dims().to_vec();
        dims.push(self.output_dim);
        let rows = checked_rows(ids, self.input_dim)?;
        let out = if rows.is_empty() || self.output_dim == 0 {
            Tensor::zeros(dims, table.dtype(), table.device()).or_bug()?
        } else {
            let count = rows.len();
            let rows = Tensor::from_vec(rows, count, table.device()).or_bug()?;
            table.index_select(&rows, 0).or_bug()?.reshape(dims).or_bug()?
        };
        let mask = if self.mask_zero { Some(ids.ne(0.0).or_bug()?) } else { None };
        Ok(vec![Value::new(out).with_mask(mask)])
    }
}

/// The indices as rows of a table of `len` rows. Looking at them before they are used makes a wrong one an
/// error on every device; there is no gradient to lose.
fn checked_rows(ids: &Tensor, len: usize) -> Result<Vec<u32>> {
    let host = ids.to_device(&Device::Cpu).or_bug()?;
    let whole = host.to_dtype(DType::I64).or_bug()?.flatten_all().or_bug()?.to_vec1::<i64>().or_bug()?;
    whole
        .into_iter()
        .map(|id| match u32::try_from(id) {
            Ok(row) if (row as usize) < len => Ok(row),
            _ => Err(Error::mismatch(format!(
                "index `{id}` is not in a table of {len} rows; expected 0 to {}",
                len.saturating_sub(1)
            ))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custom::CustomLayers;
    use tfjs_manifest::Kind;

    fn run(ids: Tensor, mask_zero: bool) -> Result<Vec<Value>> {
        let table = Tensor::new(&[[0f32, 1.0], [10.0, 11.0], [20.0, 21.0]], &Device::Cpu).unwrap();
        let custom = CustomLayers::new();
        let cx = RunCx { weights: &[table], training: false, custom: &custom };
        Embedding { input_dim: 3, output_dim: 2, mask_zero }.run(&cx, &Call::of([Value::new(ids)]))
    }

    #[test]
    fn floats_are_truncated_and_zero_is_masked() {
        let out = &run(Tensor::new(&[[0.9f32, 2.7]], &Device::Cpu).unwrap(), true).unwrap()[0];
        assert_eq!(out.tensor().unwrap().to_vec3::<f32>().unwrap(), [[[0.0, 1.0], [20.0, 21.0]]]);
        let out = &run(Tensor::new(&[[0i64, 1]], &Device::Cpu).unwrap(), true).unwrap()[0];
        assert_eq!(out.mask.as_ref().unwrap().to_vec2::<u8>().unwrap(), [[0, 1]]);
    }

    #[test]
    fn no_indices_no_rows() {
        let out = &run(Tensor::zeros((2, 0), DType::I64, &Device::Cpu).unwrap(), false).unwrap()[0];
        assert_eq!(out.dims(), [2, 0, 2]);
    }

    #[test]
    fn an_index_outside_the_table_is_named() {
        for (id, text) in [(3i64, "index `3`"), (-1, "index `-1`")] {
            let error = run(Tensor::new(&[id], &Device::Cpu).unwrap(), false).unwrap_err();
            assert_eq!(error.kind(), Kind::Mismatch);
            assert!(error.message().starts_with(text), "{error}");
        }
    }
}
