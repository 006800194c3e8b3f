//! Every limit of the project, with its default.
//!
//! Limits are checked before memory is allocated or work is done, never afterwards.

use crate::{Error, Result, Setting};

/// Limits on the resources that a model may use. The defaults are generous: real models stay far below them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of `model.json`. Default 16 MiB.
    pub model_json_bytes: u64,
    /// Bytes of memory of everything built from `model.json`: JSON values, configurations, calls, values, primitives.
    /// Charged before it is built; see [`Account`](crate::account::Account). Default 512 MiB.
    pub model_bytes: u64,
    /// Bytes of a `metadata.json` beside a model. Default 64 KiB.
    pub metadata_bytes: u64,
    /// Bytes of all weights, as values in memory. Default 64 GiB.
    pub weight_bytes: u64,
    /// Ratio of decompressed to compressed bytes of weights: of each file in an archive and of the whole archive, or of
    /// all compressed files of a load together. Not checked up to 16 MiB decompressed; real weights hardly compress.
    /// Default 100.
    pub inflation: u64,
    /// Bytes of missing weights that are filled with constants, if a file is loaded without `strict`. Default 256 MiB.
    pub filled_bytes: u64,
    /// Bytes of all string tensors, whose sizes are not in the manifest. Groups with string tensors get equal shares.
    /// Default 64 MiB.
    pub string_bytes: u64,
    /// Weight tensors in the manifest. Default 2^20.
    pub tensors: u64,
    /// Weight files in the manifest. Default 65 536.
    pub files: u64,
    /// Characters of a weight file's path. Default 1024.
    pub path_chars: u64,
    /// Bytes of a model's archive, and total inflated bytes of the files in it. Default 16 GiB.
    pub archive_bytes: u64,
    /// Entries of an archive, including folders. Default 65 536.
    pub archive_entries: u64,
    /// Dimensions of a tensor. Default 8.
    pub rank: u64,
    /// Elements of any one tensor of a prediction. Default 2^31.
    pub elements: u64,
    /// Layers of a model, including nested models. Default 10 000.
    pub layers: u64,
    /// Characters of a layer's name, and of the joined names of a layer and the models around it, which are part of
    /// every weight's name. Default 1024.
    pub name_chars: u64,
    /// Nesting depth of models in models and of layers in wrappers. Default 32.
    pub nesting: u64,
    /// Nodes of the flat graph, in which a shared model is expanded for each call. Default 100 000.
    pub nodes: u64,
    /// Primitives of the program a model is lowered to. Default 2^20.
    pub primitives: u64,
    /// Bytes of all values of one prediction, without weights and inputs. Checked before any value is allocated.
    /// Default 1 GiB.
    pub activation_bytes: u64,
    /// Arithmetic operations of one prediction per example of its batch, estimated from the program before it runs;
    /// 10^12 take tens of seconds on one core. Default 10^12.
    pub work: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            model_json_bytes: 16 << 20,
            model_bytes: 512 << 20,
            metadata_bytes: 64 << 10,
            weight_bytes: 64 << 30,
            inflation: 100,
            filled_bytes: 256 << 20,
            string_bytes: 64 << 20,
            tensors: 1 << 20,
            files: 65_536,
            path_chars: 1024,
            archive_bytes: 16 << 30,
            archive_entries: 65_536,
            rank: 8,
            elements: 1 << 31,
            layers: 10_000,
            name_chars: 1024,
            nesting: 32,
            nodes: 100_000,
            primitives: 1 << 20,
            activation_bytes: 1 << 30,
            work: 1_000_000_000_000,
        }
    }
}

impl Limits {
    /// No limits, for trusted files.
    pub fn unlimited() -> Self {
        let mut limits = Limits::default();
        limits.named().into_iter().for_each(|(_, limit)| *limit = u64::MAX);
        limits
    }

    /// Every limit with the name of its field, to read or set it.
    ///
    /// ```
    /// let mut limits = tfjs_manifest::Limits::default();
    /// if let Some((_, work)) = limits.named().into_iter().find(|(name, _)| *name == "work") {
    ///     *work *= 10;
    /// }
    /// ```
    pub fn named(&mut self) -> Vec<(&'static str, &mut u64)> {
        macro_rules! named {
            ($($field:ident),* $(,)?) => {{
                let Limits { $($field),* } = self;
                vec![$((stringify!($field), $field)),*]
            }};
        }
        named![
            model_json_bytes,
            model_bytes,
            metadata_bytes,
            weight_bytes,
            inflation,
            filled_bytes,
            string_bytes,
            tensors,
            files,
            path_chars,
            archive_bytes,
            archive_entries,
            rank,
            elements,
            layers,
            name_chars,
            nesting,
            nodes,
            primitives,
            activation_bytes,
            work,
        ]
    }

    /// Fails with [`Kind::Limit`](crate::Kind::Limit) if `packed` compressed bytes inflate to `bytes`, which are more
    /// than [`inflation`](Self::inflation) allows.
    pub fn check_inflation(&self, packed: u64, bytes: u64) -> Result<()> {
        const ALWAYS: u64 = 16 << 20;
        if bytes <= ALWAYS {
            return Ok(());
        }
        let asked = bytes.div_ceil(packed.max(1));
        Limits::check("inflation (bytes of a weight file for each compressed byte)", asked, self.inflation)
    }

    /// Fails with [`Kind::Limit`](crate::Kind::Limit) if `asked` is more than `allowed`; `what` names the
    /// field and what it counts.
    pub fn check(what: &str, asked: u64, allowed: u64) -> Result<()> {
        if asked <= allowed {
            return Ok(());
        }
        Err(Error::limit(format!(
            "limit `{what}`: allowed {allowed}, asked {asked}; raise it in {} if this model is trusted",
            Setting::Limits
        )))
    }
}
