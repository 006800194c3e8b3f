//! Primitives without numeric operands have no gradients.

use super::rule::no_gradient;
use crate::prim::source::{Const, Input, Iota, Param, Random, Sizes, State};

no_gradient! {
    Input: "an input has no operands";
    Param: "a weight has no operands";
    State: "a state has no operands";
    Const: "a constant has no operands";
    Sizes: "sizes are integers";
    Iota: "counters have no operands";
    Random: "a seed is an integer";
}
