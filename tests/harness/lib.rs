//! What the tests of models share: conformance cases, small models, comparison.

pub mod cases;
pub mod expectations;
pub mod oracles;
pub mod small;
pub mod tensors;
