//! Reads bytes as a `model.json`: within the limits, laid out without gaps, written and read again.

use super::{limits, proper};
use tfjs::parts::manifest::{ModelJson, WeightsManifest};
use tfjs::{Kind, Limits, Result};

/// Checks the envelope, the weights manifest and its layout.
///
/// # Errors
/// Those of the readers.
///
/// # Panics
/// If a property does not hold.
pub fn check(data: &[u8]) -> Result<()> {
    let limits = limits();
    let json = proper(ModelJson::from_slice(data, &limits))?;
    assert!(data.len() as u64 <= limits.model_json_bytes);
    assert!(json.model_config().is_object());
    read_again(&json);
    match &json.weights_manifest {
        Some(manifest) => check_manifest(manifest, &limits),
        None => Ok(()),
    }
}

/// Writing and reading again gives the same model. JSON that is nested to the limit may exceed it inside the envelope.
fn read_again(json: &ModelJson) {
    match ModelJson::from_slice(&json.to_vec(), &Limits::unlimited()) {
        Ok(again) => assert_eq!(&again, json),
        Err(error) => assert_eq!(error.kind(), Kind::Limit, "what was written is not read: {error}"),
    }
}

/// Checks a manifest that was accepted, and its layout.
///
/// # Errors
/// Those of the layout.
///
/// # Panics
/// If a property does not hold.
pub fn check_manifest(manifest: &WeightsManifest, limits: &Limits) -> Result<()> {
    assert!(manifest.specs().count() as u64 <= limits.tensors);
    assert!(manifest.groups().iter().map(|group| group.paths.len() as u64).sum::<u64>() <= limits.files);
    for (_, _, spec) in manifest.specs() {
        assert!(spec.shape.rank() as u64 <= limits.rank);
        // Names may be repeated.
        assert!(manifest.get(&spec.name).is_some_and(|first| first.name == spec.name));
    }
    let again = WeightsManifest::from_value(&manifest.to_value(), limits);
    assert_eq!(&again.expect("a written manifest can be read"), manifest);

    let layout = proper(manifest.layout(limits))?;
    assert!(layout.value_bytes() <= limits.weight_bytes);
    for (laid_out, group) in layout.groups().iter().zip(manifest.groups()) {
        let mut end = Some(0u64);
        for (slot, spec) in laid_out.tensors.iter().zip(&group.weights) {
            assert_eq!((&slot.name, slot.offset), (&spec.name, end), "weights lie one behind the other");
            end = end.zip(slot.stored_bytes).map(|(at, bytes)| at + bytes);
        }
        assert_eq!(laid_out.total, end);
        assert!(laid_out.most >= end.unwrap_or(0) && laid_out.most <= limits.weight_bytes + limits.string_bytes);
    }
    Ok(())
}
