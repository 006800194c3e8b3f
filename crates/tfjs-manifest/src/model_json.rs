//! The envelope of a model: `model.json` itself. Keeps the topology as JSON, which `tfjs-topology` interprets.
//!
//! Reference: `ModelJSON` in tfjs-core `io/types.ts`, and `converters/common.py` of the Python converter.

use crate::inline::{DATA, SPECS};
use crate::text::{found, shorten};
use crate::{Error, InlineWeights, Limits, Result, Warnings, WeightsManifest, json, noticed};
use serde_json::{Map, Value};

/// A `model.json`: a layers model's topology, the manifest of its weights, and metadata.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ModelJson {
    /// `layers-model`. TensorFlow.js does not check it, and a bare topology has none.
    pub format: Option<String>,
    /// The producer of the model, such as `keras v2.15.0` or `TensorFlow.js tfjs-layers v4.22.0`.
    pub generated_by: Option<String>,
    /// The converter, such as `TensorFlow.js Converter v4.22.0`.
    pub converted_by: Option<String>,
    /// The weight files and their contents; `None` if the file has no manifest.
    pub weights_manifest: Option<WeightsManifest>,
    /// The weights inside the file, `weightSpecs` and `weightData`; see [`take_inline`](Self::take_inline).
    pub inline_weights: Option<InlineWeights>,
    /// Metadata of the author, unchanged.
    pub user_defined_metadata: Option<Value>,
    /// The signature, unchanged; graph models have one.
    pub signature: Option<Value>,
    /// `trainingConfig` beside the topology; [`training_config`](Self::training_config) also reads the one inside it.
    pub saved_training_config: Option<Value>,
    /// All other keys, and known keys with values of the wrong type, in the file's order.
    pub extra: Map<String, Value>,
    /// Checked: an object with a class name and a config, or one that wraps such an object in `model_config`.
    topology: Value,
}

impl ModelJson {
    /// A model without weights from its topology: bare, wrapped in `model_config`, or a JSON string of either.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](crate::Kind::Unsupported) for a graph model,
    /// [`Kind::Malformed`](crate::Kind::Malformed) for a value that is not a topology. JSON paths in errors begin with
    /// `modelTopology`.
    pub fn new(topology: Value, limits: &Limits) -> Result<ModelJson> {
        Ok(ModelJson {
            format: None,
            generated_by: None,
            converted_by: None,
            weights_manifest: None,
            inline_weights: None,
            user_defined_metadata: None,
            signature: None,
            saved_training_config: None,
            extra: Map::new(),
            topology: unwrap_topology(topology, limits)?,
        })
    }

    /// Parses a file: an envelope with `modelTopology`, or a bare topology from `model.toJSON()` or Keras's
    /// `model.to_json()`.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](crate::Kind::Unsupported) for a graph model or an unknown dtype;
    /// [`Kind::Malformed`](crate::Kind::Malformed) for a file with weights only and anything else that does not follow
    /// the format; [`Kind::Limit`](crate::Kind::Limit) if a limit is exceeded.
    pub fn from_slice(bytes: &[u8], limits: &Limits) -> Result<ModelJson> {
        Self::from_value(json::parse(bytes, limits)?, limits)
    }

    /// As [`from_slice`](Self::from_slice), for a parsed document.
    ///
    /// # Errors
    /// As [`from_slice`](Self::from_slice).
    pub fn from_value(value: Value, limits: &Limits) -> Result<ModelJson> {
        let mut envelope = match value {
            Value::Object(envelope) => envelope,
            Value::Array(_) => {
                return Err(Error::malformed(
                    "expected a model.json, found an array: a weights manifest by itself has no model",
                ));
            }
            other => {
                return Err(Error::malformed(format!("expected a model.json, found {}", found(&other))));
            }
        };
        let bare = !envelope.contains_key("modelTopology") && looks_like_topology(&envelope);
        if bare {
            return Self::new(Value::Object(envelope), limits);
        }

        let says_graph = envelope.get("format").and_then(Value::as_str) == Some("graph-model");
        let topology = match envelope.shift_remove("modelTopology") {
            Some(Value::Null) | None if says_graph || looks_like_graph(&envelope) => {
                return Err(graph_model());
            }
            Some(Value::Null) | None => return Err(no_topology(&envelope)),
            // TensorFlow.js does not check `format`, so a topology of layers is read as such.
            Some(Value::Object(topology)) if says_graph && !looks_like_topology(&topology) => {
                return Err(graph_model().at_json("modelTopology"));
            }
            Some(topology) => topology,
        };
        let mut model = Self::new(topology, limits)?;
        if let Some(manifest) = take_unless_null(&mut envelope, "weightsManifest") {
            model.weights_manifest = Some(WeightsManifest::from_value(&manifest, limits)?);
        } else {
            model.inline_weights = InlineWeights::take(&mut envelope, limits)?;
        }
        model.format = take_text(&mut envelope, "format");
        model.generated_by = take_text(&mut envelope, "generatedBy");
        model.converted_by = take_text(&mut envelope, "convertedBy");
        model.user_defined_metadata = take_unless_null(&mut envelope, "userDefinedMetadata");
        model.signature = take_unless_null(&mut envelope, "signature");
        model.saved_training_config = take_unless_null(&mut envelope, "trainingConfig");
        model.extra = envelope;
        Ok(model)
    }

