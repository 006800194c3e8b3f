//! The conformance cases as programs: lowered, bound to their weights, and run by the interpreter; and training steps.

pub mod training;

use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tfjs_ir::{Array, Data, ElementType, InputRole};
use tfjs_manifest::{Limits, ModelJson, Result as TfResult};
use tfjs_topology::bind::{Bound, TensorId};
use tfjs_topology::layer::Fill;
use tfjs_topology::lower::{LowerOptions, Model, lower};
use tfjs_topology::producer::Producer;
use tfjs_topology::read::CustomDefs;
use tfjs_weights::{HostData, HostTensor, decode_group};

/// A case: a model as its producer wrote it, inputs, and the producer's predictions.
#[derive(Clone, Debug)]
pub struct Case {
    /// `producer/name`.
    pub id: String,
    /// The folder.
    pub folder: PathBuf,
    /// `case.json`.
    pub about: Json,
}

/// Every case, sorted by id.
///
/// # Panics
/// If a folder is not a case; the generators are broken then.
pub fn all_cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/cases");
    let folders = |parent: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(parent).unwrap_or_else(|e| panic!("{}: {e}", parent.display()));
        entries.map(|entry| entry.expect("an entry of a folder").path()).filter(|path| path.is_dir()).collect()
    };
    let mut cases = Vec::new();
    for folder in folders(&root).iter().flat_map(|producer| folders(producer)) {
        let id = folder.strip_prefix(&root).expect("a case is below the root").display().to_string();
        let about = std::fs::read(folder.join("case.json")).expect("a case has a case.json");
        let about = serde_json::from_slice(&about).expect("case.json is what the generators write");
        cases.push(Case { id: id.replace('\\', "/"), folder, about });
    }
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    cases
}

/// The lowered model of a case, with its weights.
#[derive(Debug)]
pub struct Loaded {
    /// The model.
    pub model: Model,
    /// The weights, in the order of the program's slots.
    pub weights: Vec<Array>,
}

impl Case {
    /// Lowers the model and reads its weights.
    ///
    /// # Errors
    /// Those of parsing, lowering and decoding.
    pub fn load(&self) -> Result<Loaded, String> {
        self.try_load().map_err(|e| e.to_string())
    }

    fn try_load(&self) -> TfResult<Loaded> {
        let read = |name: &str| {
            std::fs::read(self.folder.join(name))
                .map_err(|e| tfjs_manifest::Error::fetch(format!("{}/{name}: {e}", self.id)))
        };
        let limits = Limits::default();
        let json = ModelJson::from_slice(&read("model.json")?, &limits)?;
        let producer = Producer::detect(json.keras_version(), json.generated_by.as_deref(), json.topology());
        let def = tfjs_topology::parse::parse(json.model_config(), producer, &CustomDefs::default(), &limits)?;
        let model = lower(&def, &LowerOptions::default())?;
        let binding = model.graph.bind(json.weights_manifest.as_ref(), true)?;
        let mut groups = Vec::new();
        for group in json.weights_manifest.iter().flat_map(|manifest| manifest.groups()) {
            let mut bytes = Vec::new();
            for path in &group.paths {
                bytes.extend(read(path)?);
            }
            groups.push(decode_group(&bytes, &group.weights, |_| true)?);
        }
        let mut weights = Vec::new();
        for (slot, bound) in model.graph.slots.iter().zip(&binding.slots) {
            let tensor = |id: &TensorId| groups[id.group][id.index].as_ref().expect("every weight is wanted");
            weights.push(match bound {
                Bound::Tensor(id, _) => array(tensor(id))?,
                Bound::Assembled(ids, assembly, _) => {
                    let parts: Vec<HostTensor> = ids.iter().map(|id| tensor(id).clone()).collect();
                    array(&HostTensor::assemble(assembly, &parts)?)?
                }
                Bound::Filled => {
                    let one = if slot.decl.fill == Fill::Ones { 1.0 } else { 0.0 };
                    Array::floats(slot.decl.shape.dims(), vec![one; slot.decl.shape.elements()])?
                }
            });
        }
        Ok(Loaded { model, weights })
    }

    /// The inputs in the program's order.
    ///
    /// # Errors
    /// A file that cannot be read, or a missing input.
    pub fn inputs(&self, model: &Model) -> Result<Vec<Array>, String> {
        let json = self.folder.join("inputs.json");
        let mut given: BTreeMap<String, Array> = if json.exists() {
            let text = std::fs::read(&json).map_err(|e| e.to_string())?;
            let object: BTreeMap<String, Json> = serde_json::from_slice(&text).map_err(|e| e.to_string())?;
            object.into_iter().map(|(name, value)| Ok((name, json_array(&value)?))).collect::<Result<_, String>>()?
        } else {
            read_arrays(&self.folder.join("inputs.safetensors"))?
        };
        let mut inputs = Vec::new();
        for input in model.program.inputs.iter().filter(|input| input.role == InputRole::Argument) {
            let only = given.len() == 1 && model.graph.inputs.len() == 1;
            let port = model.graph.inputs.iter().find(|port| port.name == input.name);
            let key = port.and_then(|port| port.key.as_ref()).filter(|key| given.contains_key(*key));
            let name = if only {
                given.keys().next().cloned().unwrap_or_default()
            } else {
                key.unwrap_or(&input.name).clone()
            };
            let found = given.remove(&name).ok_or_else(|| format!("the case has no input `{}`", input.name))?;
            inputs.push(converted(&found, input.ty.element, input.ty.rank()).map_err(|e| e.to_string())?);
        }
        Ok(inputs)
    }

