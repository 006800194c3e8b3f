//! The conformance cases on disk: what the producers computed, with the files they wrote.

use crate::tensors::{Named, read_inputs, read_tensors};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use tfjs::{Engine, Inputs, LayersModel, LoadOptions, PredictOptions};

/// One case: a model as its producer wrote it, inputs, and what the producer predicted.
#[derive(Clone, Debug)]
pub struct Case {
    /// `producer/name`.
    pub id: String,
    /// The folder.
    pub folder: PathBuf,
    /// The generator's description, from `case.json`.
    pub about: About,
}

/// `case.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct About {
    /// The layer classes the case is about.
    pub layers: Vec<String>,
    /// How exact the outputs must be.
    pub kind: CaseKind,
    /// Who computed the outputs, with the version.
    pub producer: String,
    /// Examples per batch, if the producer predicted in several batches.
    #[serde(default)]
    pub batch_size: Option<usize>,
}

/// How exact a case must be: the largest difference relative to the output's scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaseKind {
    /// One layer, or a few: 1e-5.
    Layer,
    /// A deep network: 1e-4.
    Network,
    /// A model that computes in half precision, which this project does in single: 3e-2.
    Half,
}

impl CaseKind {
    /// The largest difference relative to the output's scale.
    pub fn tolerance(self) -> f64 {
        match self {
            CaseKind::Layer => 1e-5,
            CaseKind::Network => 1e-4,
            CaseKind::Half => 3e-2,
        }
    }
}

/// Every case that is checked in, sorted by id.
///
/// # Panics
/// If a folder is not a case; the generators are broken then.
pub fn all_cases() -> Vec<Case> {
    cases_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/cases"))
}

/// Every case below a folder, `producer/name`, sorted by id.
///
/// # Panics
/// If a folder is no case: the generators are broken then.
pub fn cases_in(root: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for producer in folders(root) {
        for folder in folders(&producer) {
            let id = folder.strip_prefix(root).expect("a case is below the root").display().to_string();
            cases.push(Case::read(id.replace('\\', "/"), folder));
        }
    }
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    cases
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).unwrap_or_else(|e| panic!("{}: {e}", parent.display()));
    entries.map(|entry| entry.expect("an entry of a folder").path()).filter(|path| path.is_dir()).collect()
}

impl Case {
    /// A case in a folder.
    ///
    /// # Panics
    /// If the folder is not a case; the generators are broken then.
    pub fn read(id: String, folder: PathBuf) -> Case {
        let text = std::fs::read(folder.join("case.json")).expect("a case has a case.json");
        let about = serde_json::from_slice(&text).expect("case.json is what the generators write");
        Case { id, folder, about }
    }

    /// Loads the model, predicts, and compares. The number is the largest difference relative to its output's
    /// scale.
    ///
    /// # Errors
    /// What went wrong, or which output differs where.
    pub fn run(&self, engine: Engine) -> std::result::Result<f64, String> {
        self.compare(&self.load_for(engine)?)
    }

    /// Loads the model with the default options.
    ///
    /// # Errors
    /// What went wrong.
    pub fn load(&self) -> std::result::Result<LayersModel, String> {
        self.load_for(Engine::Native)
    }

    fn load_for(&self, engine: Engine) -> std::result::Result<LayersModel, String> {
        let location = self.folder.to_str().expect("the cases have plain names");
        tfjs::blocking::load_layers_model(location, LoadOptions::new().with_engine(engine)).map_err(|e| e.to_string())
    }

    /// Predicts with a model that was loaded from any source, and compares.
    ///
    /// # Errors
    /// What went wrong, or which output differs where.
    pub fn compare(&self, model: &LayersModel) -> std::result::Result<f64, String> {
        let inputs = read_inputs(&self.folder)?.into_iter().collect::<Inputs>();
        let mut options = PredictOptions::default();
        options.batch_size = self.about.batch_size;
        let outputs = model.predict_with(inputs, &options).map_err(|e| e.to_string())?;
        let expected = read_tensors(&self.folder.join("outputs.safetensors"))?;
        let names: Vec<&str> = outputs.names().collect();
        if names.len() != expected.len() {
            return Err(format!("outputs {names:?}, expected {:?}", expected.keys()));
        }
        let (mut worst, mut wrong, tolerance) = (0.0f64, Vec::new(), self.about.kind.tolerance());
        for (name, expected) in &expected {
            let found = outputs.get(name).map_err(|e| e.to_string())?;
            let difference =
                expected.difference(&Named::from_tensor(found)?).map_err(|e| format!("output `{name}`: {e}"))?;
            worst = worst.max(difference);
            if difference.is_nan() || difference > tolerance {
                wrong.push(format!("output `{name}` differs by {difference:.2e} of the scale"));
            }
        }
        if wrong.is_empty() { Ok(worst) } else { Err(format!("{}; allowed {tolerance:.0e}", wrong.join("; "))) }
    }
}

/// The JSON of a case, as the library reads it: Python writes infinities in it.
///
/// # Panics
/// For a text that is no JSON.
pub fn json(text: &[u8]) -> serde_json::Value {
    tfjs::parts::manifest::json::parse(text, &tfjs::Limits::unlimited()).expect("a case's JSON")
}
