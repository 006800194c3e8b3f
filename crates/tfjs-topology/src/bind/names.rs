//! The names that a weight may have in a file.
//!
//! | producer | Dense `d` | LSTM `l` | TimeDistributed `td` of Dense `d` | in a nested model `m` |
//! |---|---|---|---|---|
//! | TensorFlow.js | `d/kernel` | `l/kernel` | `td/kernel` | `d/kernel` |
//! | Keras 1, 2 | `d/kernel` | `l/lstm_cell/kernel` | `td/kernel` | `d/kernel` |
//! | Keras 3 | `d/kernel`, in a Sequential `s`: `s/d/kernel` | `l/lstm_cell/kernel` | `td/d/kernel` | `m/d/kernel` if it is Sequential |
//! | Keras 1's own | `d_W`: see `keras1` | `l_W_i`, `l_W_f`, .. | `d_W` | `d_W` |
//! | `.keras` files | `layers/dense/vars/0` | `layers/lstm/cell/vars/0` | `layers/time_distributed/layer/vars/0` | `layers/functional/layers/dense/vars/0` |

use crate::graph::WeightSlot;
use crate::layer::{Scope, ScopeKind};
use std::collections::HashSet;

/// The rule by which a tensor's name was matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rule {
    /// The layer's name and the variable's, as TensorFlow.js writes them.
    Name,
    /// With the names of objects inside the layer, as Keras writes them.
    InnerName,
    /// With the names of models around the layer, as Keras 3 writes those of Sequentials.
    ModelName,
    /// By class and count, as `.keras` files write them.
    ObjectPath,
    /// The layer's name and that of the variable in Keras 1, `dense_1_W`.
    OldName,
    /// The variable's name alone, as Keras 2 writes those of Normalization.
    Bare,
    /// By the order of variables in the layer; recorded as a warning.
    Order,
    /// By the order of the layers, for a name that several weights have; recorded as a warning.
    LayerOrder,
}

impl Rule {
    /// A short description of the rule.
    pub fn describe(self) -> &'static str {
        match self {
            Rule::Name => "layer and variable name",
            Rule::InnerName => "names of inner objects",
            Rule::ModelName => "names of surrounding models",
            Rule::ObjectPath => "class and count",
            Rule::OldName => "names of Keras 1",
            Rule::Bare => "variable name alone",
            Rule::Order => "order in the layer",
            Rule::LayerOrder => "order of the layers",
        }
    }
}

/// A name under which the file may contain a slot's weight. Lower ranks are more specific.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) name: String,
    pub(super) rule: Rule,
    pub(super) rank: u32,
}

/// Every name of a slot, the most specific first.
pub(super) fn candidates(slot: &WeightSlot) -> Vec<Candidate> {
    let mut out = Vec::new();
    let mut seen = HashSet::new();
    let mut add = |name: String, rule, rank| {
        if seen.insert(name.clone()) {
            out.push(Candidate { name, rule, rank });
        }
    };
    let variables = std::iter::once(slot.decl.name.as_str()).chain(slot.decl.aliases.iter().copied());
    let variables: Vec<&str> = variables.collect();
    let stems = stems(slot);
    add(object_path(slot, false), Rule::ObjectPath, 0);
    add(object_path(slot, true), Rule::ObjectPath, 0);
    // A name with the surrounding models is more specific than one without, so it is tried first.
    let prefixes = prefixes(slot);
    for (i, prefix) in prefixes.iter().enumerate() {
        for (stem, _) in &stems {
            for variable in &variables {
                add(format!("{prefix}/{stem}/{variable}"), Rule::ModelName, 1 + i as u32);
            }
        }
    }
    let base = 1 + prefixes.len() as u32;
    for (stem, rule) in &stems {
        for variable in &variables {
            add(format!("{stem}/{variable}"), *rule, base);
        }
    }
    for variable in &variables {
        add((*variable).to_string(), Rule::Bare, base + 1);
    }
    out
}

