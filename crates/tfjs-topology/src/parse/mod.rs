//! Parses Keras JSON to a [`ModelDef`]: parses every layer, resolves every reference to an index, and reports all
//! errors together. Nothing is inferred or flattened here.

mod backbone;
pub(crate) mod entry;
mod functional;
mod input;
pub(crate) mod keras1;
mod nodes;
mod sequential;
mod single;
mod unneeded;

use crate::def::{LayerBody, ModelDef};
use crate::producer::Producer;
use crate::read::{CustomDefs, ReadCx};
use serde_json::Value;
use std::rc::Rc;
use tfjs_manifest::account::json_bytes;
use tfjs_manifest::{Account, Error, Limits, Result};

/// Parses a model's topology: `{"class_name": "Sequential" | "Functional" | "Model", "config": ...}`.
///
/// # Errors
/// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported), listing every unknown class, operation and activation
/// together; [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if it is not a topology or has invalid references;
/// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if it exceeds a limit.
pub fn parse(topology: &Value, producer: Producer, custom: &CustomDefs, limits: &Limits) -> Result<ModelDef> {
    let account = Rc::new(Account::new(limits));
    account.charge(json_bytes(topology))?;
    let image_format = producer.is_keras1().then(|| keras1::format_of(topology)).flatten();
    let cx = ReadCx { custom: custom.clone(), limits: limits.clone(), account, image_format, ..ReadCx::new(&producer) };
    let entry = entry::read_entry(topology, &cx)?;
    let LayerBody::Model(root) = entry.body else {
        return Err(Error::malformed(format!(
            "expected the topology of a `Sequential` or `Functional` model, found a single layer of class `{}`",
            entry.class_name
        )));
    };
    let (warnings, spent) = (cx.warnings.take(), cx.account.spent());
    Ok(ModelDef { root: *root, warnings, producer, built_bytes: spent })
}
