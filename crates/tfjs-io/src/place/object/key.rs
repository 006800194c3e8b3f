//! Converts paths of files to keys of objects. Sends no requests.
//!
//! A key is used unchanged, without percent-decoding or escaping, as in the command lines of the clouds.
//! `object_store`'s own `Path::from` escapes invalid characters, so that another object would be read; here they are an
//! error.

use crate::base::path::shard_components;
use object_store::path::Path;
use tfjs_manifest::{Error, Limits, Result};

/// Checks the prefix of all paths: a folder that ends in `/`, or any other prefix of keys.
pub(super) fn check_prefix(prefix: &str) -> Result<()> {
    let folder = prefix.strip_suffix('/').unwrap_or(prefix);
    let same = |key: &Path| key.as_ref() == folder;
    match Path::parse(folder) {
        Ok(key) if same(&key) && (!folder.is_empty() || prefix.is_empty()) => Ok(()),
        _ => Err(Error::misuse(format!(
            "expected the key of a folder, such as `a/b`, found `{}`; a key with empty, `.` or `..` components or \
             control characters cannot be used",
            prefix.escape_debug()
        ))),
    }
}

/// The key of a file, whose path may come from a manifest.
pub(super) fn key(prefix: &str, path: &str, limits: &Limits) -> Result<Path> {
    let parts = shard_components(path, limits)?;
    let whole = format!("{prefix}{}", parts.join("/"));
    let key = Path::parse(&whole);
    key.map_err(|e| Error::malformed("weight file path is not a valid key of an object").in_file(whole).with_source(e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[track_caller]
    fn check(prefix: &str, path: &str, expected: &str) {
        check_prefix(prefix).unwrap();
        assert_eq!(key(prefix, path, &Limits::default()).unwrap().as_ref(), expected);
    }

    #[test]
    fn keys_are_taken_as_they_are() {
        check("", "model.json", "model.json");
        check("a/b/", "./c//d.bin", "a/b/c/d.bin");
        check("a/b", "c.bin", "a/bc.bin");
        check("é ü%20/", "50%/~x#[1]{2}*.bin", "é ü%20/50%/~x#[1]{2}*.bin");
    }

    #[test]
    fn a_prefix_that_no_key_can_begin_with_is_misuse() {
        for prefix in ["/", "/a/", "a//", "a//b/", "./", "a/../", "..", "a\n/"] {
            assert_eq!(check_prefix(prefix).unwrap_err().kind(), Kind::Misuse, "{prefix:?}");
        }
    }

    #[test]
    fn a_path_that_leaves_the_folder_is_malformed() {
        for path in ["../x", "/x", "%2e%2e/x", "s3://b/x", "a/../x", "a\\b", ""] {
            let error = key("m/", path, &Limits::default()).unwrap_err();
            assert_eq!(error.kind(), Kind::Malformed, "{path:?}");
            assert!(error.place().file.is_some());
        }
    }
}