    /// `modelTopology` as written, except that JSON strings in it have been parsed.
    pub fn topology(&self) -> &Value {
        &self.topology
    }

    /// Whether the file lists weights without the location of their bytes: `weightSpecs` without `weightData` and
    /// without `weightsManifest`.
    pub fn has_specs_alone(&self) -> bool {
        self.weights_manifest.is_none() && self.inline_weights.is_none() && self.extra.contains_key(SPECS)
    }

    /// Takes the bytes of the weights inside the file. Afterwards [`weights_manifest`](Self::weights_manifest)
    /// describes them as one group with one file, which does not exist outside this JSON.
    pub fn take_inline(&mut self) -> Option<Vec<u8>> {
        let InlineWeights { manifest, bytes } = self.inline_weights.take()?;
        self.weights_manifest = Some(manifest);
        Some(bytes)
    }

    /// The model's own `{class_name, config}`, unwrapped.
    pub fn model_config(&self) -> &Value {
        either(&self.topology, "model_config", "modelConfig").unwrap_or(&self.topology)
    }

    /// The class of the outermost model, such as `Sequential` or `Functional`.
    pub fn class_name(&self) -> &str {
        let name = either(self.model_config(), "class_name", "className").and_then(Value::as_str);
        name.unwrap_or_default()
    }

    /// The version of Keras, or `tfjs-layers 4.22.0`. Some layers depend on it.
    pub fn keras_version(&self) -> Option<&str> {
        self.topology_text("keras_version", "kerasVersion")
    }

    /// The backend of the producer, such as `tensorflow` or `tensor_flow.js`.
    pub fn backend(&self) -> Option<&str> {
        self.topology_text("backend", "backend")
    }

    /// The optimizer, loss and metrics the model was compiled with. TensorFlow.js writes them beside the topology, the
    /// Python converter inside it. Only their names are read, for [`warnings`](Self::warnings).
    pub fn training_config(&self) -> Option<&Value> {
        let inside = || either(&self.topology, "training_config", "trainingConfig");
        self.saved_training_config.as_ref().or_else(inside).filter(|config| !config.is_null())
    }

    /// Warnings about unknown values that predictions do not need: a format, an optimizer, a loss or a metric, metadata
    /// that are not an object; and about the order of weight files.
    pub fn warnings(&self) -> Warnings {
        let mut warnings = Warnings::new();
        noticed::note(self, &mut warnings);
        warnings
    }

    /// The JSON of the file, with the keys in the order TensorFlow.js writes them.
    pub fn to_value(&self) -> Value {
        let ModelJson {
            format,
            generated_by,
            converted_by,
            weights_manifest,
            inline_weights,
            user_defined_metadata,
            signature,
            saved_training_config,
            extra,
            topology,
        } = self;
        let mut envelope = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                envelope.insert(key.to_owned(), value);
            }
        };
        put("modelTopology", Some(topology.clone()));
        put("format", format.clone().map(Value::from));
        put("generatedBy", generated_by.clone().map(Value::from));
        // TensorFlow.js writes `null` for a model that was not converted.
        put("convertedBy", Some(converted_by.clone().map_or(Value::Null, Value::from)));
        put("weightsManifest", weights_manifest.as_ref().map(WeightsManifest::to_value));
        if let Some(inline) = inline_weights {
            put(SPECS, Some(inline.specs()));
            put(DATA, Some(inline.data()));
        }
        put("signature", signature.clone());
        put("userDefinedMetadata", user_defined_metadata.clone());
        for (key, value) in extra {
            put(key, Some(value.clone()));
        }
        put("trainingConfig", saved_training_config.clone());
        Value::Object(envelope)
    }

    /// The text of the file.
    pub fn to_vec(&self) -> Vec<u8> {
        self.to_value().to_string().into_bytes()
    }

    fn topology_text(&self, snake: &str, camel: &str) -> Option<&str> {
        let outside = either(&self.topology, snake, camel);
        outside.or_else(|| either(self.model_config(), snake, camel)).and_then(Value::as_str)
    }
}

