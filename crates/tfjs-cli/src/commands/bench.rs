//! `tfjs bench`: measures the wall-clock time of loading and predicting in this process, with generated inputs.

use crate::args::BenchArgs;
use crate::failure::Failure;
use crate::local;
use crate::options::run_options;
use crate::shown::Out;
use crate::stages;
use serde_json::json;
use std::io::Write;
use std::time::{Duration, Instant};
use tfjs::layer::CandleResultExt;
use tfjs::parts::manifest::Shape;
use tfjs::{Device, Error, Input, Inputs, LayersModel, Port, Result, Tensor, ValueType};

/// Minimum and maximum number of loads.
const LOADS: (usize, usize) = (3, 20);
/// Minimum number of predictions.
const RUNS: usize = 3;

pub(crate) fn run(args: &BenchArgs, out: &mut Out<'_>) -> Result<(), Failure> {
    let out = &mut out.text();
    let budget = Duration::from_secs_f64(args.seconds);
    let (model, load) = measure_loads(args, budget)?;
    let inputs = inputs(&model, args.batch_size)?;

    let started = Instant::now();
    model.predict(inputs.clone())?;
    let first = started.elapsed();
    let predict = measure_predictions(&model, &inputs, budget)?;

    let threads = args.model.threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from));
    let peak = local::peak_rss_bytes();
    let engine = model.engine().name();
    if args.json {
        let answer = json!({
            "load_ms": {"min": load.min, "median": load.median},
            "first_predict_ms": milliseconds(first),
            "predict_ms": {"min": predict.min, "median": predict.median, "runs": predict.runs},
            "peak_rss_bytes": peak,
            "threads": threads,
            "engine": engine,
        });
        writeln!(out, "{answer:#}")?;
        return Ok(());
    }
    writeln!(out, "load           {:10.3} ms  (median {:.3}, {} runs)", load.min, load.median, load.runs)?;
    writeln!(out, "first predict  {:10.3} ms", milliseconds(first))?;
    writeln!(out, "predict        {:10.3} ms  (median {:.3}, {} runs)", predict.min, predict.median, predict.runs)?;
    if let Some(peak) = peak {
        writeln!(out, "peak memory    {:10.1} MB", peak as f64 / 1e6)?;
    }
    let threads = threads.map_or_else(|| "unknown".to_owned(), |n| n.to_string());
    writeln!(out, "batch {}, threads {threads}, engine {engine}", args.batch_size)?;
    Ok(())
}

fn measure_loads(args: &BenchArgs, budget: Duration) -> Result<(LayersModel, Times)> {
    let options = run_options(&args.model, &args.run)?;
    let (least, most) = LOADS;
    let (begun, mut times, mut model) = (Instant::now(), Vec::new(), None);
    while times.len() < least || (times.len() < most && begun.elapsed() < budget / 2) {
        // The previous model is dropped first, because two at once would double the peak memory.
        drop(model.take());
        let started = Instant::now();
        model = Some(stages::load(&args.model.model, options.clone())?);
        times.push(started.elapsed());
    }
    let model = model.ok_or_else(|| Error::bug("no model was loaded"))?;
    Ok((model, Times::of(times)))
}

fn measure_predictions(model: &LayersModel, inputs: &Inputs, budget: Duration) -> Result<Times> {
    let (begun, mut times) = (Instant::now(), Vec::new());
    while times.len() < RUNS || begun.elapsed() < budget {
        let started = Instant::now();
        model.predict(inputs.clone())?;
        times.push(started.elapsed());
    }
    Ok(Times::of(times))
}

/// Times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Times {
    min: f64,
    median: f64,
    runs: usize,
}

impl Times {
    fn of(times: Vec<Duration>) -> Times {
        let mut times: Vec<f64> = times.into_iter().map(milliseconds).collect();
        times.sort_by(f64::total_cmp);
        let (runs, at) = (times.len(), |i: usize| times.get(i).copied().unwrap_or(0.0));
        let median = if runs % 2 == 0 { (at((runs / 2).saturating_sub(1)) + at(runs / 2)) / 2.0 } else { at(runs / 2) };
        Times { min: at(0), median, runs }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Generates the model's inputs: floats from 0 to 1 without a short period, zeros for ids.
fn inputs(model: &LayersModel, batch: usize) -> Result<Inputs> {
    let made = model.inputs().map(|port| input(&port, batch).map_err(|e| e.at_value(port.name)));
    made.collect::<Result<Vec<Input>>>().map(Inputs::from)
}

fn input(port: &Port<'_>, batch: usize) -> Result<Input> {
    let mut dims = port.shape.dims().to_vec();
    if let Some(first @ None) = dims.first_mut() {
        *first = Some(batch);
    }
    let dims: Option<Vec<usize>> = dims.into_iter().collect();
    let dims = dims.ok_or_else(|| {
        let message = format!("the size of the input is unknown, found shape {}", port.shape);
        Error::misuse(format!("{message}; give it with `--input-shape {}=...`", port.name))
    })?;
    let (elements, device) = (Shape::new(&dims[..])?.elements(), &Device::Cpu);
    let tensor = match port.dtype {
        ValueType::String => return Input::strings(vec!["a"; elements], dims),
        ValueType::Int32 => Tensor::from_vec(vec![0i32; elements], dims, device),
        ValueType::Int64 => Tensor::from_vec(vec![0i64; elements], dims, device),
        ValueType::Bool => Tensor::from_vec(vec![1u8; elements], dims, device),
        _ => {
            let floats: Vec<f32> = (0..elements).map(|i| (i as f32 * 0.618_034).fract()).collect();
            Tensor::from_vec(floats, dims, device)
        }
    };
    tensor.or_error().map(Input::Tensor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs::{Kind, SymShape};

    #[test]
    fn medians() {
        let times = |ms: &[u64]| Times::of(ms.iter().map(|&ms| Duration::from_millis(ms)).collect());
        assert_eq!(times(&[3, 1, 2]), Times { min: 1.0, median: 2.0, runs: 3 });
        assert_eq!(times(&[4, 1, 2, 3]), Times { min: 1.0, median: 2.5, runs: 4 });
    }

    #[test]
    fn a_size_that_is_not_known_is_asked_for() {
        let shape: SymShape = "?,?,3".parse().unwrap();
        let error = input(&Port { name: "x", key: None, shape: &shape, dtype: ValueType::Float }, 1).unwrap_err();
        assert_eq!(error.kind(), Kind::Misuse);
        assert!(error.message().contains("--input-shape x="), "{error}");
    }

    #[test]
    fn the_batch_is_the_first_unknown() {
        let shape: SymShape = "?,2".parse().unwrap();
        match input(&Port { name: "x", key: None, shape: &shape, dtype: ValueType::Int32 }, 4).unwrap() {
            Input::Tensor(tensor) => assert_eq!(tensor.dims(), [4, 2]),
            other => panic!("expected a tensor, found {other:?}"),
        }
    }
}
