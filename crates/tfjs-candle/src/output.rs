//! The outputs of a model: tensors by position, by name, or the only one.

use crate::value::{Data, Strings};
use candle_core::Tensor;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// The outputs of one prediction, in the model's order.
#[derive(Clone, Debug)]
pub struct Outputs {
    items: Vec<(String, Data)>,
}

impl Outputs {
    pub(crate) fn new(names: impl Iterator<Item = String>, values: Vec<Data>) -> Self {
        Outputs { items: names.zip(values).collect() }
    }

    /// Number of outputs.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are no outputs.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The names, in the model's order. A repeated name gets the first free suffix of `:1`, `:2`, ...
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|(name, _)| name.as_str())
    }

    /// The output at a position.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) if there is no such output, or it contains strings.
    pub fn at(&self, index: usize) -> Result<&Tensor> {
        let item = self.items.get(index);
        let (name, data) =
            item.ok_or_else(|| Error::misuse(format!("the model has {} outputs, asked for {index}", self.len())))?;
        tensor(name, data)
    }

    /// The output of that name.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) if there is no such output, or it contains strings.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        let item = self.items.iter().find(|(known, _)| known == name);
        let (name, data) = item.ok_or_else(|| {
            let known: Vec<String> = self.names().map(|n| format!("`{n}`")).collect();
            Error::misuse(format!("the model has no output `{name}`; it has {}", known.join(", ")))
        })?;
        tensor(name, data)
    }

    /// The only output.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) if there are several, or it contains strings.
    pub fn into_single(self) -> Result<Tensor> {
        match &self.items[..] {
            [(name, data)] => tensor(name, data).cloned(),
            items => Err(Error::misuse(format!("the model has {} outputs, expected one", items.len()))),
        }
    }

    /// Name and tensor of every numeric output.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.items.iter().filter_map(|(name, data)| match data {
            Data::Tensor(tensor) => Some((name.as_str(), tensor)),
            Data::Strings(_) => None,
        })
    }

    /// The strings of an output, if it contains strings.
    pub fn strings(&self, name: &str) -> Option<&Arc<Strings>> {
        match self.items.iter().find(|(known, _)| known == name)? {
            (_, Data::Strings(strings)) => Some(strings),
            _ => None,
        }
    }
}

fn tensor<'a>(name: &str, data: &'a Data) -> Result<&'a Tensor> {
    match data {
        Data::Tensor(tensor) => Ok(tensor),
        Data::Strings(_) => Err(Error::misuse(format!("output `{name}` is made of strings; ask for `strings`"))),
    }
}
