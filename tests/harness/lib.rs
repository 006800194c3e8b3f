//! Shared code of the tests of models: conformance cases, small models, comparison.

/// The program in SECURITY.md compiles.
#[cfg(doctest)]
#[doc = include_str!("../../SECURITY.md")]
struct Security;

pub mod cases;
pub mod expectations;
pub mod oracles;
pub mod small;
pub mod tensors;
