//! Programs: typed values, each computed once by a primitive, in order.

use crate::array::Array;
use crate::dim::{Bound, Dim, Dims};
use crate::prim::Prim;
use crate::tokens::Tokenizer;
use crate::ty::Type;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl $name {
            /// The index.
            pub fn index(self) -> usize {
                self.0 as usize
            }

            /// The id for an index.
            ///
            /// # Errors
            /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) past 2^32.
            pub fn new(index: usize) -> Result<Self> {
                u32::try_from(index).map($name).map_err(|_| Error::limit("more than 2^32 entries in a program"))
            }
        }
    )*};
}

ids! {
    /// A value of a block.
    Value,
    /// A weight of a program.
    SlotId,
    /// A state of a program: it outlives a call and lives in a session.
    StateId,
    /// A constant of a program.
    ConstId,
    /// An origin of a program.
    OriginId,
    /// A function of the caller.
    OpaqueId,
}

/// A model, or a training step, as primitives.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The dimension expressions of all types.
    pub dims: Dims,
    /// The constants.
    pub constants: Vec<Arc<Array>>,
    /// The origins of nodes.
    pub origins: Vec<Origin>,
    /// The inputs of each call, in order.
    pub inputs: Vec<Input>,
    /// The weights that the program reads.
    pub slots: Vec<Slot>,
    /// The states that the program reads and replaces.
    pub states: Vec<State>,
    /// The nodes. Its results are the program's outputs.
    pub body: Block,
    /// The names of the outputs.
    pub outputs: Vec<String>,
    /// The new values of weights and states after a successful call; at most one update each.
    pub updates: Vec<Update>,
    /// Conditions on the dimensions of a call's inputs.
    pub guards: Vec<Guard>,
}

/// Values computed in order. Each node reads only values defined before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// The type and the definition of every value.
    pub values: Vec<ValueInfo>,
    /// The nodes, in the order in which they are evaluated.
    pub nodes: Vec<Node>,
    /// The parameters of a loop body. The body of a program has inputs instead.
    pub parameters: Vec<Value>,
    /// The results.
    pub results: Vec<Value>,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueInfo {
    /// Its type.
    pub ty: Type,
    /// The index of the node that computes it; `None` for a parameter.
    pub node: Option<u32>,
}

/// One application of a primitive.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The primitive, with its attributes.
    pub prim: Prim,
    /// The values it reads.
    pub operands: Vec<Value>,
    /// The values it computes.
    pub results: Vec<Value>,
    /// Its origin.
    pub origin: OriginId,
}

/// The part of the model that a node belongs to: for errors, profiles and reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The path of the layer in its model; empty if the node belongs to no layer.
    pub layer: Arc<str>,
    /// The index of its call in the model's call table.
    pub call: Option<u32>,
    /// Whether [`grad`](crate::grad) made the node.
    pub gradient: bool,
}

/// An input of each call.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Its source.
    pub role: InputRole,
}

/// The source of an input.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InputRole {
    /// The caller.
    Argument,
    /// The runtime: a fresh seed for random numbers at each call, `i64[]`.
    Seed,
    /// The runtime: the tokens of the text in another input.
    Tokens {
        /// The position of that input, which the caller provides.
        of: usize,
        /// Splits the text into tokens.
        tokenizer: Arc<Tokenizer>,
    },
}

/// The declaration of a weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// Its name, for messages.
    pub name: String,
    /// Its type. The dimensions are numbers.
    pub ty: Type,
}

/// The declaration of a state: it outlives a call, has the batch in its shape, and is not a weight of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Its name, for messages.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// The value of every element before the first call.
    pub initial: f64,
}

/// The replacement of a weight or a state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// The weight or state.
    pub target: Target,
    /// Its new value.
    pub value: Value,
}

/// A weight or a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// A weight.
    Slot(SlotId),
    /// A state.
    State(StateId),
}

/// A condition on dimensions that is checked when the inputs are known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guard {
    /// The condition.
    pub check: Check,
    /// The origin of the node that needs the condition.
    pub origin: OriginId,
}