    /// The producer's predictions, by output.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn outputs(&self) -> Result<BTreeMap<String, Array>, String> {
        read_arrays(&self.folder.join("outputs.safetensors"))
    }

    /// The largest difference relative to an output's scale that the case allows.
    pub fn tolerance(&self) -> f64 {
        if self.about["kind"] == "network" { 1e-4 } else { 1e-5 }
    }
}

fn array(tensor: &HostTensor) -> TfResult<Array> {
    let dims = tensor.shape().dims();
    match tensor.data() {
        HostData::F32(values) => Array::floats(dims, values.iter().map(|&x| f64::from(x))),
        HostData::I32(values) => {
            Array::new(ElementType::I32, dims, Data::Int(values.iter().map(|&n| i64::from(n)).collect()))
        }
        HostData::Bool(values) => {
            Array::new(ElementType::Bool, dims, Data::Bool(values.iter().map(|&b| b != 0).collect()))
        }
        other => Err(tfjs_manifest::Error::unsupported(format!("a weight of dtype `{}`", other.dtype()))),
    }
}

/// An array as an input of the program: a vector is a batch of single numbers, and numbers are converted to the
/// program's type.
fn converted(array: &Array, element: ElementType, rank: usize) -> TfResult<Array> {
    let mut dims = array.dims().to_vec();
    if dims.len() == 1 && rank == 2 {
        dims.push(1);
    }
    let data = match element {
        ElementType::String => array.data().clone(),
        ElementType::Bool => Data::Bool(array.to_floats()?.iter().map(|&x| x != 0.0).collect()),
        _ if element.is_float() => Data::Float(array.to_floats()?),
        _ => Data::Int(array.to_ints()?),
    };
    Array::new(element, dims, data)
}

fn json_array(value: &Json) -> Result<Array, String> {
    fn leaves<'a>(value: &'a Json, out: &mut Vec<&'a Json>) {
        match value {
            Json::Array(items) => items.iter().for_each(|item| leaves(item, out)),
            leaf => out.push(leaf),
        }
    }
    let (mut dims, mut level) = (Vec::new(), value);
    while let Json::Array(items) = level {
        dims.push(items.len());
        level = items.first().ok_or("an empty list")?;
    }
    let mut found = Vec::new();
    leaves(value, &mut found);
    let text: Option<Vec<Arc<str>>> = found.iter().map(|leaf| leaf.as_str().map(Into::into)).collect();
    let array = match text {
        Some(text) => Array::new(ElementType::String, dims, Data::Text(text)),
        None => Array::floats(dims, found.iter().filter_map(|leaf| leaf.as_f64())),
    };
    array.map_err(|e| e.to_string())
}

/// The arrays of a safetensors file, as single-precision numbers, integers or truth values.
///
/// # Errors
/// A file that cannot be read.
pub fn read_arrays(path: &Path) -> Result<BTreeMap<String, Array>, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let tensors = safetensors::SafeTensors::deserialize(&bytes).map_err(|e| e.to_string())?;
    let mut arrays = BTreeMap::new();
    for (name, view) in tensors.iter() {
        let bytes = view.data();
        macro_rules! numbers {
            ($ty:ty) => {
                bytes
                    .chunks_exact(size_of::<$ty>())
                    .map(|b| <$ty>::from_le_bytes(b.try_into().expect("a whole number")))
            };
        }
        use safetensors::Dtype;
        let (element, data) = match view.dtype() {
            Dtype::F32 => (ElementType::F32, Data::Float(numbers!(f32).map(f64::from).collect())),
            Dtype::F64 => (ElementType::F32, Data::Float(numbers!(f64).collect())),
            Dtype::I32 => (ElementType::I32, Data::Int(numbers!(i32).map(i64::from).collect())),
            Dtype::U32 => (ElementType::I64, Data::Int(numbers!(u32).map(i64::from).collect())),
            Dtype::I64 => (ElementType::I64, Data::Int(numbers!(i64).collect())),
            Dtype::U8 => (ElementType::U8, Data::Int(bytes.iter().map(|&b| i64::from(b)).collect())),
            Dtype::BOOL => (ElementType::Bool, Data::Bool(bytes.iter().map(|&b| b != 0).collect())),
            other => return Err(format!("{}: a tensor of {other:?}", path.display())),
        };
        arrays.insert(name.to_string(), Array::new(element, view.shape(), data).map_err(|e| e.to_string())?);
    }
    Ok(arrays)
}

/// Differences of numbers below this fraction of an output's largest number are divided by that fraction of it.
const FLOOR: f64 = 0.1;

/// The largest difference, each relative to the expected number, or to a tenth of the largest one (at least 1e-3).
/// Infinities and NaNs must be at the same positions.
///
/// # Errors
/// Another shape, or an infinity or NaN on one side only.
pub fn difference(expected: &Array, found: &Array) -> Result<f64, String> {
    if expected.dims() != found.dims() {
        return Err(format!("shape {:?}, expected {:?}", found.dims(), expected.dims()));
    }
    let expected = expected.to_floats().map_err(|e| e.to_string())?;
    let found = found.to_floats().map_err(|e| e.to_string())?;
    let scale = expected.iter().filter(|x| x.is_finite()).fold(1e-3f64, |scale, x| scale.max(x.abs()));
    let mut worst = 0.0f64;
    for (i, (expected, found)) in expected.iter().zip(&found).enumerate() {
        if expected == found || (expected.is_nan() && found.is_nan()) {
            continue;
        }
        let difference = (expected - found).abs() / expected.abs().max(FLOOR * scale);
        if !difference.is_finite() {
            return Err(format!("element {i} is {found}, expected {expected}"));
        }
        worst = worst.max(difference);
    }
    Ok(worst)
}
