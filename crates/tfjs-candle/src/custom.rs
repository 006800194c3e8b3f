//! Layers of the caller's own: both halves of one, given by class name.

use crate::run::RunCx;
use crate::value::Value;
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};
use tfjs_topology::call::Call;
use tfjs_topology::config::Config;
use tfjs_topology::layer::LayerDef;
use tfjs_topology::read::CustomDefs;

/// A layer class of the caller's own.
pub trait CustomLayer: Send + Sync + 'static {
    /// What the configuration describes: shapes, weights, masks.
    type Def: LayerDef;

    /// Reads the configuration.
    ///
    /// # Errors
    /// A missing or wrong field; see [`Config`].
    fn describe(&self, config: &Config<'_>) -> Result<Self::Def>;

    /// Runs the layer; see [`Run::run`](crate::run::Run::run).
    ///
    /// # Errors
    /// Whatever the layer cannot do; [`Error::custom`] takes any error.
    fn run(&self, def: &Self::Def, cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>>;
}

type RunFn = dyn Fn(&dyn LayerDef, &RunCx<'_>, &Call<Value>) -> Option<Result<Vec<Value>>> + Send + Sync;

/// The caller's own layers, looked up by class name before the built-in ones.
#[derive(Clone, Default)]
pub struct CustomLayers {
    defs: CustomDefs,
    runs: BTreeMap<String, Arc<RunFn>>,
}

impl CustomLayers {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a class. `Package>Name` in a file finds `Package>Name` first, then `Name`.
    #[must_use]
    pub fn with<L: CustomLayer>(mut self, class: impl Into<String>, layer: L) -> Self {
        let class = class.into();
        let layer = Arc::new(layer);
        let describing = layer.clone();
        self.defs.insert(
            class.clone(),
            Arc::new(move |config| Ok(Arc::new(describing.describe(config)?) as Arc<dyn LayerDef>)),
        );
        let run: Arc<RunFn> = Arc::new(move |def, cx, call| {
            let def = (def as &dyn Any).downcast_ref::<L::Def>()?;
            Some(layer.run(def, cx, call))
        });
        self.runs.insert(class, run);
        self
    }

    /// The describing halves.
    pub fn defs(&self) -> &CustomDefs {
        &self.defs
    }

    /// Runs a custom layer's description with the running half it came with.
    pub(crate) fn run(&self, def: &dyn LayerDef, cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        self.runs
            .values()
            .find_map(|run| run(def, cx, call))
            .unwrap_or_else(|| Err(Error::bug(format!("no running half for the custom layer {def:?}"))))
    }
}

impl fmt::Debug for CustomLayers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.defs.fmt(f)
    }
}