/// The names of surrounding models that a name may start with, the longest first.
fn prefixes(slot: &WeightSlot) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for start in 0..slot.models.len() {
        let models = &slot.models[start..];
        let all: Vec<&str> = models.iter().map(|m| m.name.as_str()).collect();
        let sequential: Vec<&str> = models.iter().filter(|m| m.sequential).map(|m| m.name.as_str()).collect();
        for names in [all, sequential] {
            let prefix = names.join("/");
            if !prefix.is_empty() && !out.contains(&prefix) {
                out.push(prefix);
            }
        }
    }
    out.sort_by_key(|prefix| std::cmp::Reverse(prefix.matches('/').count()));
    out
}

/// The parts of the name between the models and the variable.
fn stems(slot: &WeightSlot) -> Vec<(String, Rule)> {
    let mut out: Vec<(String, Rule)> = Vec::new();
    let mut add = |stem: String, rule| {
        if !out.iter().any(|(known, _)| *known == stem) {
            out.push((stem, rule));
        }
    };
    // A layer of a wrapped model: its name starts again, possibly after the model's.
    let restart = slot.decl.scope.iter().rposition(|s| s.kind == ScopeKind::Restart);
    let starts: Vec<(String, &[Scope])> = match restart {
        None => vec![(slot.layer_name.clone(), &slot.decl.scope[..])],
        Some(at) => {
            let (scope, rest) = (&slot.decl.scope[at], &slot.decl.scope[at + 1..]);
            let mut starts = vec![(scope.name.clone(), rest)];
            // The models inside the wrapped model, and the wrapped model itself: any of them may begin the name.
            let inside = slot.decl.scope[..at].iter().rev().take_while(|s| s.kind == ScopeKind::Around).count();
            let models: Vec<&str> =
                slot.decl.scope[..at].iter().rev().take(inside + 1).map(|s| s.name.as_str()).collect();
            if let (1.., Some(wrapped)) = (inside, models.last()) {
                starts.insert(0, (format!("{wrapped}/{}", scope.name), rest));
            }
            let mut start = scope.name.clone();
            for model in models {
                start = format!("{model}/{start}");
                starts.insert(0, (start.clone(), rest));
            }
            starts.push((slot.layer_name.clone(), &slot.decl.scope[..]));
            starts
        }
    };
    for (start, scopes) in starts {
        use ScopeKind::{Always, Cell, Restart, Wrapped};
        for (kinds, rule) in [
            (&[Always, Restart][..], Rule::Name),
            (&[Always, Restart, Cell], Rule::InnerName),
            (&[Always, Restart, Cell, Wrapped], Rule::InnerName),
            (&[Always, Restart, Wrapped], Rule::InnerName),
        ] {
            let inner = scopes.iter().filter(|s| kinds.contains(&s.kind)).map(|s| s.name.as_str());
            let stem: Vec<&str> = std::iter::once(start.as_str()).chain(inner).collect();
            add(stem.join("/"), rule);
        }
    }
    out
}

/// The path in a `.keras` file. In some versions, the attribute that holds a dense layer of an attention is private, in
/// others public: `turned` selects the path with, or without, the underscore before its name.
fn object_path(slot: &WeightSlot, turned: bool) -> String {
    let mut path = slot.object_path.clone();
    for (i, scope) in slot.decl.scope.iter().enumerate() {
        if scope.kind == ScopeKind::Around {
            continue;
        }
        path.push('/');
        match scope.attr.strip_prefix('_') {
            _ if !turned || i + 1 < slot.decl.scope.len() || scope.kind != ScopeKind::Always => {
                path.push_str(&scope.attr)
            }
            Some(public) => path.push_str(public),
            None => {
                path.push('_');
                path.push_str(&scope.attr);
            }
        }
    }
    format!("{path}/vars/{}", slot.index)
}
