//! What can be said on the command line. Text becomes typed values here; nothing is opened or decided.

use clap::{ArgGroup, Args as ArgsOf, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;
use tfjs::parts::topology::producer::Producer;
use tfjs::{Engine, SymShape};

/// Loads TensorFlow.js and Keras models (model.json) and predicts with them
#[derive(Debug, Parser)]
#[command(name = "tfjs", version, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what a model is: layers, shapes, producer, dtypes, sizes
    Inspect(InspectArgs),
    /// Predict, from tensors or from images
    Predict(PredictArgs),
    /// Print one stage of loading as JSON
    Dump(DumpArgs),
    /// Measure loading and predicting
    Bench(BenchArgs),
    /// Say what models there are in a folder and below it
    List(ListArgs),
    /// Copy a model: its JSON and the weight files that names
    Copy(FromToArgs),
    /// Move a model: copy, compare, and only then remove the original
    Move(FromToArgs),
    /// Remove models: each JSON, and the weight files that names
    Remove(RemoveArgs),
}

/// Which model, and how to load it.
#[derive(Debug, ArgsOf)]
pub(crate) struct ModelArgs {
    /// URL, path of a model.json, its folder, or an archive of that (.zip, .tar, .tar.gz)
    pub(crate) model: String,

    /// Load even if the model and its weights do not fit each other
    #[arg(long, help_heading = "Loading")]
    pub(crate) no_strict: bool,

    /// Where the weight files are, if not beside the model
    #[arg(long, value_name = "URL-OR-DIR", help_heading = "Loading")]
    pub(crate) weight_path_prefix: Option<String>,

    /// The SHA-256 sums that the model's files must have, as sha256sum writes them; each file in the list is there,
    /// and each file of the model is in the list
    #[arg(long, value_name = "FILE", help_heading = "Loading")]
    pub(crate) checksums: Option<PathBuf>,

    /// Keep remote models in this folder, and load them from there while they are the same; without it, the
    /// folder that TFJS_CACHE_DIR names, if any
    #[cfg(feature = "cache")]
    #[arg(long, value_name = "DIR", help_heading = "Loading")]
    pub(crate) cache: Option<PathBuf>,

    /// Use no network: load what the cache has. TFJS_OFFLINE=1 means the same
    #[cfg(feature = "cache")]
    #[arg(long, help_heading = "Loading")]
    pub(crate) offline: bool,

    /// Who wrote the model, where its own word is wrong: tfjs, keras1, keras2 or keras3
    #[arg(long, value_parser = producer, help_heading = "Loading")]
    pub(crate) producer: Option<Producer>,

    /// Threads to compute with; all cores by default
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Loading")]
    pub(crate) threads: Option<usize>,

    /// Leave weights on disk until the first prediction wants them
    #[arg(long, help_heading = "Loading")]
    pub(crate) lazy: bool,

    /// The shape of an input, batch first, ? where it may vary: image=?,224,224,3; may be repeated
    #[arg(long, value_name = "NAME=SHAPE", value_parser = input_shape, help_heading = "Loading")]
    pub(crate) input_shape: Vec<(String, SymShape)>,

    /// A limit of what a model may ask for, as in `work=5T` or `activation_bytes=8GiB`; may be repeated
    #[arg(long, value_name = "NAME=N", value_parser = limit, help_heading = "Loading")]
    pub(crate) limit: Vec<(String, u64)>,

    #[command(flatten)]
    pub(crate) transport: TransportArgs,
}

/// Where to run.
#[derive(Debug, ArgsOf)]
pub(crate) struct RunArgs {
    /// cpu, cuda:0 or metal
    #[arg(long, default_value = "cpu", value_parser = device)]
    pub(crate) device: DeviceName,

    /// native (fused kernels, CPU only) or candle (any device)
    #[arg(long, value_parser = engine)]
    pub(crate) engine: Option<Engine>,
}

#[derive(Debug, ArgsOf)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,

    /// Load and check every byte, build the model, say everything that is wrong
    #[arg(long)]
    pub(crate) verify: bool,

    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ArgsOf)]
