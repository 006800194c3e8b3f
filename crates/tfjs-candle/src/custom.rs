//! Layers of the caller's own, given by class name.

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

/// A layer class of the caller's own: reads a configuration into a layer, which says what it computes as the built-in
/// ones do.
///
/// [`LayerDef::lower`] builds primitives: then the layer runs on every engine and device, and has gradients. What
/// primitives cannot say is a function on candle tensors: [`OpaqueLayer::opaque`].
pub trait CustomLayer: Send + Sync + 'static {
    /// The layer.
    type Def: LayerDef;

    /// Reads the configuration.
    ///
    /// # Errors
    /// A missing or wrong field; see [`Config`].
    fn describe(&self, config: &Config<'_>) -> Result<Self::Def>;
}

/// The caller's own layers, looked up by class name before the built-in ones.
#[derive(Clone, Default)]
pub struct CustomLayers(CustomDefs);

impl CustomLayers {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a class. `Package>Name` in a file finds `Package>Name` first, then `Name`.
    #[must_use]
    pub fn with<L: CustomLayer>(mut self, class: impl Into<String>, layer: L) -> Self {
        let describe = move |config: &Config<'_>| Ok(Arc::new(layer.describe(config)?) as Arc<dyn LayerDef>);
        self.0.insert(class.into(), Arc::new(describe));
        self
    }

    /// The classes, as the topology looks them up.
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
    /// types of what it gives; `class` names the layer in reports.
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
/// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for one that no runtime of ours has made.
pub(crate) fn functions(opaques: &[Arc<dyn Any + Send + Sync>]) -> Result<Vec<Arc<dyn OpaqueFunction>>> {
    let known = |opaque: &Arc<dyn Any + Send + Sync>| {
        let found = opaque.downcast_ref::<Arc<dyn OpaqueFunction>>().cloned();
        found.ok_or_else(|| Error::bug("a function of another runtime"))
    };
    opaques.iter().map(known).collect()
}
