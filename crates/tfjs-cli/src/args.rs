//! The command line arguments, parsed to typed values. Opens no files.

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
    /// Describe a model: layers, shapes, producer, dtypes, sizes
    Inspect(InspectArgs),
    /// Predict, from tensors or from images
    Predict(PredictArgs),
    /// Print one stage of loading as JSON
    Dump(DumpArgs),
    /// Measure loading and predicting
    Bench(BenchArgs),
    /// List the models in a folder and its subfolders
    List(ListArgs),
    /// Copy a model: its JSON and its weight files
    Copy(FromToArgs),
    /// Move a model: copy, compare, and only then remove the original
    Move(FromToArgs),
    /// Remove models: the JSON and the weight files of each
    Remove(RemoveArgs),
}

impl Command {
    pub(crate) fn transport(&self) -> &TransportArgs {
        match self {
            Command::Inspect(args) => &args.model.transport,
            Command::Predict(args) => &args.model.transport,
            Command::Dump(args) => &args.model.transport,
            Command::Bench(args) => &args.model.transport,
            Command::List(args) => &args.transport,
            Command::Copy(args) | Command::Move(args) => &args.transport,
            Command::Remove(args) => &args.transport,
        }
    }
}

/// The model to load, and the options of the load.
#[derive(Debug, ArgsOf)]
pub(crate) struct ModelArgs {
    /// URL, path of a model.json, its folder, or an archive of the folder (.zip, .tar, .tar.gz)
    pub(crate) model: String,

    /// Load even if the model and its weights do not match
    #[arg(long, help_heading = "Loading")]
    pub(crate) no_strict: bool,

    /// Folder of the weight files, if they are not beside the model
    #[arg(long, value_name = "URL-OR-DIR", help_heading = "Loading")]
    pub(crate) weight_path_prefix: Option<String>,

    /// File with the SHA-256 sums of all the model's files, in the format of sha256sum; the load fails if a file has
    /// another sum, is not in the list, or is in the list and not in the model
    #[arg(long, value_name = "FILE", help_heading = "Loading")]
    pub(crate) checksums: Option<PathBuf>,

    /// Store remote models in this folder, and load them from there as long as they do not change (default: the folder
    /// in TFJS_CACHE_DIR, if it is set)
    #[cfg(feature = "cache")]
    #[arg(long, value_name = "DIR", help_heading = "Loading")]
    pub(crate) cache: Option<PathBuf>,

    /// Load from the cache only, without the network, as with TFJS_OFFLINE=1
    #[cfg(feature = "cache")]
    #[arg(long, help_heading = "Loading")]
    pub(crate) offline: bool,

    /// With a cache, ask the server for each weight file too, not for the JSON only: needed if models are overwritten in
    /// place
    #[cfg(feature = "cache")]
    #[arg(long, help_heading = "Loading")]
    pub(crate) check_weights: bool,

    /// Producer of the model, if the file names none or a wrong one: tfjs, keras1, keras2 or keras3
    #[arg(long, value_parser = producer, help_heading = "Loading")]
    pub(crate) producer: Option<Producer>,

    /// Threads for computation (default: all cores)
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Loading")]
    pub(crate) threads: Option<usize>,

    /// Read weights from disk at the first prediction, not before
    #[arg(long, help_heading = "Loading")]
    pub(crate) lazy: bool,

    /// Shape of an input, including the batch, with ? for open dimensions: image=?,224,224,3; may be repeated
    #[arg(long, value_name = "NAME=SHAPE", value_parser = input_shape, help_heading = "Loading")]
    pub(crate) input_shape: Vec<(String, SymShape)>,

    /// Limit on what a model may use, as in `work=5T` or `activation_bytes=8GiB`; may be repeated
    #[arg(long, value_name = "NAME=N", value_parser = limit, help_heading = "Loading")]
    pub(crate) limit: Vec<(String, u64)>,

    #[command(flatten)]
    pub(crate) transport: TransportArgs,
}

