//! One call of a layer: its arguments as they are written, with a generic type for the tensors in them.
//!
//! The same type carries references while parsing (`Call<TensorRef>`), values and masks while lowering
//! (`Call<KerasTensor>`) and edges in the graph (`Call<ValueId>`).

use serde_json::Value;
use std::sync::Arc;
use tfjs_manifest::account::text_bytes;

/// An argument: a tensor, a list with tensors in it, or a constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg<T> {
    /// A tensor.
    Tensor(T),
    /// A list of arguments, as merge layers and `concatenate` take one.
    List(Vec<Arg<T>>),
    /// Named arguments, as models built from a dict of inputs take them.
    Dict(Vec<(String, Arg<T>)>),
    /// Anything without a tensor in it; shared, so that calls are cheap to copy.
    Const(Arc<Value>),
}

impl<T> Arg<T> {
    /// The same argument with each tensor replaced.
    ///
    /// # Errors
    /// The first error of `f`.
    pub fn try_map<U, E>(&self, f: &mut impl FnMut(&T) -> Result<U, E>) -> Result<Arg<U>, E> {
        Ok(match self {
            Arg::Tensor(tensor) => Arg::Tensor(f(tensor)?),
            Arg::List(items) => Arg::List(items.iter().map(|a| a.try_map(f)).collect::<Result<_, E>>()?),
            Arg::Dict(items) => {
                Arg::Dict(items.iter().map(|(k, a)| Ok((k.clone(), a.try_map(f)?))).collect::<Result<_, E>>()?)
            }
            Arg::Const(value) => Arg::Const(value.clone()),
        })
    }

    /// Appends the tensors of this argument, in order.
    pub fn collect<'a>(&'a self, out: &mut Vec<&'a T>) {
        match self {
            Arg::Tensor(tensor) => out.push(tensor),
            Arg::List(items) => items.iter().for_each(|a| a.collect(out)),
            Arg::Dict(items) => items.iter().for_each(|(_, a)| a.collect(out)),
            Arg::Const(_) => {}
        }
    }

    /// Whether there is a constant other than null in it.
    pub(crate) fn has_constant(&self) -> bool {
        match self {
            Arg::Tensor(_) => false,
            Arg::List(items) => items.iter().any(Arg::has_constant),
            Arg::Dict(items) => items.iter().any(|(_, item)| item.has_constant()),
            Arg::Const(value) => !value.is_null(),
        }
    }

    /// The bytes of memory it takes; constants are shared and not counted.
    fn bytes(&self) -> u64 {
        let inside = match self {
            Arg::Tensor(_) | Arg::Const(_) => 0,
            Arg::List(items) => items.iter().map(Arg::bytes).sum(),
            Arg::Dict(items) => items.iter().map(named_bytes).sum(),
        };
        size_of::<Self>() as u64 + inside
    }

    /// The tensor, if the argument is one.
    pub fn tensor(&self) -> Option<&T> {
        match self {
            Arg::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// The constant, if the argument is one other than null.
    pub fn constant(&self) -> Option<&Value> {
        match self {
            Arg::Const(value) => Some(&**value).filter(|value| !value.is_null()),
            _ => None,
        }
    }
}

fn named_bytes<T>((name, arg): &(String, Arg<T>)) -> u64 {
    size_of::<String>() as u64 + text_bytes(name) + arg.bytes()
}

/// The arguments of one call of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Call<T> {
    /// Positional arguments. Layers read their inputs through [`inputs`](Call::inputs); operations read them here.
    pub args: Vec<Arg<T>>,
    /// Keyword arguments: `mask`, `initial_state`, `training`, `value`, ...
    pub kwargs: Vec<(String, Arg<T>)>,
}

impl<T> Default for Call<T> {
    fn default() -> Self {
        Call { args: Vec::new(), kwargs: Vec::new() }
    }
}

impl<T> Call<T> {
    /// A call with these tensors as positional arguments.
    pub fn of(inputs: impl IntoIterator<Item = T>) -> Self {
        Call { args: inputs.into_iter().map(Arg::Tensor).collect(), kwargs: Vec::new() }
    }

    /// The inputs of a layer: the tensors of the positional arguments, in order, with lists flattened.
    pub fn inputs(&self) -> Vec<&T> {
        let mut out = Vec::new();
        self.args.iter().for_each(|a| a.collect(&mut out));
        out
    }

    /// The bytes of memory that the arguments take; constants are shared and not counted.
    pub(crate) fn bytes(&self) -> u64 {
        let positional: u64 = self.args.iter().map(Arg::bytes).sum();
        positional + self.kwargs.iter().map(named_bytes).sum::<u64>()
    }

    /// A keyword argument.
    pub fn kwarg(&self, name: &str) -> Option<&Arg<T>> {
        self.kwargs.iter().find(|(k, _)| k == name).map(|(_, a)| a)
    }

    /// Every tensor of the call, positional ones first.
    pub fn tensors(&self) -> Vec<&T> {
        let mut out = self.inputs();
        self.kwargs.iter().for_each(|(_, a)| a.collect(&mut out));
        out
    }

    /// The same call with each tensor replaced.
    ///
    /// # Errors
    /// The first error of `f`.
    pub fn try_map<U, E>(&self, mut f: impl FnMut(&T) -> Result<U, E>) -> Result<Call<U>, E> {
        Ok(Call {
            args: self.args.iter().map(|a| a.try_map(&mut f)).collect::<Result<_, E>>()?,
            kwargs: self.kwargs.iter().map(|(k, a)| Ok((k.clone(), a.try_map(&mut f)?))).collect::<Result<_, E>>()?,
        })
    }
}