/// The value of a key in either spelling; TensorFlow.js reads both.
fn either<'a>(object: &'a Value, snake: &str, camel: &str) -> Option<&'a Value> {
    object.get(snake).or_else(|| object.get(camel))
}

fn looks_like_topology(object: &Map<String, Value>) -> bool {
    ["class_name", "className", "model_config", "modelConfig"].iter().any(|key| object.contains_key(*key))
}

/// Whether this is a TensorFlow GraphDef, which has nodes or a library of functions.
fn looks_like_graph(object: &Map<String, Value>) -> bool {
    !looks_like_topology(object) && (object.get("node").is_some_and(Value::is_array) || object.contains_key("library"))
}

fn unwrap_topology(topology: Value, limits: &Limits) -> Result<Value> {
    let place = |error: Error| error.at_json("modelTopology");
    let mut topology = parse_if_text(topology, limits).map_err(place)?;
    let Some(object) = topology.as_object_mut() else {
        return Err(place(Error::malformed(format!(
            "expected a model's topology, an object, found {}",
            found(&topology)
        ))));
    };
    if looks_like_graph(object) {
        return Err(place(graph_model()));
    }
    // The converter keeps strings of the h5 file that it cannot parse, and so does this function.
    for key in ["training_config", "trainingConfig"] {
        if let Some(Value::String(text)) = object.get(key)
            && let Ok(config) = json::parse(text.as_bytes(), limits)
        {
            object.insert(key.to_owned(), config);
        }
    }
    for key in ["model_config", "modelConfig"] {
        let Some(wrapped) = object.get_mut(key) else {
            continue;
        };
        let inner = |error: Error| error.at_json(key).at_json("modelTopology");
        let config = parse_if_text(wrapped.take(), limits).map_err(inner)?;
        if config.is_null() {
            return Err(inner(no_topology(object)));
        }
        check_model(&config).map_err(inner)?;
        object.insert(key.to_owned(), config);
        return Ok(topology);
    }
    check_model(&topology).map_err(place)?;
    Ok(topology)
}

fn parse_if_text(value: Value, limits: &Limits) -> Result<Value> {
    match value {
        Value::String(text) => json::parse(text.as_bytes(), limits),
        other => Ok(other),
    }
}

/// Checks that this is an object with a class name and a config. Their contents are checked elsewhere.
fn check_model(model: &Value) -> Result<()> {
    if !model.is_object() {
        return Err(Error::malformed(format!(
            "expected a model, an object with class_name and config, found {}",
            found(model)
        )));
    }
    match either(model, "class_name", "className") {
        Some(Value::String(_)) => {}
        Some(other) => {
            let message = format!("expected a class name, found {}", found(other));
            return Err(Error::malformed(message).at_json("class_name"));
        }
        None => return Err(Error::malformed("a model needs a `class_name`")),
    }
    match model.get("config") {
        // Keras 1 wrote a Sequential's config as the list of its layers.
        Some(Value::Object(_) | Value::Array(_)) => Ok(()),
        Some(other) => {
            let message = format!("expected a model's config, found {}", found(other));
            Err(Error::malformed(message).at_json("config"))
        }
        None => Err(Error::malformed("a model needs a `config`")),
    }
}

#[cold]
fn graph_model() -> Error {
    Error::unsupported(
        "this is a graph-model, a TensorFlow graph without layers; a layers-model is needed: convert the \
         Keras model with `tensorflowjs_converter --output_format=tfjs_layers_model`",
    )
}

#[cold]
fn no_topology(envelope: &Map<String, Value>) -> Error {
    if envelope.contains_key("weightsManifest") || envelope.contains_key(SPECS) {
        return Error::malformed(
            "weights only: the file has weights but no model (`modelTopology` is missing or null); convert \
             a whole model, saved with `model.save`, not `model.save_weights`",
        );
    }
    let keys: Vec<_> = envelope.keys().take(5).map(|key| format!("`{}`", shorten(key))).collect();
    let found = match keys.is_empty() {
        true => "nothing".to_owned(),
        false => keys.join(", "),
    };
    Error::malformed(format!("not a model.json: expected `modelTopology` and `weightsManifest`, found {found}"))
}

fn take_unless_null(envelope: &mut Map<String, Value>, key: &str) -> Option<Value> {
    envelope.shift_remove(key).filter(|value| !value.is_null())
}

/// Removes and returns a string. A value of another type, except null, stays in the map, to be kept among the extra
/// keys.
fn take_text(envelope: &mut Map<String, Value>, key: &str) -> Option<String> {
    match envelope.shift_remove(key)? {
        Value::String(text) => Some(text),
        Value::Null => None,
        other => {
            envelope.insert(key.to_owned(), other);
            None
        }
    }
}

#[cfg(test)]
#[path = "model_json_tests.rs"]
mod tests;
