//! Converts a model to the files that TensorFlow.js loads: its `model.json` and weight files, in memory.
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
    /// How float weights are stored; unchanged by default.
    pub store: StoreAs,
    /// How weights are split into files; one `weights.bin` by default, as TensorFlow.js in Node writes it.
    pub files: WeightFiles,
    /// Whether the optimizer's weights are written too, after the model's, as they were loaded; not by default.
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

    /// Splits weights into files of at most this many bytes.
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

/// The name of the weight group of the optimizer.
const OPTIMIZER: &str = "optimizer";

/// A model's files.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ModelFiles {
    /// `model.json`.
    pub json: ModelJson,
    /// The weight files: path in the manifest, bytes.
    pub weights: Vec<NamedBytes>,
    /// What TensorFlow.js 4.22 cannot represent, does not support or computes differently: one line each.
    pub warnings: Vec<String>,
}

impl LayersModel {
    /// The model as TensorFlow.js 4.22 writes it. A model loaded from these files computes what TensorFlow.js computes;
    /// if that differs from what the model's producer computes, there is a warning. Models of TensorFlow.js have none.
    ///
    /// Weights are in TensorFlow.js's order, trainable ones first. Metadata and the training
    /// configuration are kept in place; the optimizer's weights only if [requested](FileOptions::optimizer).
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a model that TensorFlow.js's JSON cannot represent;
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for values that a quantization cannot store, and for an
    /// optimizer's weights that were in the file but were not kept by the load.
    pub fn to_artifacts(&self, options: &FileOptions) -> Result<ModelFiles> {
        let FileOptions { store, files, optimizer } = options;
        let encoded = encode(&self.def_with_input_types(), Target::TensorFlowJs, self.limits())?;
        let named = weight_names(self.graph(), &encoded.topology, self.custom_layers().defs(), self.limits())?;
        let mut warnings = Warnings::new();
        encoded.warnings.iter().chain(&named.warnings).for_each(|warning| warnings.push(warning));

        let (weights, written) = self.encode_weights(&named.names, *store, files, *optimizer)?;
        let mut topology = encoded.topology;
        let original = self.json();
        // The converter writes it here: TensorFlow.js compiles a model only if the configuration is beside the
        // topology.
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

    /// The definition, with the input types that the caller set for the load.
    fn def_with_input_types(&self) -> ModelDef {
        let mut def = self.def().clone();
        let ports: Vec<usize> = def.root.inputs.iter().map(|port| port.tensor.layer).collect();
        for (layer, port) in ports.into_iter().zip(&self.graph().inputs) {
            if let Some(entry) = def.root.layers.get_mut(layer) {
                let mut ty = self.graph().ty(port.value).clone();
                // A batch size that the file fixes but no layer needs is unknown in the graph.
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
                // Moments are sums over time, so quantization errors would accumulate.
                ..NamedTensor::new(name, tensor)
            }));
        }
        tfjs_weights::encode(&[group], files)
    }

    /// All weights of the optimizer that were in the file.
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
