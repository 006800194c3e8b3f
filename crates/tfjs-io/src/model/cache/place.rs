//! The default folder of a cache, and the environment variables.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use tfjs_manifest::{Error, Result, Setting};

/// The environment variable with the folder.
const VARIABLE: &str = "TFJS_CACHE_DIR";

/// The cache folder of this user.
pub(super) fn default_folder() -> Result<PathBuf> {
    folder(|name| env::var_os(name).filter(|value| !value.is_empty())).ok_or_else(|| {
        Error::misuse(format!(
            "no cache folder found for this user; set TFJS_CACHE_DIR, or name a folder with {}",
            Setting::Cache
        ))
    })
}

fn folder(var: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(folder) = var(VARIABLE) {
        return Some(folder.into());
    }
    let absolute = |name| var(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = if cfg!(windows) {
        absolute("LOCALAPPDATA")?
    } else if cfg!(target_vendor = "apple") {
        absolute("HOME")?.join("Library/Caches")
    } else {
        absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?
    };
    Some(caches.join("tfjs"))
}

/// Whether the environment sets the folder.
pub(super) fn is_named() -> bool {
    env::var_os(VARIABLE).is_some_and(|value| !value.is_empty())
}

/// Whether the environment asks for offline loads.
pub(super) fn offline() -> bool {
    env::var_os("TFJS_OFFLINE").is_some_and(|value| means_yes(&value.to_string_lossy()))
}

fn means_yes(value: &str) -> bool {
    !matches!(value.trim().to_ascii_lowercase().as_str(), "" | "0" | "false" | "no" | "off")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(all(unix, not(target_vendor = "apple")))]
    #[test]
    fn the_folder_of_the_platform_unless_told_otherwise() {
        let with = |vars: &[(&str, &str)]| {
            folder(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v)))
        };
        let home = ("HOME", "/me");
        assert_eq!(with(&[home]), Some("/me/.cache/tfjs".into()));
        assert_eq!(with(&[home, ("XDG_CACHE_HOME", "/c")]), Some("/c/tfjs".into()));
        // The XDG specification: relative paths are ignored.
        assert_eq!(with(&[home, ("XDG_CACHE_HOME", "c")]), Some("/me/.cache/tfjs".into()));
        assert_eq!(with(&[home, ("TFJS_CACHE_DIR", "c")]), Some("c".into()));
        assert_eq!(with(&[]), None);
    }

    #[test]
    fn yes_and_no() {
        for yes in ["1", "true", "YES", "on"] {
            assert!(means_yes(yes), "{yes}");
        }
        for no in ["", "0", "false", "No", "off "] {
            assert!(!means_yes(no), "{no}");
        }
    }
}
