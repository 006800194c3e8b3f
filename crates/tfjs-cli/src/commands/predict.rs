//! `tfjs predict`: predicts from tensors or images, and writes tensors, JSON or ranked labels.

use crate::args::PredictArgs;
use crate::chart;
use crate::clock::Clock;
use crate::failure::{Failure, print_warning};
use crate::image::{self, Target};
use crate::labels::{self, Picture};
use crate::local;
use crate::options::run_options;
use crate::shown::{self, Out};
use crate::stages;
use crate::tensors::{self, Data, Output};
use std::io::Write;
use std::path::Path;
use tfjs::layer::CandleResultExt;
use tfjs::{DType, Error, Inputs, LayersModel, LoadOptions, PredictOptions, Result, Tensor};

/// Default number of labels printed for each image.
const TOP: usize = 5;

pub(crate) fn run(args: &PredictArgs, clock: Clock, out: &mut Out<'_>, err: &mut dyn Write) -> Result<(), Failure> {
    args.output.as_deref().map(tensors::check_output).transpose()?;
    let options = run_options(&args.model, &args.run, clock)?;
    let model = stages::load(&args.model.model, options.clone(), clock)?;
    for warning in &model.report().warnings {
        print_warning(warning, err)?;
    }
    match &args.input {
        Some(input) => of_tensors(args, &model, input, clock, out, err),
        None => of_pictures(args, &model, &options, clock, out, err),
    }
}

fn of_tensors(
    args: &PredictArgs,
    model: &LayersModel,
    input: &Path,
    clock: Clock,
    out: &mut Out<'_>,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let inputs = tensors::read_inputs(input, model, clock)?;
    let outputs = predict(model, inputs, args.batch_size, clock)?;
    if let Some(path) = &args.output {
        tensors::write_outputs(path, &outputs, clock, out)?;
    }
    if let Some(top) = args.top {
        let labels = match &args.labels {
            Some(path) => Some(labels::of_file(path, clock)?),
            None => Picture::of_metadata(model.metadata())?.labels,
        };
        let names = |i: usize| format!("example {i}");
        return rank(&outputs, &Ranking { labels, top, labels_given: args.labels.is_some() }, &names, clock, out, err);
    }
    if args.output.is_none() {
        tensors::write_json(&outputs, clock, out)?;
    }
    Ok(())
}

fn of_pictures(
    args: &PredictArgs,
    model: &LayersModel,
    options: &LoadOptions,
    clock: Clock,
    out: &mut Out<'_>,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let picture = picture(args, model, options, clock, err)?;
    let ports: Vec<_> = model.inputs().collect();
    let [port] = &ports[..] else {
        let message = format!("images need a model with one input, this one has {}; use `--input`", ports.len());
        return Err(Error::mismatch(message).into());
    };
    let target = Target::of(port, &picture)?;
    let range = match picture.range {
        Some(range) => range,
        None if target.whole_numbers() => (0.0, 255.0),
        None => {
            let message = "the model does not say which pixel values it was trained with: black is 0 and white is 1; \
                           `--range=-1,1` or `--range=0,255` sets others";
            print_warning(message, err)?;
            (0.0, 1.0)
        }
    };
    let together = target.together(args.batch_size, args.image.len())?;
    let ranking =
        Ranking { labels: picture.labels.clone(), top: args.top.unwrap_or(TOP), labels_given: args.labels.is_some() };

    let to_standard_output = args.output.as_deref().is_some_and(local::is_standard);
    let mut kept = Vec::new();
    for paths in args.image.chunks(together) {
        let tensors = paths.iter().map(|path| read_picture(path, &target, &picture, range, clock));
        let tensors = tensors.collect::<Result<Vec<Tensor>>>()?;
        let outputs = predict(model, Tensor::cat(&tensors, 0).or_error()?, None, clock)?;
        if !to_standard_output {
            let names = |i: usize| paths.get(i).map(|p| p.display().to_string()).unwrap_or_default();
            rank(&outputs, &ranking, &names, clock, out, err)?;
        }
        if args.output.is_some() {
            kept.push(outputs);
        }
    }
    if let Some(path) = &args.output {
        tensors::write_outputs(path, &tensors::join(kept)?, clock, out)?;
    }
    Ok(())
}

fn read_picture(path: &Path, target: &Target, picture: &Picture, range: (f32, f32), clock: Clock) -> Result<Tensor> {
    let encoded = local::read(path, image::MOST_BYTES, clock)?;
    image::tensor(&encoded, target, picture, range).map_err(|e| e.in_file(local::shown(path)))
}

