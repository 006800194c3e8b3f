//! A model as the files TensorFlow.js loads: its `model.json` and weight files, in memory. Writes nothing anywhere.
//!
//! Reference: `LayersModel.save` in tfjs-layers `engine/training.ts`.

use crate::engine::CandleResultExt;
use crate::model::LayersModel;
use tfjs_manifest::{DType, Error, ModelJson, Result, Warnings};
use tfjs_topology::def::{LayerBody, ModelDef};
use tfjs_topology::encode::{GENERATED_BY, Target, encode, weight_names};
use tfjs_topology::graph::{SlotId, WeightSlot};
use tfjs_weights::{HostData, HostTensor, NamedBytes, NamedTensor, StoreAs, WeightFiles};

/// How a model is written.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FileOptions {
    /// How float weights are stored; as they are by default.
    pub store: StoreAs,
    /// How weights are cut into files; one `weights.bin` by default, as TensorFlow.js in Node writes it.
    pub files: WeightFiles,
    /// Whether the optimizer's weights are written too, behind the model's, as they were loaded; not by default.
    pub optimizer: bool,
}

impl Default for FileOptions {
    fn default() -> Self {
        FileOptions { store: StoreAs::Values, files: WeightFiles::One("weights.bin".to_owned()), optimizer: false }
    }
}

impl FileOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// See [`store`](FileOptions::store).
    #[must_use]
    pub fn with_store(mut self, store: StoreAs) -> Self {
        self.store = store;
        self
    }

    /// Weight files of at most this many bytes.
    #[must_use]
    pub fn with_shard_bytes(mut self, bytes: u64) -> Self {
        self.files = WeightFiles::Shards(bytes);
        self
    }

    /// See [`optimizer`](FileOptions::optimizer).
    #[must_use]
    pub fn with_optimizer(mut self, optimizer: bool) -> Self {
        self.optimizer = optimizer;
        self
    }
}

/// The group of weights that are the optimizer's.
const OPTIMIZER: &str = "optimizer";

/// A model's files.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ModelFiles {
    /// `model.json`.
    pub json: ModelJson,
    /// The weight files: path in the manifest, bytes.
    pub weights: Vec<NamedBytes>,
    /// What TensorFlow.js 4.22 cannot say, does not know or computes differently: one line each.
    pub warnings: Vec<String>,
}

impl LayersModel {
    /// The model as TensorFlow.js 4.22 writes it. Loaded again, it means what it means to TensorFlow.js; where that
    /// differs from what the model's producer computes, a warning says so. Models of TensorFlow.js have none.
    ///
    /// Weights come in TensorFlow.js's order, those that training changes first. Metadata and the training
    /// configuration are kept where they were; the optimizer's weights if they are [asked for](FileOptions::optimizer).
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a model TensorFlow.js's JSON cannot hold;
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for values a quantization cannot store, and for an optimizer's
    /// weights that the file had but loading did not keep.
    pub fn to_artifacts(&self, options: &FileOptions) -> Result<ModelFiles> {
        let FileOptions { store, files, optimizer } = options;
        let encoded = encode(&self.def_with_input_types(), Target::TensorFlowJs, self.limits())?;
        let named = weight_names(self.graph(), &encoded.topology, self.custom_layers().defs(), self.limits())?;
        let mut warnings = Warnings::new();
        encoded.warnings.iter().chain(&named.warnings).for_each(|warning| warnings.push(warning));

        let (weights, written) = self.encode_weights(&named.names, *store, files, *optimizer)?;
        let mut topology = encoded.topology;
        let original = self.json();
        // The converter's place for it: TensorFlow.js compiles with what it finds beside the topology only.
        if let (None, Some(training), Some(map)) =
            (&original.saved_training_config, original.training_config(), topology.as_object_mut())
        {
            map.insert("training_config".to_owned(), training.clone());
        }
        let mut json = ModelJson::new(topology, self.limits())?;
        json.format = Some("layers-model".to_owned());
        json.generated_by = Some(GENERATED_BY.to_owned());
        json.weights_manifest = Some(weights);
        json.user_defined_metadata.clone_from(&original.user_defined_metadata);
        json.signature.clone_from(&original.signature);
        json.saved_training_config.clone_from(&original.saved_training_config);
        Ok(ModelFiles { json, weights: written, warnings: warnings.to_lines() })
    }

