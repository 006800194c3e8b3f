//! Loads bytes as a tiny model and predicts: no panic, bounded time, shapes as inferred, the same
//! outputs twice, and the same outputs from both engines.

use super::pool::Pool;
use super::weights::fill;
use super::{inputs, limits, proper, split};
use std::collections::HashSet;
use tfjs::parts::candle::{BuildOptions, FileOptions, prepare};
use tfjs::parts::manifest::{DType, GroupLayout, ModelJson, TensorLayout, WeightSpec, WeightsGroup, WeightsManifest};
use tfjs::parts::topology::graph::{ModelGraph, WeightSlot};
use tfjs::parts::topology::lower::{LowerOptions, lower};
use tfjs::{
    Engine, Inputs, Kind, LayersModel, Limits, LoadOptions, LoadReport, Outputs, PredictOptions, Result, Tensor,
};

/// Largest difference of the engines, which add in different orders: relative to the value, or to `FLOOR` times the
/// largest value.
const TOLERANCE: f32 = 1e-3;
/// A fraction of the largest value; sums of large terms may be small.
const FLOOR: f32 = 0.1;

/// Checks loading and predicting. The input is a `model.json`, then a NUL and a few bytes from which weights and
/// inputs are generated. If the JSON has no manifest, one for all weights of the model is used.
///
/// The steps are those of `tfjs::load_layers_model`, without its runtime, because threads would slow fuzzing down.
///
/// # Errors
/// Those of loading and predicting.
///
/// # Panics
/// If a property does not hold.
pub fn check(data: &[u8]) -> Result<()> {
    let (text, bytes) = split(data);
    let pool = Pool::new(bytes);
    let limits = limits();
    let mut json = proper(ModelJson::from_slice(text, &limits))?;
    let def = proper(tfjs::parse(&json, &LoadOptions::new().with_limits(limits.clone())))?;
    let lowering = LowerOptions { limits: limits.clone(), ..LowerOptions::default() };
    let lowered = proper(lower(&def, &lowering))?;
    let given = json.weights_manifest.is_some();
    if !given {
        json.weights_manifest = fitting(&lowered.graph, &limits)?;
    }
    let strict = given || json.weights_manifest.is_some();
    let binding = proper(lowered.graph.bind(json.weights_manifest.as_ref(), strict))?;
    let bytes = weight_bytes(json.weights_manifest.as_ref(), &pool)?;
    let mut options = BuildOptions::default();
    options.limits = limits;
    options.threads = Some(1);
    let (prepared, mut destinations) = proper(prepare(json, def, lowered, binding, options))?;
    fill(&mut destinations, &bytes, &pool);
    let model = proper(prepared.finish(destinations, LoadReport::default()))?;
    let _ = proper(model.to_artifacts(&FileOptions::default()));
    predict(&model, &pool, !is_unstable(text))
}

/// Whether results may depend on rounding errors: the angles of nearly zero numbers, and the vectors of equal
/// eigenvalues and of singular values of zero.
fn is_unstable(text: &[u8]) -> bool {
    let words: [&[u8]; 5] = [b"angle", b"svd", b"\"eigh\"", b".eigh", b"adjointeig"];
    words.iter().any(|word| text.windows(word.len()).any(|found| found.eq_ignore_ascii_case(word)))
}

/// A manifest of the model's weights; `None` if two have the same name.
fn fitting(graph: &ModelGraph, limits: &Limits) -> Result<Option<WeightsManifest>> {
    let mut seen = HashSet::new();
    let spec = |slot: &WeightSlot| {
        let name = slot.name();
        seen.insert(name.clone()).then(|| WeightSpec::new(name, slot.decl.shape.clone(), slot.decl.dtype))
    };
    let Some(weights) = graph.slots.iter().map(spec).collect::<Option<Vec<_>>>() else { return Ok(None) };
    let groups = vec![WeightsGroup { paths: vec!["w.bin".to_owned()], weights }];
    proper(WeightsManifest::new(groups, limits)).map(Some)
}

/// The bytes of each group: numbers between -2 and 2 for float32 weights, any bytes for others.
fn weight_bytes(manifest: Option<&WeightsManifest>, pool: &Pool<'_>) -> Result<Vec<Vec<u8>>> {
    let layout = proper(manifest.map_or_else(|| Ok(TensorLayout::default()), |m| m.layout(&limits())))?;
    let groups = manifest.into_iter().flat_map(WeightsManifest::groups).zip(layout.groups());
    let bytes = |(group, laid_out): (&WeightsGroup, &GroupLayout)| {
        let mut all = Vec::new();
        for (spec, slot) in group.weights.iter().zip(&laid_out.tensors) {
            match slot.stored_bytes {
                Some(_) if spec.stored() == DType::Float32 => {
                    all.extend(pool.floats(all.len() / 4, spec.shape.elements()).flat_map(f32::to_le_bytes));
                }
                Some(bytes) => all.extend(pool.bytes(bytes as usize)),
                None => (0..spec.shape.elements()).for_each(|i| word(&mut all, pool.byte(i))),
            }
        }
        // Strings may be longer than the limits allow.
        all.truncate(laid_out.most as usize);
        all
    };
    Ok(groups.map(bytes).collect())
}

