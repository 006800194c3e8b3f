//! Custom layers of the caller, registered by class name.

use crate::engine::OpaqueFunction;
use candle_core::Tensor;
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use tfjs_ir::{Type, Value};
use tfjs_manifest::{Error, Result};
use tfjs_topology::config::Config;
use tfjs_topology::layer::LayerDef;
use tfjs_topology::lower::LowerCx;
use tfjs_topology::read::CustomDefs;

/// A custom layer class: parses a configuration into a layer, which defines its computation as the built-in ones do.
///
/// If [`LayerDef::lower`] builds primitives, the layer runs on every engine and device, and has gradients. A
/// computation that primitives cannot express can be a function on candle tensors: [`OpaqueLayer::opaque`].
pub trait CustomLayer: Send + Sync + 'static {
    /// The layer.
    type Def: LayerDef;

    /// Parses the configuration.
    ///
    /// # Errors
    /// A missing or wrong field; see [`Config`].
    fn describe(&self, config: &Config<'_>) -> Result<Self::Def>;
}

/// Custom layers, looked up by class name before the built-in ones.
#[derive(Clone, Default)]
pub struct CustomLayers(CustomDefs);

impl CustomLayers {
    /// An empty collection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a class. For `Package>Name` in a file, `Package>Name` is looked up first, then `Name`.
    #[must_use]
    pub fn with<L: CustomLayer>(mut self, class: impl Into<String>, layer: L) -> Self {
        let describe = move |config: &Config<'_>| Ok(Arc::new(layer.describe(config)?) as Arc<dyn LayerDef>);
        self.0.insert(class.into(), Arc::new(describe));
        self
    }

    /// The classes in the form that the topology crate uses.
    pub fn defs(&self) -> &CustomDefs {
        &self.0
    }
}

impl fmt::Debug for CustomLayers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Lowering to a function on candle tensors.
pub trait OpaqueLayer {
    /// Adds a node that calls `function` with the operands as candle tensors, on the model's device. `results` are the
    /// types of its results; `class` names the layer in reports.
    ///
    /// Such a node runs on every engine and has no gradient.
    ///
    /// # Errors
    /// As [`Builder::push`](tfjs_ir::Builder::push).
    fn opaque(
        &mut self,
        class: &str,
        operands: &[Value],
        results: Vec<Type>,
        function: impl Fn(&[Tensor]) -> Result<Vec<Tensor>> + Send + Sync + 'static,
    ) -> Result<Vec<Value>>;
}

impl OpaqueLayer for LowerCx<'_> {
    fn opaque(
        &mut self,
        class: &str,
        operands: &[Value],
        results: Vec<Type>,
        function: impl Fn(&[Tensor]) -> Result<Vec<Tensor>> + Send + Sync + 'static,
    ) -> Result<Vec<Value>> {
        let function: Arc<dyn OpaqueFunction> = Arc::new(Closure(function));
        self.foreign(Arc::new(function), class, operands, results)
    }
}

struct Closure<F>(F);

impl<F> fmt::Debug for Closure<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Closure")
    }
}

impl<F: Fn(&[Tensor]) -> Result<Vec<Tensor>> + Send + Sync> OpaqueFunction for Closure<F> {
    fn run(&self, operands: &[Tensor]) -> Result<Vec<Tensor>> {
        (self.0)(operands)
    }
}

/// The functions of a model's opaque nodes.
///
/// # Errors
/// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for a function that this crate did not create.
pub(crate) fn functions(opaques: &[Arc<dyn Any + Send + Sync>]) -> Result<Vec<Arc<dyn OpaqueFunction>>> {
    let known = |opaque: &Arc<dyn Any + Send + Sync>| {
        let found = opaque.downcast_ref::<Arc<dyn OpaqueFunction>>().cloned();
        found.ok_or_else(|| Error::bug("a function of another runtime"))
    };
    opaques.iter().map(known).collect()
}
