//! The road from a path or URL to a model: one line a stage.

use crate::options::LoadOptions;
use crate::source::Source;
use std::time::Instant;
use tfjs_candle::{LayersModel, LoadReport, Prepared, prepare, prepare_lazy};
use tfjs_io::{IoCx, WeightSource, fetch_weights, load_artifacts, open_weights};
use tfjs_manifest::{
    Error, GroupSink, Limits, ModelJson, Result, Segment, Setting, TensorLayout, Warnings, WeightSink,
};
use tfjs_topology::bind::Binding;
use tfjs_topology::def::ModelDef;
use tfjs_topology::graph::ModelGraph;
use tfjs_topology::lower::{LowerOptions, lower};
use tfjs_topology::producer::Producer;

/// Loads a model: TensorFlow.js's `tf.loadLayersModel`.
///
/// `source` is the path of a `model.json`, of its folder or of a `.zip` or `.tar` of that, an `http(s)://`, `file://` or
/// `data:` URL, or a handler.
/// Needs a tokio runtime; [`blocking::load_layers_model`](crate::blocking::load_layers_model) brings its own.
/// Dropping the future cancels the load.
///
/// # Errors
/// Everything that is wrong, before a byte of the weights is fetched where that is possible; see
/// [`Kind`](crate::Kind) for whose fault it is.
pub async fn load_layers_model(source: impl Into<Source>, options: LoadOptions) -> Result<LayersModel> {
    let source = source.into();
    let cx = IoCx::with_registry(options.io_options(), options.registry.clone());
    let mut clock = Clock::start();
    let artifacts = load_artifacts(&*source.resolve(&options.registry)?, &cx).await?;
    clock.lap("model.json");

    let location = artifacts.location.clone();
    let in_file = |e: Error| e.in_file(&location);
    let model_json = artifacts.model_json.clone();
    let stage = options.clone();
    let (prepared, destinations, layout, groups, inline) = off_the_worker(move || {
        let mut json = ModelJson::from_slice(&model_json, &stage.limits)?;
        let inline = json.take_inline();
        let def = parse(&json, &stage)?;
        let model = lower(&def, &lower_options(&stage))?;
        let binding = bind(&model.graph, &json, &stage)?;
        let layout = layout(&json, &stage.limits)?;
        let groups: Vec<Vec<String>> =
            json.weights_manifest.iter().flat_map(|m| m.groups()).map(|group| group.paths.clone()).collect();
        let build = stage.build_options();
        let (prepared, destinations) = match stage.lazy {
            true => (prepare_lazy(json, def, model, binding, build)?, None),
            false => {
                let (prepared, destinations) = prepare(json, def, model, binding, build)?;
                (prepared, Some(destinations))
            }
        };
        Ok((prepared, destinations, layout, groups, inline))
    })
    .await
    .map_err(in_file)?;
    clock.lap("resolve");
    let weights = weight_source(artifacts.weights, inline);

    let mut report = LoadReport::default();
    report.location.clone_from(&location);
    report.model_json_bytes = artifacts.model_json.len() as u64;
    report.files = groups.iter().map(Vec::len).sum();
    let finish: Box<dyn FnOnce(Prepared, LoadReport) -> Result<LayersModel> + Send> = match destinations {
        Some(destinations) => {
            let mut filled = fetch_weights(&weights, &groups, destinations, &cx).await?;
            report.weight_file_bytes = file_bytes(&mut filled);
            Box::new(|prepared, report| prepared.finish(filled, report))
        }
        None => {
            let reader = open_weights(&weights, &groups, &layout, &cx).await?;
            report.weight_file_bytes = layout.total().unwrap_or(0);
            Box::new(|prepared, report| prepared.finish_lazy(reader, report))
        }
    };
    let mut noticed = Warnings::new();
    cx.take_warnings().iter().for_each(|warning| noticed.push(warning));
    report.warnings.extend(noticed.to_lines());
    clock.lap("weights");

    report.times = clock.laps();
    let started = Instant::now();
    off_the_worker(move || {
        let mut model = finish(prepared, report)?;
        model.note_time("build", started.elapsed());
        Ok(model)
    })
    .await
    .map_err(in_file)
}