/// An element of a string tensor.
fn word(out: &mut Vec<u8>, seed: u8) {
    let length = seed % 4;
    out.extend(u32::from(length).to_le_bytes());
    out.extend((0..length).map(|i| b'a' + (seed >> i) % 4));
}

/// Predicts from a pattern, and from zeros, which are valid indices of any embedding. `stable` is whether the outputs
/// of the engines can be compared.
fn predict(model: &LayersModel, pool: &Pool<'_>, stable: bool) -> Result<()> {
    let mut result = None;
    for unknown in [6, 1] {
        let (Some(pattern), Some(zeros)) =
            (inputs::make(model, unknown, Some(*pool)), inputs::make(model, unknown, None))
        else {
            continue;
        };
        let first = on_both_engines(model, &pattern, stable);
        let second = on_both_engines(model, &zeros, stable);
        if let Ok(outputs) = &first {
            same_bits(outputs, &run(model, &pattern, Engine::Native)?);
        }
        result = match result {
            Some(Ok(())) => result,
            _ => Some(first.or(second).map(drop)),
        };
        // A layer may accept only large inputs, or only small ones.
        if model.inputs().all(|port| port.shape.dims().iter().skip(1).all(Option::is_some)) {
            break;
        }
    }
    result.unwrap_or(Ok(()))
}

fn run(model: &LayersModel, inputs: &Inputs, engine: Engine) -> Result<Outputs> {
    proper(model.predict_with(inputs.clone(), &PredictOptions::default().with_engine(engine)))
}

/// The native engine's outputs, after comparing them with those of the candle engine.
fn on_both_engines(model: &LayersModel, inputs: &Inputs, stable: bool) -> Result<Outputs> {
    match (run(model, inputs, Engine::Native), run(model, inputs, Engine::Candle)) {
        (Ok(native), Ok(candle)) => {
            shapes(model, &native);
            shapes(model, &candle);
            if stable {
                nearly_the_same(&native, &candle);
            }
            Ok(native)
        }
        (Err(native), Err(candle)) => {
            assert_eq!(native.kind(), candle.kind(), "native: {native}, candle: {candle}");
            Err(native)
        }
        // The engines do not plan the same work and memory.
        (Ok(_), Err(error)) | (Err(error), Ok(_)) if error.kind() == Kind::Limit => Err(error),
        (Ok(_), Err(error)) => panic!("only the candle engine fails: {error:?}"),
        (Err(error), Ok(_)) => panic!("only the native engine fails: {error:?}"),
    }
}

/// The shapes of the outputs are those that were inferred, where known.
fn shapes(model: &LayersModel, outputs: &Outputs) {
    assert_eq!(outputs.len(), model.outputs().count());
    for (port, name) in model.outputs().zip(outputs.names()) {
        assert_eq!(port.name, name);
        let dims = match outputs.get(name) {
            Ok(tensor) => tensor.dims().to_vec(),
            Err(_) => outputs.strings(name).expect("numbers or strings").shape().dims().to_vec(),
        };
        assert!(port.shape.admits(&dims), "output `{name}` is {dims:?}, inferred {}", port.shape);
    }
}

fn values(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor.to_dtype(tfjs::DType::F32).and_then(|t| t.flatten_all()).and_then(|t| t.to_vec1());
    flat.expect("an output is a tensor of numbers")
}

fn nearly_the_same(native: &Outputs, candle: &Outputs) {
    for ((name, a), (_, b)) in native.tensors().zip(candle.tensors()) {
        assert_eq!(a.dims(), b.dims(), "output `{name}`");
        let (a, b) = (values(a), values(b));
        if let Some(at) = first_difference(&a, &b) {
            panic!("output `{name}`: engines differ at element {at}: {a:?}, {b:?}");
        }
    }
}

/// The first element in which two results differ by more than the tolerance; a NaN is equal to NaN only.
fn first_difference(a: &[f32], b: &[f32]) -> Option<usize> {
    let scale = a.iter().chain(b).fold(1f32, |m, v| m.max(v.abs()));
    // Not compared beyond this: rounding errors are large, and sums may overflow in one order but not in another.
    if scale > 1e5 {
        return None;
    }
    a.iter().zip(b).position(|(a, b)| match (a.is_nan(), b.is_nan()) {
        (false, false) => (a - b).abs() > TOLERANCE * a.abs().max(b.abs()).max(FLOOR * scale),
        (a, b) => a != b,
    })
}

fn same_bits(first: &Outputs, second: &Outputs) {
    for ((name, a), (_, b)) in first.tensors().zip(second.tensors()) {
        let bits = |t| values(t).into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(a), bits(b), "output `{name}` differs the second time");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_that_differ_are_told() {
        assert_eq!(first_difference(&[1.0, f32::NAN], &[1.0, f32::NAN]), None);
        assert_eq!(first_difference(&[1.0, f32::NAN], &[1.0, 0.0]), Some(1));
        assert_eq!(first_difference(&[1.0, 0.0], &[1.0, f32::NAN]), Some(1));
        assert_eq!(first_difference(&[1.0, 50.0], &[1.0, 50.01]), None);
        // Relative to the element: the difference of a small one is not divided by the largest value.
        assert_eq!(first_difference(&[10.0, 1000.0], &[10.5, 1000.0]), Some(0));
        assert_eq!(first_difference(&[1.0, f32::INFINITY], &[2.0, f32::INFINITY]), None);
    }
}
