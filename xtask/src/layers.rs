//! Reads the lists of layers and operations from the files that register them.

use crate::source::{Source, Token};

/// The file that lists the layers.
pub const LAYERS: &str = "crates/tfjs-topology/src/registry.rs";
/// The file that lists the operations.
pub const OPS: &str = "crates/tfjs-topology/src/ops/mod.rs";

/// An entry of a list.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// The file, relative to `layers` or `ops`, without its extension: `conv/depthwise`, `binary`.
    pub file: String,
    /// The type that implements it.
    pub name: String,
    /// The classes it implements.
    pub classes: Vec<String>,
}

/// The entries of `for_each_layer!` or `for_each_op!` in the file that defines it.
///
/// # Errors
/// A file without that list, or with an entry that is not `path::to::Type = "Class" | "Class";`.
pub fn list(text: &str, macro_name: &str) -> Result<Vec<Entry>, String> {
    let source = Source::new(text);
    let named = |w: &[Token<'_>]| w[0].text == "macro_rules" && w[2].text == macro_name;
    let start = source.tokens.windows(3).position(named);
    let start = start.ok_or_else(|| format!("there is no `macro_rules! {macro_name}`"))?;
    // macro_rules! name { ($callback:path) => { $callback! { ENTRIES } }; }
    let opens = |w: &&[Token<'_>]| w[0].text == "!" && w[1].text == "{";
    let open = source.tokens[start + 3..].windows(2).find(opens).map(|w| w[1]);
    let open = open.ok_or_else(|| format!("`{macro_name}!` gives no list"))?;
    let lines: Vec<&str> = text.lines().skip(open.line).collect();
    let body = lines.join("\n");
    let body = body.split_once('}').map_or(body.as_str(), |(body, _)| body);
    let entries = body.split(';').map(str::trim).filter(|entry| !entry.is_empty());
    entries
        .map(|text| entry(text).ok_or_else(|| format!("`{macro_name}!` has an entry that cannot be read: `{text}`")))
        .collect()
}

fn entry(text: &str) -> Option<Entry> {
    let (path, classes) = text.split_once('=')?;
    let mut path: Vec<&str> = path.trim().split("::").map(str::trim).collect();
    let name = path.pop()?.to_owned();
    let class = |text: &str| Some(text.trim().strip_prefix('"')?.strip_suffix('"')?.to_owned());
    let classes = classes.split('|').map(class).collect::<Option<Vec<String>>>()?;
    (!path.is_empty()).then(|| Entry { file: path.join("/"), name, classes })
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub const LIST: &str = r#"
/// Calls a macro: `family::file::Type = "Class";`.
macro_rules! for_each_layer {
    ($callback:path) => {
        $callback! {
            core::dense::Dense = "Dense";
            pool::window::Pool = "MaxPooling1D"
                | "MaxPooling2D";
        }
    };
}
macro_rules! declare { ($($type:ident)*) => {} }
"#;

    #[test]
    fn every_entry_is_read() {
        let entries = list(LIST, "for_each_layer").unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[0].file.as_str(), entries[0].name.as_str()), ("core/dense", "Dense"));
        assert_eq!(entries[1].classes, ["MaxPooling1D", "MaxPooling2D"]);
    }

    #[test]
    fn unreadable_text_is_an_error_and_not_an_empty_list() {
        assert!(list("fn main() {}", "for_each_layer").is_err());
        assert!(list(LIST, "for_each_op").is_err());
        assert!(list(&LIST.replace("\"Dense\"", "Dense"), "for_each_layer").is_err());
    }
}
