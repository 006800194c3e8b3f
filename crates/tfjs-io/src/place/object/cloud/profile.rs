//! Profiles of the AWS command line: `~/.aws/credentials` and `~/.aws/config`. Reads these two files only. Profiles
//! that need another program or a service are errors that name the profile.
//!
//! The format is that of the AWS SDKs' reference guide, "Shared config and credentials files": sections, keys,
//! and indented keys below a key.

use super::environment::Environment;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use tfjs_manifest::{Error, Result};

/// Keys of a profile whose credentials come from elsewhere.
const ELSEWHERE: &[&str] =
    &["credential_process", "sso_session", "sso_start_url", "source_profile", "credential_source"];

type Sections = BTreeMap<String, BTreeMap<String, String>>;

/// The keys of one profile. A nested key is named `parent.key`.
#[derive(Default)]
pub(super) struct Profile {
    name: String,
    keys: BTreeMap<String, String>,
}

impl Profile {
    /// The profile of this name; without a name, the profile in `AWS_PROFILE`, or `default`.
    pub(super) fn read(environment: &Environment, name: Option<&str>) -> Result<Profile> {
        let named = name.map(str::to_owned).or_else(|| environment.get("AWS_PROFILE"));
        let name = named.clone().unwrap_or_else(|| "default".to_owned());
        let config = read(file(environment, "AWS_CONFIG_FILE", ".aws/config"))?;
        let credentials = read(file(environment, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"))?;
        // In the config file, the heading of every profile but the default begins with `profile`.
        let headings = [format!("profile {name}"), name.clone()];
        let in_config = headings.iter().take(if name == "default" { 2 } else { 1 }).find_map(|h| config.get(h));
        let in_credentials = credentials.get(&name);
        if let (Some(name), None, None) = (&named, in_config, in_credentials) {
            return Err(Error::misuse(format!(
                "there is no AWS profile `{}` in ~/.aws/config or ~/.aws/credentials",
                name.escape_debug()
            )));
        }
        let mut keys = in_config.cloned().unwrap_or_default();
        keys.extend(in_credentials.cloned().unwrap_or_default());
        // Endpoints by service may be in a separate section.
        let services = keys.get("services").and_then(|services| config.get(&format!("services {services}")));
        if let Some(endpoint) = services.and_then(|services| services.get("s3.endpoint_url")) {
            keys.insert("s3.endpoint_url".to_owned(), endpoint.clone());
        }
        Ok(Profile { name, keys })
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.keys.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Checks that the profile's credentials do not come from another program or service.
    pub(super) fn check_credentials(&self) -> Result<()> {
        let elsewhere = ELSEWHERE.iter().find(|key| self.get(key).is_some());
        let Some(key) = elsewhere else { return Ok(()) };
        Err(Error::unsupported(format!(
            "the AWS profile `{0}` has `{key}`, which is not supported; run `aws configure export-credentials --profile \
            {0} --format env` and set the variables that it prints",
            self.name.escape_debug()
        )))
    }
}

/// The path of a file: from an environment variable, or in the home folder.
fn file(environment: &Environment, variable: &str, in_home: &str) -> Option<PathBuf> {
    let home = || environment.get(if cfg!(windows) { "USERPROFILE" } else { "HOME" });
    environment.get(variable).map(PathBuf::from).or_else(|| Some(PathBuf::from(home()?).join(in_home)))
}

/// The sections of a file; none if the file does not exist.
fn read(path: Option<PathBuf>) -> Result<Sections> {
    let Some(path) = path else { return Ok(Sections::new()) };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(parse(&text)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Sections::new()),
        Err(e) => Err(Error::misuse("cannot read the AWS profiles").in_file(path.display()).with_source(e)),
    }
}

/// Parses a file. Invalid lines are ignored, as in the AWS SDKs. Of two equal keys, the last one is used.
fn parse(text: &str) -> Sections {
    let mut sections = Sections::new();
    let mut section: Option<String> = None;
    let mut above = String::new();
    for line in text.lines() {
        let indented = line.starts_with([' ', '\t']);
        let line = without_comment(line).trim();
        if let Some(heading) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = Some(heading.split_whitespace().collect::<Vec<_>>().join(" "));
            above.clear();
            continue;
        }
        let (Some((key, value)), Some(section)) = (line.split_once('='), &section) else { continue };
        let (mut key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        if indented && !above.is_empty() {
            key = format!("{above}.{key}");
        } else {
            above.clone_from(&key);
        }
        sections.entry(section.clone()).or_default().insert(key, value.to_owned());
    }
    sections
}

/// Removes a comment, which begins a line or follows a space, because a secret may contain a `#`.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with(['#', ';']) {
        return "";
    }
    let comment = line.char_indices().find(|(at, c)| matches!(c, '#' | ';') && line[..*at].ends_with([' ', '\t']));
    comment.map_or(line, |(at, _)| &line[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    const CREDENTIALS: &str = "\
# for tests
[default]
aws_access_key_id = AKID
aws_secret_access_key=a#b;c/d=  ; a comment
[ work ]
aws_access_key_id=AKIDWORK
aws_secret_access_key = w
nonsense
";

    const CONFIG: &str = "\
[default]
region = eu-west-1
[profile work]
region=us-west-2
s3 =
    addressing_style = virtual
endpoint_url = https://all.example.com
services = mine
[services mine]
dynamodb =
  endpoint_url = https://dynamo.example.com
s3 =
  endpoint_url = https://s3.example.com
[profile  laptop]
sso_session = me
";

    fn profile(name: Option<&str>, variables: &[(&str, &str)]) -> Result<Profile> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(".aws")).unwrap();
        std::fs::write(dir.path().join(".aws/credentials"), CREDENTIALS).unwrap();
        std::fs::write(dir.path().join(".aws/config"), CONFIG).unwrap();
        let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        let home = (home.to_owned(), dir.path().display().to_string());
        let variables = variables.iter().map(|(n, v)| (n.to_string(), v.to_string()));
        Profile::read(&Environment::of(variables.chain([home])), name)
    }