/// A condition on dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Check {
    /// `a == b`.
    Equal(Dim, Dim),
    /// `a >= b`.
    AtLeast(Dim, Dim),
    /// `a == b`, or one of them is 1.
    Broadcast(Dim, Dim),
    /// `a % b == 0`, and `b` is not 0.
    Divisible(Dim, Dim),
}

impl Check {
    /// Whether the condition holds.
    ///
    /// # Errors
    /// A dimension without a value.
    pub fn holds(&self, bound: &Bound) -> Result<bool> {
        Ok(match *self {
            Check::Equal(a, b) => bound.get(a)? == bound.get(b)?,
            Check::AtLeast(a, b) => bound.get(a)? >= bound.get(b)?,
            Check::Broadcast(a, b) => {
                let (a, b) = (bound.get(a)?, bound.get(b)?);
                a == b || a == 1 || b == 1
            }
            Check::Divisible(a, b) => {
                let (a, b) = (bound.get(a)?, bound.get(b)?);
                a.checked_rem(b) == Some(0)
            }
        })
    }

    /// The condition as text: `h >= 3`.
    pub fn describe(&self, dims: &Dims) -> String {
        let (a, relation, b) = match *self {
            Check::Equal(a, b) => (a, "==", b),
            Check::AtLeast(a, b) => (a, ">=", b),
            Check::Broadcast(a, b) => (a, "broadcasts to", b),
            Check::Divisible(a, b) => (a, "is a multiple of", b),
        };
        format!("{} {relation} {}", dims.describe(a), dims.describe(b))
    }
}

impl Block {
    /// The type of a value.
    pub fn ty(&self, value: Value) -> &Type {
        &self.values[value.index()].ty
    }

    /// The node that computes a value.
    pub fn node_of(&self, value: Value) -> Option<&Node> {
        self.values[value.index()].node.map(|node| &self.nodes[node as usize])
    }

    /// The primitive that computes a value.
    pub fn prim_of(&self, value: Value) -> Option<&Prim> {
        self.node_of(value).map(|node| &node.prim)
    }

    /// How many times each value is read, results included.
    pub fn uses(&self) -> Vec<u32> {
        let mut uses = vec![0; self.values.len()];
        for &value in self.nodes.iter().flat_map(|node| &node.operands).chain(&self.results) {
            uses[value.index()] += 1;
        }
        uses
    }

    /// The same block with its values in the order of their definitions and without undefined values.
    /// The second result is the new handle of every value.
    pub(crate) fn in_order(mut self) -> Result<(Block, Vec<Option<Value>>)> {
        let mut names = vec![None; self.values.len()];
        let mut values = Vec::with_capacity(self.values.len());
        let mut define = |value: Value, node: Option<u32>| -> Result<()> {
            names[value.index()] = Some(Value::new(values.len())?);
            values.push(ValueInfo { ty: self.values[value.index()].ty.clone(), node });
            Ok(())
        };
        for &parameter in &self.parameters {
            define(parameter, None)?;
        }
        for (i, node) in self.nodes.iter().enumerate() {
            for &result in &node.results {
                define(result, u32::try_from(i).ok())?;
            }
        }
        let missing = || Error::bug("a value is read that nothing defines");
        let rename = |values: &mut [Value]| -> Result<()> {
            values.iter_mut().try_for_each(|value| names[value.index()].map(|new| *value = new).ok_or_else(missing))
        };
        for node in &mut self.nodes {
            rename(&mut node.operands)?;
            rename(&mut node.results)?;
        }
        rename(&mut self.parameters)?;
        rename(&mut self.results)?;
        Ok((Block { values, ..self }, names))
    }
}

impl Program {
    /// The type of a value of the body.
    pub fn ty(&self, value: Value) -> &Type {
        self.body.ty(value)
    }

