//! Splits batches and joins their results.

use crate::engine::CandleResultExt;
use crate::value::{Data, Strings};
use candle_core::Tensor;
use std::sync::Arc;
use tfjs_manifest::{Error, Result, Shape};

/// Some entries of a batch.
pub(super) fn narrow(data: &Data, start: usize, len: usize) -> Result<Data> {
    Ok(match data {
        Data::Tensor(tensor) => Data::Tensor(tensor.narrow(0, start, len).or_error()?),
        Data::Strings(strings) => {
            let row = strings.shape().dims()[1..].iter().product::<usize>();
            let items = strings.items()[start * row..(start + len) * row].to_vec();
            let dims: Vec<usize> = std::iter::once(len).chain(strings.shape().dims()[1..].iter().copied()).collect();
            Data::Strings(Arc::new(Strings::new(Shape::new(dims)?, items)?))
        }
    })
}

/// Concatenates batches.
pub(super) fn concat<'a>(parts: impl Iterator<Item = &'a Data>) -> Result<Data> {
    let parts: Vec<&Data> = parts.collect();
    let entry = |data: &&Data| data.dims().get(1..).map(<[usize]>::to_vec);
    if let Some(first) = parts.first()
        && let Some(other) = parts.iter().find(|part| entry(part) != entry(first))
    {
        let (first, other) = (first.dims(), other.dims());
        let message = format!(
            "batches give outputs of shapes {first:?} and {other:?}, which do not join; predict all examples at once"
        );
        return Err(Error::mismatch(message));
    }
    let tensors: Option<Vec<&Tensor>> = parts.iter().map(|data| data.tensor().ok()).collect();
    if let Some(tensors) = tensors {
        return Tensor::cat(&tensors, 0).or_error().map(Data::Tensor);
    }
    let mut items: Vec<Arc<str>> = Vec::new();
    let mut dims: Vec<usize> = parts.first().map(|data| data.dims().to_vec()).unwrap_or_default();
    for part in &parts {
        if let Data::Strings(strings) = part {
            items.extend_from_slice(strings.items());
        }
    }
    if let Some(batch) = dims.first_mut() {
        *batch = parts.iter().filter_map(|data| data.dims().first()).sum();
    }
    Ok(Data::Strings(Arc::new(Strings::new(Shape::new(dims)?, items)?)))
}
