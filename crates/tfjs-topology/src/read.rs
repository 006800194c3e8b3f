//! The context of parsing a file: its producer, custom layers, limits.

use crate::config::{Config, DataFormat};
use crate::layer::LayerDef;
use crate::producer::Producer;
use crate::suggest::Hints;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use tfjs_manifest::{Account, Limits, Result, Warnings};

/// Parses the configuration of a custom layer.
pub type Describe = dyn Fn(&Config<'_>) -> Result<Arc<dyn LayerDef>> + Send + Sync;

/// Custom layers, looked up by class name before the built-in ones.
#[derive(Clone, Default)]
pub struct CustomDefs(BTreeMap<String, Arc<Describe>>);

impl CustomDefs {
    /// Adds a class. For `Package>Name` in a file, `Package>Name` is looked up first, then `Name`.
    pub fn insert(&mut self, class: impl Into<String>, describe: Arc<Describe>) {
        self.0.insert(class.into(), describe);
    }

    /// The layer of that class.
    pub fn get(&self, class: &str) -> Option<&Arc<Describe>> {
        self.0.get(class).or_else(|| self.0.get(class.rsplit('>').next()?))
    }

    /// Whether there is a layer of exactly this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The class names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl fmt::Debug for CustomDefs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The context of parsing a file.
#[derive(Clone, Debug)]
pub struct ReadCx<'a> {
    /// The software that wrote the file.
    pub producer: &'a Producer,
    /// Custom layers.
    pub custom: CustomDefs,
    /// The limits.
    pub limits: Limits,
    /// The number of models and wrappers around the part being parsed.
    pub depth: u64,
    /// Findings that do not stop the model from loading; one list for all depths.
    pub warnings: Rc<RefCell<Warnings>>,
    /// The number of layers parsed so far, in all models and wrappers.
    pub layers: Rc<Cell<u64>>,
    /// Where the channels of images are in layers of Keras 1 that do not say it, if others do.
    pub(crate) image_format: Option<DataFormat>,
    /// What is spent of the memory for what is built from the file; one account for all depths.
    pub(crate) account: Rc<Account>,
    /// Suggestions for class names.
    pub(crate) hints: Rc<Hints>,
    /// The keys that were read, whether they are present or not.
    #[cfg(test)]
    pub(crate) asked: Rc<RefCell<std::collections::BTreeSet<String>>>,
}

/// The most findings that get a suggestion.
const HINTS: u32 = 100;

impl<'a> ReadCx<'a> {
    /// No custom layers, default limits.
    pub fn new(producer: &'a Producer) -> Self {
        ReadCx {
            producer,
            custom: CustomDefs::default(),
            account: Rc::new(Account::new(&Limits::default())),
            limits: Limits::default(),
            depth: 0,
            warnings: Rc::default(),
            layers: Rc::default(),
            image_format: None,
            hints: Rc::new(Hints::new(HINTS)),
            #[cfg(test)]
            asked: Rc::default(),
        }
    }

    /// Records a finding that does not stop the model from loading.
    pub fn warn(&self, warning: impl AsRef<str>) {
        self.warnings.borrow_mut().push(warning);
    }

    /// Spends one layer of the limit.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) past [`Limits::layers`].
    pub(crate) fn spend_layer(&self) -> Result<()> {
        // The outermost model is an entry too, but not a layer.
        let before = self.layers.get();
        self.layers.set(before + 1);
        Limits::check("layers", before, self.limits.layers)
    }

    /// The context one model or wrapper deeper.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) past [`Limits::nesting`].
    pub fn deeper(&self) -> Result<Self> {
        let depth = self.depth + 1;
        Limits::check("nesting (models and wrappers inside each other)", depth, self.limits.nesting)?;
        Ok(ReadCx { depth, ..self.clone() })
    }
}