#[command(group(ArgGroup::new("what").required(true).args(["input", "image"])))]
pub(crate) struct PredictArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) run: RunArgs,

    /// Inputs: .safetensors or .json by input name, or .npy; - reads the standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,

    /// Images, PNG or JPEG
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) image: Vec<PathBuf>,

    /// Write the outputs, by output name: .safetensors, .json, or .npy for a single one; - writes
    /// safetensors to the standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Examples at a time
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) batch_size: Option<usize>,

    /// Print only the K best labels of each example (default for images: 5)
    #[arg(long, value_name = "K", value_parser = at_least_one)]
    pub(crate) top: Option<usize>,

    /// What black and white become, if the model does not say (default 0,1)
    #[arg(long, value_name = "LOW,HIGH", value_parser = range, allow_hyphen_values = true)]
    pub(crate) range: Option<(f32, f32)>,

    /// The names of the classes, one a line, in the order of the output
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,
}

#[derive(Debug, ArgsOf)]
pub(crate) struct DumpArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,

    /// The stage
    #[arg(long)]
    pub(crate) stage: Stage,
}

/// A stage of loading, in the order of the road.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// What was fetched: the model.json, and which weight files it names
    Artifacts,
    /// Where each weight lies in the files
    Layout,
    /// The model as the file defines it
    Def,
    /// The flat graph: layers, calls, values with their types, weight slots
    Graph,
    /// What the model computes, in primitives, as text
    Program,
    /// Which tensor of the file goes into which slot, and by which rule
    Binding,
    /// What runs each call
    Plan,
}

#[derive(Debug, ArgsOf)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) run: RunArgs,

    /// Examples in a batch
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub(crate) batch_size: usize,

    /// How long to measure predictions
    #[arg(long, value_name = "S", default_value_t = 3.0, value_parser = seconds)]
    pub(crate) seconds: f64,

    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ArgsOf)]
pub(crate) struct ListArgs {
    /// URL or path of the folder
    #[arg(default_value = ".")]
    pub(crate) folder: String,

    #[command(flatten)]
    pub(crate) transport: TransportArgs,

    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ArgsOf)]
pub(crate) struct FromToArgs {
    /// URL, path of a model.json, or its folder
    pub(crate) from: String,

    /// URL, path of a .json file, or a folder, made if need be
    pub(crate) to: String,

    #[command(flatten)]
    pub(crate) transport: TransportArgs,
}

#[derive(Debug, ArgsOf)]
pub(crate) struct RemoveArgs {
    /// URLs, paths of a model.json, or its folder
    #[arg(required = true)]
    pub(crate) model: Vec<String>,

    #[command(flatten)]
    pub(crate) transport: TransportArgs,
}

/// How to reach what is far away.
#[derive(Debug, ArgsOf)]
pub(crate) struct TransportArgs {
    /// A header of every HTTP request; may be repeated
    #[arg(long, value_name = "NAME: VALUE", value_parser = header, help_heading = "Transport")]
    pub(crate) header: Vec<(String, String)>,

    /// Trust the certificates in this file too, PEM; may be repeated
    #[arg(long, value_name = "FILE", help_heading = "Transport")]
    pub(crate) ca_cert: Vec<PathBuf>,

    /// Trust whom this system trusts, in place of whom Mozilla does
    #[cfg(feature = "native-roots")]
    #[arg(long, help_heading = "Transport")]
    pub(crate) system_certs: bool,

    /// Reach public addresses only, whatever a URL says or where it redirects
    #[arg(long, help_heading = "Transport")]
    pub(crate) public_only: bool,

    /// Tries of each file, the first included (default 5)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Transport")]
    pub(crate) tries: Option<u32>,

    /// The longest that all of it may take, as in 90s or 5m (default: no end, as long as bytes come)
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, help_heading = "Transport")]
    pub(crate) timeout: Option<Duration>,
}

/// A device by name; whether this build and machine have it is found out when it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeviceName {
    Cpu,
    Cuda(usize),
    Metal(usize),
}

fn device(text: &str) -> Result<DeviceName, String> {
    let (name, index) = match text.split_once(':') {
        Some((name, index)) => (name, index.parse().map_err(|_| "expected a number behind the colon")?),
        None => (text, 0),
    };
    match (name, text.contains(':')) {
        ("cpu", false) => Ok(DeviceName::Cpu),
        ("cuda", _) => Ok(DeviceName::Cuda(index)),
        ("metal", _) => Ok(DeviceName::Metal(index)),
        _ => Err("expected `cpu`, `cuda`, `cuda:N`, `metal` or `metal:N`".to_owned()),
    }
}

fn engine(text: &str) -> Result<Engine, String> {
    Engine::from_name(text).ok_or_else(|| "expected `native` or `candle`".to_owned())
}

fn producer(text: &str) -> Result<Producer, String> {
    Producer::from_name(text).ok_or_else(|| "expected `tfjs`, `keras1`, `keras2` or `keras3`".to_owned())
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err("expected `Name: value`".to_owned()),
    }
}