    /// Every value that is read from outside the body: results and updates.
    pub fn roots(&self) -> impl Iterator<Item = Value> + '_ {
        self.body.results.iter().copied().chain(self.updates.iter().map(|update| update.value))
    }

    /// The weights that a call replaces, in the order of [`updates`](Program::updates).
    pub fn replaced_slots(&self) -> impl Iterator<Item = SlotId> + '_ {
        self.updates.iter().filter_map(|update| match update.target {
            Target::Slot(slot) => Some(slot),
            Target::State(_) => None,
        })
    }

    /// The value of every dimension for inputs of these shapes, in the order of [`inputs`](Program::inputs). The values
    /// of symbols are read from the shapes; then every guard is checked.
    ///
    /// # Errors
    /// [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) for a shape that is not an instance of the input's type and
    /// for a guard that does not hold, naming the layer; [`Kind::Limit`](tfjs_manifest::Kind::Limit) if a
    /// dimension overflows.
    pub fn bind(&self, shapes: &[&[usize]]) -> Result<Bound> {
        self.bind_all(shapes, &[], &[])
    }

    /// As [`bind`](Program::bind), with the shapes of weights and of the states of a session, which may have symbols of
    /// their own. An empty list means that the weights or states do not exist yet.
    ///
    /// # Errors
    /// As [`bind`](Program::bind).
    pub fn bind_all(&self, inputs: &[&[usize]], slots: &[&[usize]], states: &[&[usize]]) -> Result<Bound> {
        let counts = [("inputs", self.inputs.len(), inputs.len()), ("weights", self.slots.len(), slots.len())];
        for (what, expected, found) in counts.into_iter().chain([("states", self.states.len(), states.len())]) {
            if found != expected && (what == "inputs" || found != 0) {
                return Err(Error::mismatch(format!("the program has {expected} {what}, found {found}")));
            }
        }
        let inputs = self.inputs.iter().map(|input| (&input.name, &input.ty)).zip(inputs);
        let slots = self.slots.iter().map(|slot| (&slot.name, &slot.ty)).zip(slots);
        let states = self.states.iter().map(|state| (&state.name, &state.ty)).zip(states);
        let given: Vec<_> = inputs.chain(slots).chain(states).collect();
        let symbols: HashSet<Dim> = self.dims.symbols().map(|(_, dim)| dim).collect();
        let misfit = |name: &str, ty: &Type, shape: &[usize]| {
            Error::mismatch(format!("expected shape {}, found {shape:?}", ty.shape(&self.dims))).at_value(name)
        };
        let mut values: HashMap<Dim, u64> = HashMap::new();
        for &((name, ty), shape) in &given {
            if ty.rank() != shape.len() {
                return Err(misfit(name, ty, shape));
            }
            for (&dim, &length) in ty.dims.iter().zip(*shape) {
                match values.get(&dim) {
                    Some(&known) if known != length as u64 => {
                        let axis = self.dims.describe(dim);
                        let message = format!("expected {known} for the axis `{axis}`, found {length}");
                        return Err(Error::mismatch(message).at_value(name));
                    }
                    None if symbols.contains(&dim) => _ = values.insert(dim, length as u64),
                    _ => {}
                }
            }
        }
        let bound = self.dims.bind(&values.into_iter().collect::<Vec<_>>())?;
        for ((name, ty), shape) in given {
            let fits = |(&dim, &length): (&Dim, &usize)| bound.get(dim).is_ok_and(|expected| expected == length);
            if !ty.dims.iter().zip(*shape).all(fits) {
                return Err(misfit(name, ty, shape));
            }
        }
        self.check(&bound)?;
        Ok(bound)
    }

    /// Checks the guards.
    ///
    /// # Errors
    /// [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) for the first guard that does not hold, at its layer.
    pub fn check(&self, bound: &Bound) -> Result<()> {
        for guard in &self.guards {
            if !guard.check.holds(bound).unwrap_or(false) {
                let message = format!("the shapes of these inputs do not fit: {}", guard.check.describe(&self.dims));
                return Err(self.at(Error::mismatch(message), guard.origin));
            }
        }
        Ok(())
    }

    /// Adds the layer of an origin to an error.
    pub fn at(&self, error: Error, origin: OriginId) -> Error {
        match self.origins.get(origin.index()) {
            Some(origin) if !origin.layer.is_empty() => error.at_layer(&origin.layer),
            _ => error,
        }
    }
}
