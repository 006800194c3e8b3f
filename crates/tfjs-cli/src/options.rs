//! Converts arguments to the facade's options.

use crate::args::{DeviceName, ModelArgs, RunArgs, TransportArgs};
use crate::clock::Clock;
use crate::local;
use std::path::Path;
use tfjs::{Checksums, Device, Error, IoOptions, LoadOptions, Result, Retry};

/// The options of a load, without device and engine. Each load sets its time limit.
pub(crate) fn load_options(args: &ModelArgs, clock: Clock) -> Result<LoadOptions> {
    let ModelArgs {
        model: _,
        no_strict,
        weight_path_prefix,
        checksums,
        #[cfg(feature = "cache")]
        cache,
        #[cfg(feature = "cache")]
        offline,
        #[cfg(feature = "cache")]
        check_weights,
        producer,
        threads,
        lazy,
        input_shape,
        limit,
        transport,
    } = args;
    let io = transport_options(transport, clock)?;
    let mut options = LoadOptions::new().with_strict(!no_strict).with_lazy(*lazy).with_io(io);
    options.producer.clone_from(producer);
    options.threads = *threads;
    if let Some(path) = checksums {
        options = options.with_checksums(read_checksums(path, clock)?);
    }
    if let Some(prefix) = weight_path_prefix {
        options = options.with_weight_path_prefix(prefix);
    }
    for (name, value) in limit {
        let mut limits = options.limits.named();
        match limits.iter_mut().find(|(known, _)| known == name) {
            Some((_, limit)) => **limit = *value,
            None => {
                let known: Vec<String> = limits.iter().map(|(name, _)| format!("`{name}`")).collect();
                let known = known.join(", ");
                return Err(Error::misuse(format!("--limit: there is no limit `{name}`; there are {known}")));
            }
        }
    }
    for (name, shape) in input_shape {
        options.input_shapes.insert(name.clone(), shape.clone());
    }
    #[cfg(feature = "cache")]
    if let Some(cache) = open_cache(cache.as_deref(), *offline)? {
        options = options.with_cache(cache.with_check_weights(*check_weights));
    }
    Ok(options)
}

/// The options of the transport, without the time limit.
pub(crate) fn transport_options(args: &TransportArgs, clock: Clock) -> Result<IoOptions> {
    let TransportArgs {
        header,
        ca_cert,
        #[cfg(feature = "native-roots")]
        system_certs,
        public_only,
        tries,
        timeout: _,
    } = args;
    let mut options = IoOptions::default().with_public_only(*public_only);
    for (name, value) in header {
        options = options.with_header(name, value);
    }
    for path in ca_cert {
        options = options.with_root_certificate(local::read_text(path, clock)?);
    }
    #[cfg(feature = "native-roots")]
    if *system_certs {
        options = options.with_roots(tfjs::parts::io::Roots::System);
    }
    if let Some(tries) = tries {
        options = options.with_retry(Retry::default().with_tries(*tries));
    }
    Ok(options)
}

/// Reads a file of checksums; every file of the model must have one.
fn read_checksums(path: &Path, clock: Clock) -> Result<Checksums> {
    let text = String::from_utf8(local::read_text(path, clock)?)
        .map_err(|e| Error::malformed("expected text in the format of `sha256sum`").with_source(e));
    text.and_then(|text| Checksums::parse(&text))
        .map(|sums| sums.with_strict(true))
        .map_err(|e| e.in_file(local::shown(path)))
}

/// The cache from the arguments or from the environment.
#[cfg(feature = "cache")]
fn open_cache(folder: Option<&Path>, offline: bool) -> Result<Option<tfjs::Cache>> {
    let cache = match folder {
        Some(folder) => Some(tfjs::Cache::new(folder)),
        None if offline => Some(tfjs::Cache::new(tfjs::Cache::default_folder()?)),
        None => tfjs::Cache::from_env()?,
    };
    Ok(cache.map(|cache| if offline { cache.with_offline(true) } else { cache }))
}

/// The options of a load, including device and engine.
pub(crate) fn run_options(model: &ModelArgs, run: &RunArgs, clock: Clock) -> Result<LoadOptions> {
    let RunArgs { device, engine } = run;
    let mut options = load_options(model, clock)?;
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
            "--public-only",
            "--tries",
            "2",
            "--timeout",
            "1m 30s",
        ]);
        let command = args.unwrap().command;
        assert_eq!(command.transport().timeout, Some(std::time::Duration::from_secs(90)));
        let Command::Inspect(args) = command else { panic!("not inspect") };
        let options = load_options(&args.model, Clock::default()).unwrap();
        assert!(!options.strict);
        assert_eq!(options.threads, Some(3));
        assert!(options.lazy);
        assert_eq!(options.producer.unwrap().to_string(), "Keras 2");
        assert_eq!(options.io.weight_path_prefix.as_deref(), Some("w/"));
        assert_eq!(options.io.headers.len(), 2);
        assert!(options.io.public_only);
        assert_eq!(options.io.retry.tries, 2);
        assert_eq!(options.input_shapes["x"].to_string(), "[?,4]");
    }

    #[test]
    #[cfg(feature = "cache")]
    fn the_cache_is_in_the_folder_that_was_named() {
        let cache = |args: &[&str]| {
            let args = Args::try_parse_from([&["tfjs", "dump", "m", "--stage", "def"], args].concat()).unwrap();
            let Command::Dump(args) = args.command else { panic!("not dump") };
            load_options(&args.model, Clock::default()).unwrap().io.cache.unwrap()
        };
        assert_eq!(cache(&["--cache", "c"]).folder(), Path::new("c"));
        let offline = cache(&["--offline", "--cache", "c"]);
        assert!(offline.is_offline() && offline.folder() == Path::new("c"));
        assert!(cache(&["--offline"]).is_offline());
        let checks = cache(&["--cache", "c", "--check-weights"]);
        assert!(format!("{checks:?}").contains("check_weights: true"), "{checks:?}");
    }

    #[test]
    #[cfg(not(any(feature = "cuda", feature = "metal")))]
    fn a_device_this_build_lacks_is_named() {
        let error = open_device(DeviceName::Cuda(0)).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.message().contains("`cuda`"), "{error}");
    }
}