/// The shape follows the last `=`: names may have some.
fn input_shape(text: &str) -> Result<(String, SymShape), String> {
    let (name, shape) = text.rsplit_once('=').ok_or("expected `name=?,224,224,3`")?;
    let shape: SymShape = shape.parse().map_err(|e: tfjs::Error| e.message().to_owned())?;
    Ok((name.to_owned(), shape))
}

/// `name=8GiB`: a whole number, with a unit of a thousand or of 1024 behind it.
fn limit(text: &str) -> Result<(String, u64), String> {
    const UNITS: [(&str, u32, u64); 8] = [
        ("KiB", 1, 1024),
        ("MiB", 2, 1024),
        ("GiB", 3, 1024),
        ("TiB", 4, 1024),
        ("K", 1, 1000),
        ("M", 2, 1000),
        ("G", 3, 1000),
        ("T", 4, 1000),
    ];
    let expected = || "expected a name and a whole number, as in `work=5T` or `activation_bytes=8GiB`".to_owned();
    let (name, value) = text.split_once('=').ok_or_else(expected)?;
    let unit = UNITS.iter().find_map(|(unit, power, base)| Some((value.strip_suffix(unit)?, base.pow(*power))));
    let (digits, factor) = unit.unwrap_or((value, 1));
    let value = digits.trim().parse::<u64>().ok().and_then(|n| n.checked_mul(factor)).ok_or_else(expected)?;
    Ok((name.to_owned(), value))
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "expected a whole number, at least 1".to_owned())
}

fn range(text: &str) -> Result<(f32, f32), String> {
    let parse = |part: &str| part.trim().parse::<f32>().ok().filter(|x| x.is_finite());
    let (low, high) = text.split_once(',').ok_or("expected `LOW,HIGH`")?;
    parse(low).zip(parse(high)).ok_or_else(|| "expected two numbers, `LOW,HIGH`".to_owned())
}

fn seconds(text: &str) -> Result<f64, String> {
    let most = 86_400.0;
    text.parse().ok().filter(|s| (0.0..=most).contains(s)).ok_or_else(|| format!("expected seconds, 0 to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn limits_have_units() {
        for (text, value) in
            [("a=12", 12), ("a=3K", 3000), ("a=2KiB", 2048), ("a=8GiB", 8 << 30), ("a=5T", 5_000_000_000_000)]
        {
            assert_eq!(limit(text), Ok(("a".to_owned(), value)));
        }
        for text in ["a", "a=", "a=-1", "a=1.5G", "a=1GB", "a=18446744073709551615K"] {
            assert!(limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn devices() {
        assert_eq!(device("cpu"), Ok(DeviceName::Cpu));
        assert_eq!(device("cuda:1"), Ok(DeviceName::Cuda(1)));
        assert_eq!(device("metal"), Ok(DeviceName::Metal(0)));
        for wrong in ["", "gpu", "cuda:x", "cpu:0", "cuda:-1"] {
            assert!(device(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ranges_may_be_negative() {
        assert_eq!(range("-1,1"), Ok((-1.0, 1.0)));
        assert_eq!(range("0, 16"), Ok((0.0, 16.0)));
        for wrong in ["1", "a,b", "0,inf", "nan,1", "0,1,2"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
        let parsed = Args::try_parse_from(["tfjs", "predict", "m", "--image", "a.png", "--range", "-1,1"]).unwrap();
        assert!(matches!(parsed.command, Command::Predict(PredictArgs { range: Some((-1.0, 1.0)), .. })));
    }

    #[test]
    fn headers_and_shapes() {
        assert_eq!(header("A: b: c").unwrap(), ("A".to_owned(), "b: c".to_owned()));
        assert!(header("no colon").is_err() && header(": x").is_err());
        let (name, shape) = input_shape("a=b=?,224,3").unwrap();
        assert_eq!((name.as_str(), shape.to_string().as_str()), ("a=b", "[?,224,3]"));
        assert!(input_shape("?,3").is_err() && input_shape("x=3,y").is_err());
    }

    #[test]
    fn inputs_or_images_but_not_both_and_not_neither() {
        let parse = |args: &[&str]| Args::try_parse_from([&["tfjs", "predict", "m"], args].concat());
        assert!(parse(&[]).is_err());
        assert!(parse(&["--input", "x", "--image", "y"]).is_err());
        assert!(parse(&["--image", "a", "b"]).is_ok());
    }
}