/// The settings for images, from the command line, the model and its folder, in this order of priority.
fn picture(
    args: &PredictArgs,
    model: &LayersModel,
    options: &LoadOptions,
    clock: Clock,
    err: &mut dyn Write,
) -> Result<Picture, Failure> {
    let said = Picture {
        range: args.range,
        labels: args.labels.as_deref().map(|path| labels::of_file(path, clock)).transpose()?,
        ..Picture::default()
    };
    let picture = match (&said.range, &said.labels) {
        (Some(_), Some(_)) => said,
        _ => said.or(Picture::of_metadata(model.metadata()).map_err(|e| e.in_file(&model.report().location))?),
    };
    match (&picture.range, &picture.labels) {
        (Some(_), Some(_)) => Ok(picture),
        _ => Ok(picture.or(labels::beside(&args.model.model, &model.report().location, options, clock, err)?)),
    }
}

fn predict(
    model: &LayersModel,
    inputs: impl Into<Inputs>,
    batch_size: Option<usize>,
    clock: Clock,
) -> Result<Vec<Output>> {
    let mut options = PredictOptions::default();
    (options.batch_size, options.deadline) = (batch_size, clock.end());
    let outputs = model.predict_with(inputs, &options)?;
    tensors::outputs(model, &outputs)
}

/// The options for ranking outputs.
struct Ranking {
    labels: Option<Vec<String>>,
    top: usize,
    /// Whether the caller gave the labels; then a wrong number of labels is an error.
    labels_given: bool,
}

/// Prints a chart for each example whose output is a row of numbers, and JSON for any other output.
fn rank(
    outputs: &[Output],
    ranking: &Ranking,
    name: &dyn Fn(usize) -> String,
    clock: Clock,
    out: &mut Out<'_>,
    err: &mut dyn Write,
) -> Result<(), Failure> {
    let examples = outputs.iter().filter_map(|output| Some(rows(output)?.dim(0).unwrap_or(0))).max().unwrap_or(0);
    let mut labels = Vec::with_capacity(outputs.len());
    for output in outputs {
        labels.push(fitting(ranking, output, outputs.len() > 1, err)?);
    }
    for example in 0..examples {
        writeln!(out.text(), "{}", shown::line(&name(example)))?;
        for (output, labels) in outputs.iter().zip(&labels) {
            let Some(row) = row(output, example)? else { continue };
            if outputs.len() > 1 {
                writeln!(out.text(), " {}", shown::line(&output.name))?;
            }
            chart::draw(&row, *labels, ranking.top, &mut out.text())?;
        }
    }
    let others: Vec<Output> = outputs.iter().filter(|output| rows(output).is_none()).cloned().collect();
    if !others.is_empty() {
        tensors::write_json(&others, clock, out)?;
    }
    Ok(())
}

/// The values of an output of shape `[batch, classes]`.
fn rows(output: &Output) -> Option<&Tensor> {
    match &output.data {
        Data::Numbers(tensor) if tensor.rank() == 2 => Some(tensor),
        _ => None,
    }
}

/// The row of one example; `None` if the output has no rows, or fewer.
fn row(output: &Output, example: usize) -> Result<Option<Vec<f32>>> {
    match rows(output) {
        Some(rows) if example < rows.dim(0).or_error()? => rows
            .get(example)
            .and_then(|row| row.to_dtype(DType::F32))
            .and_then(|row| row.to_vec1())
            .or_error()
            .map(Some),
        _ => Ok(None),
    }
}

/// The labels, if there is one for each class; wrong names would be worse than numbers.
fn fitting<'a>(
    ranking: &'a Ranking,
    output: &Output,
    one_of_several: bool,
    err: &mut dyn Write,
) -> Result<Option<&'a [String]>, Failure> {
    let (Some(labels), Some(&[examples, classes])) = (&ranking.labels, rows(output).map(Tensor::dims)) else {
        return Ok(None);
    };
    if examples == 0 {
        return Ok(None);
    }
    if labels.len() == classes {
        return Ok(Some(labels));
    }
    let message = format!("there are {} labels, the output has {classes} classes", labels.len());
    if ranking.labels_given && !one_of_several {
        return Err(Error::mismatch(message).at_value(&output.name).into());
    }
    if !one_of_several {
        print_warning(&format!("{message}; classes are named by number"), err)?;
    }
    Ok(None)
}
