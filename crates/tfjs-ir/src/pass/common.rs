//! Merges nodes that compute the same value.
//!
//! Random numbers, opaque functions and states are never merged, and neither are text primitives: their attributes are
//! large.

use super::copy::{Copy, with_body};
use crate::prim::attribute::Writer;
use crate::prim::{Class, Prim, PrimKind};
use crate::program::{Block, Program, Value};
use std::collections::HashMap;
use tfjs_manifest::{Error, Result};

/// Constants of up to this many elements are compared by their elements; larger ones are equal only to themselves.
const SMALL: usize = 16;

/// Merges nodes that apply the same primitive to the same operands. Nodes that become unused are removed.
///
/// # Errors
/// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for a program that does not verify.
pub fn common_subexpressions(program: &Program) -> Result<Program> {
    let (body, values) = merge(program, &program.body)?.into_parts();
    let value = |old: Value| values[old.index()].ok_or_else(|| Error::bug(format!("%{} is not computed", old.0)));
    super::with_body(program, body, value)
}

fn merge<'a>(program: &Program, block: &'a Block) -> Result<Copy<'a>> {
    let mut copy = Copy::with_parameters(block)?;
    let mut known: HashMap<(PrimKind, Vec<Value>, String), Vec<Value>> = HashMap::new();
    for node in &block.nodes {
        let operands = copy.operands(node)?;
        let prim = with_body(&node.prim, |body| merge(program, body)?.finish(&body.results))?;
        let key = attributes(program, &prim).map(|text| (prim.kind(), operands.clone(), text));
        if let Some(found) = key.as_ref().and_then(|key| known.get(key))
            && node.results.iter().zip(found).all(|(&old, &new)| copy.same_type(old, new))
        {
            for (&old, &new) in node.results.iter().zip(found) {
                copy.replace(old, new);
            }
            continue;
        }
        copy.push(prim, operands, &node.results, node.origin)?;
        if let Some(key) = key {
            let results = node.results.iter().map(|&old| copy.read(old)).collect::<Result<_>>()?;
            known.insert(key, results);
        }
    }
    Ok(copy)
}

/// A text that is equal only for equal attributes; `None` for a primitive that is never merged.
fn attributes(program: &Program, prim: &Prim) -> Option<String> {
    if matches!(prim, Prim::Random(_) | Prim::Opaque(_) | Prim::State(_)) || prim.class() == Class::Host {
        return None;
    }
    if let Prim::Const(prim) = prim
        && let Some(array) = program.constants.get(prim.constant.index()).filter(|array| array.elements() <= SMALL)
    {
        return Some(format!("{array:?}"));
    }
    let mut writer = Writer::for_keys(&program.dims, &program.origins);
    prim.write(&mut writer);
    Some(writer.text)
}
