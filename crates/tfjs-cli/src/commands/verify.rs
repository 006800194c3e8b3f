//! Checks a whole model without stopping at the first error: builds it if possible, and fetches and decodes every
//! weight file.

use crate::stages::Fetched;
use tfjs::parts::io::{OpenOptions, Purpose, WeightSource, fetch_weights};
use tfjs::parts::manifest::text::shorten;
use tfjs::parts::manifest::{Findings, Limits, ModelJson, Warnings, WeightsGroup, WeightsManifest};
use tfjs::parts::topology::graph::SlotId;
use tfjs::parts::weights::Destinations;
use tfjs::{DType, Error, LoadOptions, LoadReport, Result};

/// Most files of a group that are reported as missing.
const MOST_FILES: usize = 100;

/// Reads all weights of the fetched model, which was [built](build) or not. Adds errors to the findings; if building
/// failed, these are all errors of all weight files.
pub(crate) fn verify(
    fetched: &Fetched,
    json: &ModelJson,
    options: &LoadOptions,
    built: Result<LoadReport>,
    findings: &mut Findings,
) -> Option<LoadReport> {
    if !findings.is_empty() {
        weights(fetched, json, options).into_iter().for_each(|e| findings.push(e));
        return None;
    }
    match built {
        Ok(report) => {
            // A load skips weights that no layer uses, so these are read here.
            let unread = if report.unused.is_empty() { Vec::new() } else { weights(fetched, json, options) };
            unread.into_iter().for_each(|e| findings.push(e));
            findings.is_empty().then_some(report)
        }
        Err(error) => {
            let found = weights(fetched, json, options);
            if !found.iter().any(|e| e.message() == error.message()) {
                findings.push(error);
            }
            found.into_iter().for_each(|e| findings.push(e));
            None
        }
    }
}

/// Fetches and decodes every weight, also those that no layer uses, and returns the errors.
fn weights(fetched: &Fetched, json: &ModelJson, options: &LoadOptions) -> Vec<Error> {
    let mut found = Vec::new();
    for group in json.weights_manifest.iter().flat_map(|m| m.groups()) {
        if let Err(error) = decode(fetched, group, &options.limits) {
            let unreachable = unreachable(fetched, group);
            // A group fails at its first missing file, so all missing files are listed here.
            match unreachable.is_empty() {
                true => found.push(error),
                false => found.extend(unreachable),
            }
        }
    }
    found
}

fn decode(fetched: &Fetched, group: &WeightsGroup, limits: &Limits) -> Result<()> {
    let manifest = WeightsManifest::new(vec![group.clone()], limits)?;
    let destinations = Destinations::new(&manifest.layout(limits)?, &manifest, |_, _| true)?;
    let paths = [group.paths.clone()];
    let filled =
        fetched.driver.block_on(fetch_weights(&fetched.artifacts.weights, &paths, destinations, &fetched.cx))?;
    filled.finish().map(drop)
}

/// The errors of the files of a group that cannot be opened.
fn unreachable(fetched: &Fetched, group: &WeightsGroup) -> Vec<Error> {
    let WeightSource::Files(files) = &fetched.artifacts.weights else { return Vec::new() };
    let open = |path: &String| {
        let opened = fetched.driver.block_on(files.open(path, OpenOptions::new(Purpose::Weights)));
        opened.err().map(|e| e.in_file(path))
    };
    group.paths.iter().filter_map(open).take(MOST_FILES).collect()
}

/// Builds the model, and drops it. Adds a warning for each weight with values that are not finite.
pub(crate) fn build(fetched: &Fetched, options: &LoadOptions, warnings: &mut Vec<String>) -> Result<LoadReport> {
    let model = fetched.load(options.clone())?;
    let mut odd_weights = Warnings::new();
    for (slot, (name, _)) in model.weights().iter().enumerate() {
        let odd = not_finite(&model.weights().tensor(SlotId(slot))?);
        if odd > 0 {
            odd_weights.push(format!("weight `{}` has {odd} values that are not finite", shorten(name)));
        }
    }
    warnings.extend(model.report().warnings.iter().cloned());
    warnings.extend(odd_weights.to_lines());
    Ok(model.report().clone())
}

fn not_finite(tensor: &tfjs::Tensor) -> usize {
    if tensor.dtype() != DType::F32 {
        return 0;
    }
    let values = tensor.flatten_all().and_then(|t| t.to_vec1::<f32>()).unwrap_or_default();
    values.iter().filter(|v| !v.is_finite()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs::{Device, Tensor};

    #[test]
    fn values_that_are_not_finite_are_counted() {
        let tensor = Tensor::new(&[1f32, f32::NAN, f32::INFINITY], &Device::Cpu).unwrap();
        assert_eq!(not_finite(&tensor), 2);
        assert_eq!(not_finite(&Tensor::new(&[1i64], &Device::Cpu).unwrap()), 0);
    }
}
