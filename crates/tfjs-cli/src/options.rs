//! From arguments to the facade's options.

use crate::args::{DeviceName, ModelArgs, RunArgs};
use tfjs::{Device, Error, LoadOptions, Result};

/// How to load, without saying where to run.
pub(crate) fn load_options(args: &ModelArgs) -> LoadOptions {
    let ModelArgs { model: _, no_strict, weight_path_prefix, header, producer, threads, lazy, input_shape } = args;
    let mut options = LoadOptions::new().with_strict(!no_strict).with_lazy(*lazy);
    options.producer.clone_from(producer);
    options.threads = *threads;
    for (name, value) in header {
        options = options.with_header(name, value);
    }
    if let Some(prefix) = weight_path_prefix {
        options = options.with_weight_path_prefix(prefix);
    }
    for (name, shape) in input_shape {
        options.input_shapes.insert(name.clone(), shape.clone());
    }
    options
}

/// How to load and where to run.
pub(crate) fn run_options(model: &ModelArgs, run: &RunArgs) -> Result<LoadOptions> {
    let RunArgs { device, engine } = run;
    let mut options = load_options(model);
    options.device = Some(open_device(*device)?);
    options.engine = *engine;
    Ok(options)
}

fn open_device(name: DeviceName) -> Result<Device> {
    let (what, device) = match name {
        DeviceName::Cpu => return Ok(Device::Cpu),
        DeviceName::Cuda(index) => ("cuda", Device::new_cuda(index)),
        DeviceName::Metal(index) => ("metal", Device::new_metal(index)),
    };
    device.map_err(|e| {
        let message = format!("the device `{what}` cannot be used; is this a build with the feature `{what}`?");
        Error::unsupported(message).with_source(e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Args, Command};
    use clap::Parser;
    use tfjs::Kind;

    #[test]
    fn every_loading_option_arrives() {
        let args = Args::try_parse_from([
            "tfjs",
            "inspect",
            "m",
            "--no-strict",
            "--weight-path-prefix",
            "w/",
            "--header",
            "A: b",
            "--header",
            "C: d",
            "--producer",
            "keras2",
            "--threads",
            "3",
            "--lazy",
            "--input-shape",
            "x=?,4",
        ]);
        let Command::Inspect(args) = args.unwrap().command else { panic!("not inspect") };
        let options = load_options(&args.model);
        assert!(!options.strict);
        assert_eq!(options.threads, Some(3));
        assert!(options.lazy);
        assert_eq!(options.producer.unwrap().to_string(), "Keras 2");
        assert_eq!(options.io.weight_path_prefix.as_deref(), Some("w/"));
        assert_eq!(options.io.headers.len(), 2);
        assert_eq!(options.input_shapes["x"].to_string(), "[?,4]");
    }

    #[test]
    #[cfg(not(any(feature = "cuda", feature = "metal")))]
    fn a_device_this_build_lacks_is_named() {
        let error = open_device(DeviceName::Cuda(0)).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.message().contains("`cuda`"), "{error}");
    }
}
