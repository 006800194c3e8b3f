//! Expansions: each composite written in simpler primitives.
//!
//! An engine without a kernel for a composite runs its expansion. The interpreter evaluates composites by separate
//! formulas; both agree within rounding.

mod activate;
mod index;
mod normalize;
mod recurrent;
mod window;

use crate::build::Builder;
use crate::for_each_prim;
use crate::prim::control::Scan;
use crate::prim::{Class, Prim};
use crate::program::{Block, Program, Value};
use crate::rewrite::{Within, rewrite};
use tfjs_manifest::{Error, Result};

/// Expands a composite.
trait Expand {
    /// Adds the nodes that compute its results.
    fn expand(&self, b: &mut Builder, operands: &[Value]) -> Result<Vec<Value>>;
}

macro_rules! dispatch {
    ($($family:ident :: $name:ident = $text:literal, $class:ident;)*) => {
        impl Prim {
            /// Adds the expansion of a composite, which may contain other composites. Returns its results, or `None`
            /// for a primitive that is not a composite.
            ///
            /// # Errors
            /// As [`Builder::push`].
            pub fn expand(&self, b: &mut Builder, operands: &[Value]) -> Result<Option<Vec<Value>>> {
                match self { $(Prim::$name(prim) => dispatch!(@ $class, prim, b, operands),)* }
            }
        }
    };
    // A composite without an expansion does not compile.
    (@ Composite, $prim:ident, $b:ident, $operands:ident) => { Expand::expand($prim, $b, $operands).map(Some) };
    (@ $class:ident, $prim:ident, $b:ident, $operands:ident) => {{
        let _ = $prim;
        Ok(None)
    }};
}
for_each_prim!(dispatch);

/// A program in which every composite for which `keep` is false is replaced by its expansion, in loop bodies too.
///
/// # Errors
/// As [`Builder::push`].
pub fn expand(program: &Program, keep: &dyn Fn(&Prim) -> bool) -> Result<Program> {
    let goes = |prim: &Prim| prim.class() == Class::Composite && !keep(prim);
    let mut expanded = None;
    // An expansion may contain composites of lower levels. There are few levels.
    loop {
        let current = expanded.as_ref().unwrap_or(program);
        if !any(&current.body, &goes) {
            return Ok(expanded.unwrap_or_else(|| program.clone()));
        }
        let next = rewrite(current, Within::Loops, &mut |b, node, operands| match goes(&node.prim) {
            true => node.prim.expand(b, operands),
            false => Ok(None),
        })?;
        expanded = Some(next);
    }
}

/// Whether a block, or the body of one of its loops, contains a primitive that `wanted` accepts.
fn any(block: &Block, wanted: &dyn Fn(&Prim) -> bool) -> bool {
    block.nodes.iter().any(|node| match &node.prim {
        Prim::Scan(Scan { body, .. }) => any(body, wanted),
        prim => wanted(prim),
    })
}

/// The operands of a composite with `N` operands.
fn take<const N: usize>(operands: &[Value]) -> Result<[Value; N]> {
    let found = operands.len();
    operands.try_into().map_err(|_| Error::bug(format!("expected {N} operands, found {found}")))
}

#[cfg(test)]
mod tests;