    #[track_caller]
    fn check(profile: &Profile, key: &str, expected: Option<&str>) {
        assert_eq!(profile.get(key), expected, "{key}");
    }

    #[test]
    fn both_files_make_a_profile() {
        let default = profile(None, &[]).unwrap();
        check(&default, "aws_access_key_id", Some("AKID"));
        check(&default, "aws_secret_access_key", Some("a#b;c/d="));
        check(&default, "region", Some("eu-west-1"));
        let work = profile(None, &[("AWS_PROFILE", "work")]).unwrap();
        check(&work, "aws_access_key_id", Some("AKIDWORK"));
        check(&work, "s3.addressing_style", Some("virtual"));
        check(&work, "endpoint_url", Some("https://all.example.com"));
        check(&work, "s3.endpoint_url", Some("https://s3.example.com"));
        check(&profile(Some("work"), &[("AWS_PROFILE", "laptop")]).unwrap(), "region", Some("us-west-2"));
    }

    #[test]
    fn a_profile_that_is_asked_for_must_be_there() {
        let error = profile(Some("nobody"), &[]).err().unwrap();
        assert_eq!(error.kind(), Kind::Misuse);
        assert!(error.message().contains("`nobody`"), "{error}");
        let nowhere = [("AWS_CONFIG_FILE", "/nowhere/a"), ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/b")];
        check(&profile(None, &nowhere).unwrap(), "region", None);
    }

    #[test]
    fn credentials_from_elsewhere_are_refused_by_name() {
        let error = profile(Some("laptop"), &[]).unwrap().check_credentials().unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.message().contains("`sso_session`") && error.message().contains("--profile laptop"), "{error}");
    }
}