/// Where the weights can be had: in the JSON itself, if it holds them, otherwise where its handler says.
pub fn weight_source(of_handler: WeightSource, in_json: Option<Vec<u8>>) -> WeightSource {
    in_json.map_or(of_handler, |bytes| WeightSource::Whole(vec![bytes.into()]))
}

/// Bytes of the weight files: every one was filled in or skipped.
fn file_bytes(filled: &mut impl WeightSink) -> u64 {
    let bytes = |group: &GroupSink<'_>| match group {
        GroupSink::Segments(segments) => segments.iter().map(Segment::len).sum(),
        GroupSink::Growing { bytes, .. } => bytes.len() as u64,
        _ => 0,
    };
    filled.groups().iter().map(bytes).sum()
}

/// JSON to layers: the producer is detected, every unknown class reported at once.
///
/// # Errors
/// What [`tfjs_topology::parse::parse`] refuses.
pub fn parse(json: &ModelJson, options: &LoadOptions) -> Result<ModelDef> {
    let detected = Producer::detect(json.keras_version(), json.generated_by.as_deref(), json.topology());
    let producer = match &options.producer {
        Some(given) => Producer { backend: given.backend.or(detected.backend), ..given.clone() },
        None => detected,
    };
    let mut def =
        tfjs_topology::parse::parse(json.model_config(), producer, options.custom_layers.defs(), &options.limits)?;
    def.warnings.extend(&json.warnings());
    Ok(def)
}

/// What a model is lowered with.
pub fn lower_options(options: &LoadOptions) -> LowerOptions {
    let (input_shapes, limits) = (options.input_shapes.clone(), options.limits.clone());
    LowerOptions { input_shapes, limits, ..LowerOptions::default() }
}

/// Names to slots, before any weight file is fetched.
///
/// # Errors
/// Every missing, unused and mismatched weight at once.
pub fn bind(graph: &ModelGraph, json: &ModelJson, options: &LoadOptions) -> Result<Binding> {
    if json.has_specs_alone() && options.strict && !graph.slots.is_empty() {
        return Err(Error::mismatch(format!(
            "`weightSpecs` says which weights there are, but neither `weightsManifest` nor `weightData` says where their \
             bytes are, perhaps in a `weights.bin` beside this file: write \
             `\"weightsManifest\": [{{\"paths\": [\"weights.bin\"], \"weights\": ...}}]` with what `weightSpecs` has, or \
             load it untrained with {}",
            Setting::NotStrict
        ))
        .at_json("weightSpecs"));
    }
    graph.bind(json.weights_manifest.as_ref(), options.strict)
}

/// The layout of the weight groups, as the manifest gives it.
///
/// # Errors
/// [`Kind::Limit`](crate::Kind::Limit) for weights past the budget.
pub fn layout(json: &ModelJson, limits: &Limits) -> Result<TensorLayout> {
    json.weights_manifest.as_ref().map_or_else(|| Ok(TensorLayout::default()), |manifest| manifest.layout(limits))
}

/// Runs what may take a while where it holds up nobody else's tasks.
pub(crate) async fn off_the_worker<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return Err(Error::misuse(
            "loading and saving need a tokio runtime; call them inside one, or those of `tfjs::blocking`",
        ));
    };
    match runtime.spawn_blocking(work).await {
        Ok(result) => result,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::misuse("the tokio runtime was shut down meanwhile")),
        },
    }
}

/// How long each stage took.
struct Clock {
    last: Instant,
    laps: Vec<(&'static str, std::time::Duration)>,
}

impl Clock {
    fn start() -> Self {
        Clock { last: Instant::now(), laps: Vec::new() }
    }

    fn lap(&mut self, stage: &'static str) {
        let now = Instant::now();
        self.laps.push((stage, now - self.last));
        self.last = now;
    }

    fn laps(self) -> Vec<(&'static str, std::time::Duration)> {
        self.laps
    }
}
