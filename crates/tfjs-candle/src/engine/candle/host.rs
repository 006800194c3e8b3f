//! Vocabularies and hash buckets, which run on the host.

use super::error::Result;
use super::execute::Site;
use super::typed::Typed;
use super::{Results, Rule, reference};
use tfjs_ir::prim::host::{Cross, Lookup, ToText};

impl Rule for Lookup {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        reference::evaluate(site, operands)
    }
}

impl Rule for ToText {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        reference::evaluate(site, operands)
    }
}

impl Rule for Cross {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        reference::evaluate(site, operands)
    }
}
