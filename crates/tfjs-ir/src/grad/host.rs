//! Text primitives have no gradients.

use super::rule::no_gradient;
use crate::prim::host::{Cross, Lookup, ToText};

no_gradient! {
    Lookup: "an index of a vocabulary is an integer";
    ToText: "text has no gradient";
    Cross: "a bucket is an integer";
}
