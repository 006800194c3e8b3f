//! What is known while a file is read: its producer, the caller's own layers, the budgets.

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

/// Reads the configuration of a custom layer into its description.
pub type Describe = dyn Fn(&Config<'_>) -> Result<Arc<dyn LayerDef>> + Send + Sync;

/// Layers of the caller's own, looked up by class name before the built-in ones.
#[derive(Clone, Default)]
pub struct CustomDefs(BTreeMap<String, Arc<Describe>>);

impl CustomDefs {
    /// Adds a class. `Package>Name` in a file finds `Package>Name` first, then `Name`.
    pub fn insert(&mut self, class: impl Into<String>, describe: Arc<Describe>) {
        self.0.insert(class.into(), describe);
    }

    /// The layer of that class.
    pub fn get(&self, class: &str) -> Option<&Arc<Describe>> {
        self.0.get(class).or_else(|| self.0.get(class.rsplit('>').next()?))
    }

    /// The names there are.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl fmt::Debug for CustomDefs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What is known while a file is read.
#[derive(Clone, Debug)]
pub struct ReadCx<'a> {
    /// Who wrote the file.
    pub producer: &'a Producer,
    /// The caller's own layers.
    pub custom: CustomDefs,
    /// The budgets.
    pub limits: Limits,
    /// How many models and wrappers are around what is being read.
    pub depth: u64,
    /// What was noticed and does not stop the model from loading; one list for all depths.
    pub warnings: Rc<RefCell<Warnings>>,
    /// Layers read so far, of all models and wrappers.
    pub layers: Rc<Cell<u64>>,
    /// Where the channels of images are in layers of Keras 1 that do not say it, if others do.
    pub(crate) image_format: Option<DataFormat>,
    /// What is spent of the memory for what is built from the file; one account for all depths.
    pub(crate) account: Rc<Account>,
    /// Suggestions of class names.
    pub(crate) hints: Rc<Hints>,
    /// The keys that were asked for, whether they are there or not.
    #[cfg(test)]
    pub(crate) asked: Rc<RefCell<std::collections::BTreeSet<String>>>,
}

/// Findings beyond this many are counted only.
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

    /// Records something that does not stop the model from loading.
    pub fn warn(&self, warning: impl AsRef<str>) {
        self.warnings.borrow_mut().push(warning);
    }

    /// Spends the budget of layers.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) past [`Limits::layers`].
    pub(crate) fn spend_layer(&self) -> Result<()> {
        // The outermost model is an entry like any other, and no layer.
        let before = self.layers.get();
        self.layers.set(before + 1);
        Limits::check("layers", before, self.limits.layers)
    }

    /// One model or wrapper deeper.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) past [`Limits::nesting`].
    pub fn deeper(&self) -> Result<Self> {
        let depth = self.depth + 1;
        Limits::check("nesting (models and wrappers inside each other)", depth, self.limits.nesting)?;
        Ok(ReadCx { depth, ..self.clone() })
    }
}