    /// The definition, with what the caller said of the inputs when it was loaded.
    fn def_with_input_types(&self) -> ModelDef {
        let mut def = self.def().clone();
        let ports: Vec<usize> = def.root.inputs.iter().map(|port| port.tensor.layer).collect();
        for (layer, port) in ports.into_iter().zip(&self.graph().inputs) {
            if let Some(entry) = def.root.layers.get_mut(layer) {
                let mut ty = self.graph().ty(port.value).clone();
                // A batch that the file fixes and no layer needs is open in the graph.
                if let LayerBody::Input(Some(declared)) = &entry.body
                    && let (Some(size @ None), Some(batch)) = (ty.shape.0.first_mut(), declared.shape.dims().first())
                {
                    *size = *batch;
                }
                entry.body = LayerBody::Input(Some(ty));
            }
        }
        def
    }

    fn encode_weights(
        &self,
        names: &[String],
        store: StoreAs,
        files: &WeightFiles,
        optimizer: bool,
    ) -> Result<(tfjs_manifest::WeightsManifest, Vec<NamedBytes>)> {
        let slots = self.graph().slots.iter().enumerate();
        let (trainable, frozen): (Vec<_>, Vec<_>) = slots.partition(|(_, slot)| slot.trainable);
        let mut tensors = Vec::with_capacity(names.len());
        for (i, slot) in trainable.into_iter().chain(frozen) {
            let name = names.get(i).ok_or_else(|| Error::bug("a weight without a name"))?;
            let tensor = self.host_tensor(SlotId(i), slot).map_err(|e| e.at_weight(name))?;
            tensors.push((name.as_str(), tensor));
        }
        let mut group: Vec<_> =
            tensors.iter().map(|(name, tensor)| NamedTensor::new(name, tensor).stored_as(store)).collect();
        if optimizer {
            let kept = self.kept_optimizer()?.iter();
            group.extend(kept.map(|(name, tensor)| NamedTensor {
                group: Some(OPTIMIZER),
                // Moments are sums over time: what quantization loses of them would add up.
                ..NamedTensor::new(name, tensor)
            }));
        }
        tfjs_weights::encode(&[group], files)
    }

    /// All the optimizer's weights that the file had.
    fn kept_optimizer(&self) -> Result<&[(String, HostTensor)]> {
        let specs = self.json().weights_manifest.iter().flat_map(|manifest| manifest.specs());
        let had = specs.filter(|(_, _, spec)| spec.is_optimizer()).count();
        let kept = self.optimizer_weights();
        if kept.len() != had {
            return Err(Error::misuse(format!(
                "the file had {had} weights of the optimizer, and they were not kept; load the model with `keep_optimizer`"
            )));
        }
        Ok(kept)
    }

    fn host_tensor(&self, id: SlotId, slot: &WeightSlot) -> Result<HostTensor> {
        let tensor = || self.weights().tensor(id)?.flatten_all().or_error();
        let data = match slot.decl.dtype {
            DType::Float32 => HostData::F32(self.weights().with_values(id, <[f32]>::to_vec)?),
            DType::Int32 => HostData::I32(tensor()?.to_vec1().or_error()?),
            DType::Bool => HostData::Bool(tensor()?.to_vec1().or_error()?),
            other => return Err(Error::unsupported(format!("a weight of dtype `{other}` cannot be saved"))),
        };
        HostTensor::new(slot.decl.shape.clone(), data)
    }
}
