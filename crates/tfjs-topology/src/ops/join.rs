//! `Concatenate` and `Stack`: several tensors as one.
//!
//! Reference: `keras.ops.concatenate`, `keras.ops.stack`.

use super::FromOpConfig;
use super::params::{Params, numeric, promote};
use crate::call::{Arg, Call};
use crate::config::Config;
use crate::layer::{Exactness, LayerDef};
use crate::types::{Dim, SymShape, TensorType};
use tfjs_manifest::{Error, Result};

/// Several tensors joined along an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// Whether the axis is a new one.
    pub stack: bool,
    /// `axis`.
    pub params: Params,
}

impl FromOpConfig for Join {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Join { stack: class == "Stack", params: Params::read(config) })
    }
}

impl Join {
    /// The tensors of a call.
    ///
    /// # Errors
    /// No tensor; [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a constant among them.
    pub fn tensors<'a, T>(&self, call: &'a Call<T>) -> Result<Vec<&'a T>> {
        let mut found = call.inputs();
        let lists = call.args.iter().chain(["xs", "x", "values"].iter().filter_map(|name| call.kwarg(name)));
        for arg in lists {
            if let Arg::List(items) = arg
                && items.iter().any(|item| item.constant().is_some())
            {
                return Err(Error::unsupported("a constant among joined tensors is not supported"));
            }
        }
        if found.is_empty() {
            ["xs", "x", "values"].iter().filter_map(|name| call.kwarg(name)).for_each(|arg| arg.collect(&mut found));
        }
        if found.is_empty() { Err(Error::malformed("expected tensors to join, found none")) } else { Ok(found) }
    }

    /// The axis in the result.
    ///
    /// # Errors
    /// An axis that does not exist.
    pub fn axis<T>(&self, call: &Call<T>, shape: &SymShape) -> Result<usize> {
        let default = if self.stack { 0 } else { -1 };
        let axis: i64 = self
            .params
            .opt(call, &["axis"], Some(1).filter(|&i| call.args.get(i).is_some_and(is_constant)))?
            .unwrap_or(default);
        let rank = shape.rank() + usize::from(self.stack);
        let found = SymShape(vec![None; rank]).axis(axis);
        found.map_err(|_| Error::malformed(format!("`axis` {axis} does not exist in shape {shape}")))
    }
}

fn is_constant<T>(arg: &Arg<T>) -> bool {
    arg.constant().is_some()
}

impl LayerDef for Join {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let tensors = self.tensors(call)?;
        let Some((first, more)) = tensors.split_first() else { return Err(Error::bug("no tensors to join")) };
        let axis = self.axis(call, &first.shape)?;
        let (mut shape, mut dtype) = (first.shape.clone(), numeric(first)?.dtype);
        for other in more {
            dtype = promote(dtype, numeric(other)?.dtype);
            let wrong =
                || Error::malformed(format!("shapes {} and {} cannot be joined at axis {axis}", shape, other.shape));
            if other.shape.rank() != shape.rank() {
                return Err(wrong());
            }
            let mut dims = Vec::with_capacity(shape.rank());
            for (i, (&a, &b)) in shape.0.iter().zip(&other.shape.0).enumerate() {
                dims.push(match (a, b) {
                    _ if i == axis && !self.stack => a.zip(b).map(|(a, b)| a.saturating_add(b)),
                    (Some(a), Some(b)) if a != b => return Err(wrong()),
                    (a, b) => a.or(b),
                });
            }
            shape = SymShape(dims);
        }
        if self.stack {
            shape.0.insert(axis, Dim::Some(tensors.len()));
        }
        Ok(vec![TensorType { shape, dtype }])
    }

    fn exactness(&self) -> Exactness {
        Exactness::Exact
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused};
    use serde_json::json;

    #[test]
    fn along_an_axis() {
        check("Concatenate", json!({"axis": -1}), json!([["f:?,3,4", "f:2,3,1"]]), json!({}), "float32[2,3,5]");
        check("Concatenate", json!({}), json!(["f:?,3", "i:?,4"]), json!({"axis": 1}), "float32[?,7]");
        check("Stack", json!({"axis": 1}), json!([["f:?,3", "f:?,3"]]), json!({}), "float32[?,2,3]");
        check("Stack", json!({"axis": -1}), json!([["f:?,3", "f:?,3"]]), json!({}), "float32[?,3,2]");
    }

    #[test]
    fn refuses() {
        refused("Concatenate", json!([["f:2,3", "f:3,3"]]), "shapes [2,3] and [3,3] cannot be joined at axis 1");
        refused("Stack", json!([["f:?", 1]]), "a constant among joined tensors is not supported");
    }
}
