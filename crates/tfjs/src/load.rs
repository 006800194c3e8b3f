//! Loads a model from a path or URL, in stages.

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
/// `source` is the path of a `model.json`, of its folder or of a `.zip` or `.tar` of the folder, a URL of a registered
/// scheme (such as `https://`, `file://` or `data:`), or a handler.
/// Needs a tokio runtime; [`blocking::load_layers_model`](crate::blocking::load_layers_model) creates its own.
/// Dropping the future cancels the load.
///
/// # Errors
/// Any error of the load, detected before the weights are fetched where possible. See [`Kind`](crate::Kind) for the
/// kinds of errors.
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

/// The source of the weights: the JSON itself, if it contains them, otherwise that of the handler.
pub fn weight_source(of_handler: WeightSource, in_json: Option<Vec<u8>>) -> WeightSource {
    in_json.map_or(of_handler, |bytes| WeightSource::Whole(vec![bytes.into()]))
}

/// The total length of the weight files in bytes, from the destinations, which count skipped bytes too.
fn file_bytes(filled: &mut impl WeightSink) -> u64 {
    let bytes = |group: &GroupSink<'_>| match group {
        GroupSink::Segments(segments) => segments.iter().map(Segment::len).sum(),
        GroupSink::Growing { bytes, .. } => bytes.len() as u64,
        _ => 0,
    };
    filled.groups().iter().map(bytes).sum()
}

/// Parses the JSON to layers. Detects the producer, and reports all unknown classes in one error.
///
/// # Errors
/// Those of [`tfjs_topology::parse::parse`].
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

/// The options for lowering a model.
pub fn lower_options(options: &LoadOptions) -> LowerOptions {
    let (input_shapes, limits) = (options.input_shapes.clone(), options.limits.clone());
    LowerOptions { input_shapes, limits, ..LowerOptions::default() }
}

/// Binds the names of weights to slots, before any weight file is fetched.
///
/// # Errors
/// One error with all missing, unused and mismatched weights.
pub fn bind(graph: &ModelGraph, json: &ModelJson, options: &LoadOptions) -> Result<Binding> {
    if json.has_specs_alone() && options.strict && !graph.slots.is_empty() {
        return Err(Error::mismatch(format!(
            "`weightSpecs` lists the weights, but their bytes are missing: there is no `weightData`, and no \
            `weightsManifest` with their files; if they are in a `weights.bin` beside this file, add \
            `\"weightsManifest\": [{{\"paths\": [\"weights.bin\"], \"weights\": ...}}]` with the list of `weightSpecs`, or \
            load the model untrained with {}",
            Setting::NotStrict
        ))
        .at_json("weightSpecs"));
    }
    graph.bind(json.weights_manifest.as_ref(), options.strict)
}

/// The layout of the weight groups in the manifest.
///
/// # Errors
/// [`Kind::Limit`](crate::Kind::Limit) for weights that exceed the limits.
pub fn layout(json: &ModelJson, limits: &Limits) -> Result<TensorLayout> {
    json.weights_manifest.as_ref().map_or_else(|| Ok(TensorLayout::default()), |manifest| manifest.layout(limits))
}

/// Runs work that may take a while on a blocking thread, so that it does not delay other tasks.
pub(crate) async fn off_the_worker<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return Err(Error::misuse(
            "loading and saving need a tokio runtime; call them inside one, or use the functions of `tfjs::blocking`",
        ));
    };
    match runtime.spawn_blocking(work).await {
        Ok(result) => result,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::misuse("the tokio runtime was shut down in the meantime")),
        },
    }
}

/// Measures how long each stage takes.
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
