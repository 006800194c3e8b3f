//! `tfjs bench`: measures the wall-clock time of loading and predicting in this process, with generated inputs.

use crate::args::BenchArgs;
use crate::clock::Clock;
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
use tfjs::{Device, Error, Input, Inputs, LayersModel, Port, PredictOptions, Result, Tensor, ValueType};

/// Minimum and maximum number of loads.
const LOADS: (usize, usize) = (3, 20);
/// Minimum number of predictions.
const RUNS: usize = 3;
/// Most times that are kept for the median.
const KEPT: usize = 1 << 16;

pub(crate) fn run(args: &BenchArgs, clock: Clock, out: &mut Out<'_>) -> Result<(), Failure> {
    let out = &mut out.text();
    let budget = Duration::from_secs_f64(args.seconds);
    let (model, load) = measure_loads(args, clock, budget)?;
    let inputs = inputs(&model, args.batch_size)?;

    let started = Instant::now();
    predict(&model, &inputs, clock)?;
    let first = started.elapsed();
    let predict = measure_predictions(&model, &inputs, clock, budget)?;

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

fn measure_loads(args: &BenchArgs, clock: Clock, budget: Duration) -> Result<(LayersModel, Summary)> {
    let options = run_options(&args.model, &args.run, clock)?;
    let (least, most) = LOADS;
    let (begun, mut times, mut model) = (Instant::now(), Times::default(), None);
    while times.runs < least || (times.runs < most && begun.elapsed() < budget / 2) {
        // The previous model is dropped first, because two at once would double the peak memory.
        drop(model.take());
        let started = Instant::now();
        model = Some(stages::load(&args.model.model, options.clone(), clock)?);
        times.push(started.elapsed());
    }
    let model = model.ok_or_else(|| Error::bug("no model was loaded"))?;
    Ok((model, times.summary()))
}

fn measure_predictions(model: &LayersModel, inputs: &Inputs, clock: Clock, budget: Duration) -> Result<Summary> {
    let (begun, mut times) = (Instant::now(), Times::default());
    while times.runs < RUNS || begun.elapsed() < budget {
        let started = Instant::now();
        predict(model, inputs, clock)?;
        times.push(started.elapsed());
    }
    Ok(times.summary())
}

fn predict(model: &LayersModel, inputs: &Inputs, clock: Clock) -> Result<()> {
    let mut options = PredictOptions::default();
    options.deadline = clock.end();
    model.predict_with(inputs.clone(), &options).map(drop)
}

/// The times of runs in milliseconds: all of them, or of many runs every second one, fourth one, and so on.
#[derive(Debug, Default)]
struct Times {
    kept: Vec<f64>,
    /// Every run whose number is a multiple of two to this power is kept.
    halvings: u32,
    min: Option<f64>,
    runs: usize,
}

/// Times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Summary {
    min: f64,
    median: f64,
    runs: usize,
}

impl Times {
    fn push(&mut self, time: Duration) {
        let time = milliseconds(time);
        self.min = Some(self.min.map_or(time, |min| min.min(time)));
        if self.runs.trailing_zeros() >= self.halvings {
            self.kept.push(time);
        }
        self.runs += 1;
        if self.kept.len() >= KEPT {
            let mut number = 0;
            self.kept.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.halvings += 1;
        }
    }

    fn summary(mut self) -> Summary {
        self.kept.sort_by(f64::total_cmp);
        let (kept, at) = (self.kept.len(), |i: usize| self.kept.get(i).copied().unwrap_or(0.0));
        let median = if kept % 2 == 0 { (at((kept / 2).saturating_sub(1)) + at(kept / 2)) / 2.0 } else { at(kept / 2) };
        Summary { min: self.min.unwrap_or(0.0), median, runs: self.runs }
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
        let times = |ms: &[u64]| {
            let mut times = Times::default();
            ms.iter().for_each(|&ms| times.push(Duration::from_millis(ms)));
            times.summary()
        };
        assert_eq!(times(&[3, 1, 2]), Summary { min: 1.0, median: 2.0, runs: 3 });
        assert_eq!(times(&[4, 1, 2, 3]), Summary { min: 1.0, median: 2.5, runs: 4 });
    }

    #[test]
    fn the_times_of_many_runs_need_no_more_memory() {
        let mut times = Times::default();
        let runs = 5 * KEPT;
        (0..runs as u64).rev().for_each(|i| times.push(Duration::from_millis(i + 1)));
        assert!(times.kept.len() < KEPT && times.kept.len() >= KEPT / 2);
        let Summary { min, median, runs: counted } = times.summary();
        assert_eq!((min, counted), (1.0, runs));
        assert!((median / runs as f64 - 0.5).abs() < 0.001, "{median}");
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