/// The device and the engine.
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

    /// Load and check every byte, build the model, and report all errors
    #[arg(long)]
    pub(crate) verify: bool,

    /// Print JSON
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

    /// Inputs: .safetensors or .json by input name, or .npy; - reads standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,

    /// Images, PNG or JPEG
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) image: Vec<PathBuf>,

    /// Write the outputs, by output name: .safetensors, .json, or .npy for a single one; - writes
    /// safetensors to standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Examples per batch
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) batch_size: Option<usize>,

    /// Print only the K best labels of each example (default for images: 5)
    #[arg(long, value_name = "K", value_parser = at_least_one)]
    pub(crate) top: Option<usize>,

    /// Values of black and white, if the model has none (default 0,1)
    #[arg(long, value_name = "LOW,HIGH", value_parser = range, allow_hyphen_values = true)]
    pub(crate) range: Option<(f32, f32)>,

    /// File with the names of the classes, one per line, in the order of the output
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

/// The stages of a load, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// The fetched model.json, and the names of its weight files
    Artifacts,
    /// Position of each weight in the files
    Layout,
    /// The model as the file defines it
    Def,
    /// The flat graph: layers, calls, values with their types, weight slots
    Graph,
    /// The primitive operations that the model computes, as text
    Program,
    /// Tensor of the file for each weight slot, and the rule that matched it
    Binding,
    /// The kernel that runs each call
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

    /// Seconds to measure predictions
    #[arg(long, value_name = "S", default_value_t = 3.0, value_parser = seconds)]
    pub(crate) seconds: f64,

    /// Print JSON
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

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ArgsOf)]
pub(crate) struct FromToArgs {
    /// URL, path of a model.json, or its folder
    pub(crate) from: String,

    /// URL, path of a .json file, or a folder, which is created if necessary
    pub(crate) to: String,

    #[command(flatten)]
    pub(crate) transport: TransportArgs,
}

#[derive(Debug, ArgsOf)]
pub(crate) struct RemoveArgs {
    /// URLs, paths of model.json files, or their folders
    #[arg(required = true)]
    pub(crate) model: Vec<String>,

    #[command(flatten)]
    pub(crate) transport: TransportArgs,
}

/// Options of the transport.
#[derive(Debug, ArgsOf)]
pub(crate) struct TransportArgs {
    /// Header for every HTTP request; may be repeated
    #[arg(long, value_name = "NAME: VALUE", value_parser = header, help_heading = "Transport")]
    pub(crate) header: Vec<(String, String)>,

    /// Also trust the certificates in this PEM file; may be repeated
    #[arg(long, value_name = "FILE", help_heading = "Transport")]
    pub(crate) ca_cert: Vec<PathBuf>,

    /// Trust the certificate authorities of this system instead of Mozilla's
    #[cfg(feature = "native-roots")]
    #[arg(long, help_heading = "Transport")]
    pub(crate) system_certs: bool,

    /// Connect to public addresses only, also for redirects
    #[arg(long, help_heading = "Transport")]
    pub(crate) public_only: bool,

    /// Tries for each file, including the first (default 5)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Transport")]
    pub(crate) tries: Option<u32>,

    /// Time limit for the whole command, as in 90s or 5m (default: none, as long as data arrives)
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, help_heading = "Transport")]
    pub(crate) timeout: Option<Duration>,
}

/// A device by name. Whether this build and machine support it is checked when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeviceName {
    Cpu,
    Cuda(usize),
    Metal(usize),
}

fn device(text: &str) -> Result<DeviceName, String> {
    let (name, index) = match text.split_once(':') {
        Some((name, index)) => (name, index.parse().map_err(|_| "expected a number after the colon")?),
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
        Some((name, value)) if is_token(name.trim()) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err("expected `Name: value`".to_owned()),
    }
}

/// Whether this can be the name of a header. Other text in front of a colon may be a secret.
fn is_token(name: &str) -> bool {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !name.is_empty() && name.chars().all(is_token)
}

/// The shape follows the last `=`, because names may contain `=`.
fn input_shape(text: &str) -> Result<(String, SymShape), String> {
    let (name, shape) = text.rsplit_once('=').ok_or("expected `name=?,224,224,3`")?;
    let shape: SymShape = shape.parse().map_err(|e: tfjs::Error| e.message().to_owned())?;
    Ok((name.to_owned(), shape))
}

/// Parses `name=8GiB`: a whole number, optionally followed by a unit based on 1000 or 1024.
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
