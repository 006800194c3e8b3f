//! Weights in the JSON itself: `weightSpecs` and `weightData`. TensorFlow.js's `io.withSaveHandler` passes these to the
//! handler, and stores them in `localStorage` and IndexedDB.

use crate::text::found;
use crate::{Error, Limits, Result, WeightsManifest, json};
use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD};
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use serde_json::{Map, Value};
use std::fmt;

/// The key of the list of weights.
pub(crate) const SPECS: &str = "weightSpecs";
/// The key of their bytes; also the name of the single file in the manifest that is made of them.
pub(crate) const DATA: &str = "weightData";

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Weights that are contained in the JSON.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct InlineWeights {
    /// Their manifest: one group with one file, named `weightData`.
    pub manifest: WeightsManifest,
    /// Their bytes.
    pub bytes: Vec<u8>,
}

impl InlineWeights {
    /// Removes both keys from the envelope, if both exist.
    ///
    /// # Errors
    /// [`Kind::Malformed`](crate::Kind::Malformed) for data that are not bytes, and those of
    /// [`WeightsManifest::from_value`].
    pub(crate) fn take(envelope: &mut Map<String, Value>, limits: &Limits) -> Result<Option<InlineWeights>> {
        let there = |key: &str| envelope.get(key).is_some_and(|value| !value.is_null());
        if !there(SPECS) || !there(DATA) {
            return Ok(None);
        }
        let (Some(specs), Some(data)) = (envelope.shift_remove(SPECS), envelope.shift_remove(DATA)) else {
            return Ok(None);
        };
        // `localStorage` stores strings only.
        let specs = match specs {
            Value::String(text) => json::parse(text.as_bytes(), limits).map_err(|e| e.at_json(SPECS))?,
            other => other,
        };
        let manifest = WeightsManifest::from_specs(&specs, SPECS, DATA, limits)?;
        let bytes = bytes(data).map_err(|e| e.at_json(DATA))?;
        Ok(Some(InlineWeights { manifest, bytes }))
    }

    /// The value of `weightSpecs`.
    pub(crate) fn specs(&self) -> Value {
        self.manifest.specs().map(|(_, _, spec)| spec.to_value()).collect()
    }

    /// The value of `weightData`, as Base64.
    pub(crate) fn data(&self) -> Value {
        Value::from(STANDARD.encode(&self.bytes))
    }
}

impl fmt::Debug for InlineWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InlineWeights { manifest, bytes } = self;
        f.debug_struct("InlineWeights").field("manifest", manifest).field("bytes", &bytes.len()).finish()
    }
}

/// Reads bytes from Base64, from an array of bytes, or from the JSON of a `Uint8Array`, `{"0": 1, "1": 2}`, or of
/// Node's `Buffer`, `{"type": "Buffer", "data": [1, 2]}`.
fn bytes(value: Value) -> Result<Vec<u8>> {
    match value {
        Value::String(text) => {
            let mut text = text.into_bytes();
            text.retain(|b| !b.is_ascii_whitespace());
            BASE64.decode(&text).map_err(|e| Error::malformed("expected Base64 or an array of bytes").with_source(e))
        }
        Value::Array(items) => items.iter().map(byte).collect(),
        Value::Object(mut map) => match map.shift_remove("data") {
            Some(data @ Value::Array(_)) => bytes(data),
            _ if map.is_empty() => Err(Error::malformed(
                "the bytes are missing: `JSON.stringify` writes an ArrayBuffer as `{}`; write it as Base64 or as \
                 `Array.from(new Uint8Array(weightData))`",
            )),
            _ => {
                let counted = map.iter().enumerate().all(|(i, (key, _))| key.parse() == Ok(i));
                match counted {
                    true => map.values().map(byte).collect(),
                    false => Err(Error::malformed("expected Base64 or an array of bytes, found an object")),
                }
            }
        },
        other => Err(Error::malformed(format!("expected Base64 or an array of bytes, found {}", found(&other)))),
    }
}

fn byte(value: &Value) -> Result<u8> {
    let byte = value.as_u64().and_then(|n| u8::try_from(n).ok());
    byte.ok_or_else(|| Error::malformed(format!("expected a byte, a number from 0 to 255, found {}", found(value))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, ModelJson};
    use serde_json::json;

    fn model(data: Value) -> Result<ModelJson> {
        let specs = json!([{"name": "d/bias", "shape": [1], "dtype": "float32"}]);
        let file = json!({"modelTopology": {"class_name": "Sequential", "config": {"name": "s", "layers": []}},
                          "weightSpecs": specs, "weightData": data});
        ModelJson::from_value(file, &Limits::default())
    }

    #[test]
    fn every_form_of_the_bytes() {
        let forms = [
            json!("AACAPw=="),
            json!("AACAPw"),
            json!("AACA\nPw=="),
            json!([0, 0, 128, 63]),
            json!({"0": 0, "1": 0, "2": 128, "3": 63}),
            json!({"type": "Buffer", "data": [0, 0, 128, 63]}),
        ];
        for form in forms {
            let model = model(form).unwrap();
            assert_eq!(ModelJson::from_value(model.to_value(), &Limits::default()).unwrap(), model);
            let mut model = model;
            assert_eq!(model.take_inline().unwrap(), 1f32.to_le_bytes());
            assert_eq!(model.weights_manifest.as_ref().unwrap().groups()[0].paths, [DATA]);
        }
    }

    #[test]
    fn specs_that_are_a_text() {
        let specs = r#"[{"name": "d/bias", "shape": [1], "dtype": "float32"}]"#;
        let mut envelope = Map::new();
        envelope.insert(SPECS.to_owned(), json!(specs));
        envelope.insert(DATA.to_owned(), json!([]));
        let inline = InlineWeights::take(&mut envelope, &Limits::default()).unwrap().unwrap();
        assert_eq!((inline.manifest.specs().count(), inline.bytes.len(), envelope.len()), (1, 0, 0));
    }

    #[test]
    fn bytes_that_are_none() {
        for (data, says) in [
            (json!({}), "the bytes are missing: `JSON.stringify`"),
            (json!("%"), "expected Base64"),
            (json!([256]), "expected a byte"),
            (json!([-1]), "expected a byte"),
            (json!({"a": 1}), "found an object"),
            (json!(3), "expected Base64 or an array of bytes, found"),
        ] {
            let error = model(data).unwrap_err();
            assert_eq!((error.kind(), error.place().json.as_deref()), (Kind::Malformed, Some(DATA)), "{error}");
            assert!(error.message().contains(says), "{error}");
        }
    }

    #[test]
    fn specs_without_data_stay_as_they_are() {
        let file = json!({"modelTopology": {"class_name": "Sequential", "config": {"name": "s", "layers": []}},
                          "weightSpecs": [], "weightData": null});
        let model = ModelJson::from_value(file, &Limits::default()).unwrap();
        assert!(model.has_specs_alone() && model.weights_manifest.is_none());
    }
}
