//! Errors of kernels called with invalid arguments. Values never cause errors: arithmetic cannot fail here.

use std::fmt;

/// A `Result` with this crate's [`KernelError`].
pub type Result<T, E = KernelError> = std::result::Result<T, E>;

/// A kernel was called with inconsistent arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KernelError {
    /// The length of a slice does not match the geometry.
    Length {
        /// The argument.
        what: &'static str,
        /// The expected number of elements.
        expected: usize,
        /// The number of elements of the slice.
        found: usize,
    },
    /// A number is invalid, such as a stride of 0.
    Geometry {
        /// The argument.
        what: &'static str,
        /// Its value.
        value: usize,
        /// The rule that it violates.
        rule: &'static str,
    },
    /// A product of dimensions does not fit the address space.
    TooLarge {
        /// The argument whose size overflows.
        what: &'static str,
    },
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KernelError::Length { what, expected, found } => {
                write!(f, "`{what}`: expected {expected} elements, found {found}")
            }
            KernelError::Geometry { what, value, rule } => {
                write!(f, "`{what}` is `{value}`: {rule}")
            }
            KernelError::TooLarge { what } => {
                write!(f, "`{what}`: more elements than the address space holds; use smaller dimensions")
            }
        }
    }
}

impl std::error::Error for KernelError {}

/// The product of `dims`, or [`KernelError::TooLarge`] if the elements do not fit the address space.
pub(crate) fn product(what: &'static str, dims: &[usize]) -> Result<usize> {
    // A zero makes the product zero, even if the others overflow.
    if dims.contains(&0) {
        return Ok(0);
    }
    let n = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    // Byte offsets are `isize` in pointer arithmetic.
    n.filter(|&n| n <= isize::MAX as usize / size_of::<f32>()).ok_or(KernelError::TooLarge { what })
}

/// Fails unless `found == expected`.
pub(crate) fn check_len(what: &'static str, expected: usize, found: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(KernelError::Length { what, expected, found })
}

/// Fails unless a slice holds at least `expected` elements. For strided matrices, whose last row may or may not be
/// followed by padding.
pub(crate) fn check_at_least(what: &'static str, expected: usize, found: usize) -> Result<()> {
    if found >= expected {
        return Ok(());
    }
    Err(KernelError::Length { what, expected, found })
}

/// Fails with [`KernelError::Geometry`] unless `holds`.
pub(crate) fn check_rule(holds: bool, what: &'static str, value: usize, rule: &'static str) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(KernelError::Geometry { what, value, rule })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_expected_then_found() {
        let e = check_len("input", 24, 12).unwrap_err();
        assert_eq!(e.to_string(), "`input`: expected 24 elements, found 12");
        let e = check_rule(false, "stride_h", 0, "must be at least 1").unwrap_err();
        assert_eq!(e.to_string(), "`stride_h` is `0`: must be at least 1");
    }

    #[test]
    fn a_product_beyond_the_address_space_is_an_error() {
        assert_eq!(product("out", &[usize::MAX, 2]), Err(KernelError::TooLarge { what: "out" }));
        assert_eq!(product("out", &[isize::MAX as usize]), Err(KernelError::TooLarge { what: "out" }));
        assert_eq!(product("out", &[usize::MAX, 2, 0]), Ok(0));
        assert_eq!(product("out", &[3, 4]), Ok(12));
    }
}
