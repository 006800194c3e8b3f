//! Command-line options of the benches.

use std::time::Duration;

/// The options of a bench.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Prints JSON instead of a table.
    pub json: bool,
    /// Also measures the models that are too large for the repository; `cargo xtask golden --large` generates them.
    pub large: bool,
    /// Time for each pair.
    pub time: Duration,
    /// Only pairs whose name contains this.
    pub filter: String,
    /// Runs everything once with small sizes, to check that it works. Set unless cargo passes `--bench`, so that
    /// `cargo test` does not measure.
    pub smoke: bool,
}

impl Options {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// An unknown option, or one without its value.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Options, String> {
        let mut options =
            Options { json: false, large: false, time: Duration::from_secs(2), filter: String::new(), smoke: true };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("`{arg}` needs a value"));
            match arg.as_str() {
                // Cargo passes this to benches, but not when it runs them as tests.
                "--bench" => options.smoke = false,
                "--json" => options.json = true,
                "--large" => options.large = true,
                "--filter" => options.filter = value()?,
                "--seconds" => {
                    let text = value()?;
                    let seconds = text.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
                    options.time = seconds.ok_or_else(|| format!("`{text}` is not a number of seconds"))?;
                }
                _ => {
                    return Err(format!(
                        "unknown option `{arg}`: expected --json, --large, --filter TEXT or --seconds S"
                    ));
                }
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::Options;
    use std::time::Duration;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_read() {
        let options = parse("--json --seconds 0.5 --filter digits --bench").unwrap();
        assert!(options.json && !options.large && !options.smoke);
        assert_eq!((options.time, options.filter.as_str()), (Duration::from_millis(500), "digits"));
        assert!(parse("").unwrap().smoke);
    }

    #[test]
    fn what_is_no_option_is_refused() {
        for line in ["--jsn", "--seconds", "--seconds x", "--seconds -1"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
