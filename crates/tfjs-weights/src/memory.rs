//! Fallible allocation: the sizes come from files, so a lack of memory must be an error and not an abort.

use bytemuck::Zeroable;
use tfjs_manifest::{Error, Result};

/// Zeroed memory, which the system commits when it is first written to.
pub(crate) fn zeroed<T: Zeroable>(len: usize) -> Result<Vec<T>> {
    bytemuck::try_zeroed_vec(len).map_err(|()| out_of_memory::<T>(len))
}

/// Collects items into a vector of exactly their number.
pub(crate) fn collect<T>(items: impl ExactSizeIterator<Item = T>) -> Result<Vec<T>> {
    let mut all = with_capacity(items.len())?;
    all.extend(items);
    Ok(all)
}

pub(crate) fn with_capacity<T>(len: usize) -> Result<Vec<T>> {
    let mut empty = Vec::new();
    empty.try_reserve_exact(len).map_err(|_| out_of_memory::<T>(len))?;
    Ok(empty)
}

#[cold]
fn out_of_memory<T>(len: usize) -> Error {
    let bytes = len as u128 * size_of::<T>() as u128;
    Error::limit(format!(
        "no memory for {bytes} bytes of weights; lower `weight_bytes` in `Limits` to reject such models early"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[test]
    fn absurd_sizes_are_errors() {
        assert_eq!(zeroed::<f32>(isize::MAX as usize).unwrap_err().kind(), Kind::Limit);
        assert_eq!(with_capacity::<f32>(isize::MAX as usize).unwrap_err().kind(), Kind::Limit);
        assert_eq!(zeroed::<f32>(3).unwrap(), [0.0; 3]);
    }
}
