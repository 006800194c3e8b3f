//! Looks at everything a model has, and does not stop at the first thing that is wrong: every weight file is
//! fetched and decoded group by group, and what still looks right is built.

use crate::road::{self, Fetched};
use tfjs::parts::io::{OpenOptions, Purpose, WeightSource, fetch_weights};
use tfjs::parts::manifest::text::shorten;
use tfjs::parts::manifest::{Findings, Limits, ModelJson, WeightsGroup, WeightsManifest};
use tfjs::parts::topology::graph::SlotId;
use tfjs::parts::weights::Destinations;
use tfjs::{DType, LayersModel, LoadOptions, Result};

/// Fetches and decodes every weight, whether a layer wants it or not.
pub(crate) fn weights(fetched: &Fetched, json: &ModelJson, options: &LoadOptions, findings: &mut Findings) {
    for group in json.weights_manifest.iter().flat_map(|m| m.groups()) {
        if let Err(error) = decode(fetched, group, &options.limits) {
            let unreachable = unreachable(fetched, group);
            // A group with two files missing fails at the first; its error names that file again.
            match unreachable.is_empty() {
                true => findings.push(error),
                false => unreachable.into_iter().for_each(|e| findings.push(e)),
            }
        }
    }
}

fn decode(fetched: &Fetched, group: &WeightsGroup, limits: &Limits) -> Result<()> {
    let manifest = WeightsManifest::new(vec![group.clone()], limits)?;
    let destinations = Destinations::new(&manifest.layout(limits)?, &manifest, |_, _| true)?;
    let paths = [group.paths.clone()];
    let filled = fetched.driver.block_on(fetch_weights(&fetched.weights, &paths, destinations, &fetched.cx))?;
    filled.finish().map(drop)
}

/// The files of a group that cannot be had, each with its reason.
fn unreachable(fetched: &Fetched, group: &WeightsGroup) -> Vec<tfjs::Error> {
    let WeightSource::Files(files) = &fetched.weights else { return Vec::new() };
    let open = |path: &String| {
        let opened = fetched.driver.block_on(files.open(path, OpenOptions::new(Purpose::Weights)));
        opened.err().map(|e| e.in_file(path))
    };
    group.paths.iter().filter_map(open).collect()
}

/// Builds the model; weights that are not finite are a warning each.
pub(crate) fn build(model: &str, options: &LoadOptions, warnings: &mut Vec<String>) -> Result<LayersModel> {
    let model = road::load(model, options.clone())?;
    warnings.extend(model.report().warnings.iter().cloned());
    for (slot, (name, _)) in model.weights().iter().enumerate() {
        let odd = not_finite(&model.weights().tensor(SlotId(slot))?);
        if odd > 0 {
            warnings.push(format!("weight `{}` has {odd} values that are not finite", shorten(name)));
        }
    }
    Ok(model)
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
