//! The modules of tfjs-io depend on each other in one direction: each names only those before it in [`ORDER`], so there
//! is no cycle.
//!
//! The check reads paths (`crate::base::..`, and `super::` up to the crate's root) outside unit tests. An
//! implementation of a trait for a type of another module is recognized by the paths it needs.

use super::{Finding, Findings};
use crate::source::{Source, Token};
use crate::workspace::{TextFile, Workspace};

const ROOT: &str = "crates/tfjs-io/src/";

/// The top modules, from the one that may depend on no other to the one that may depend on all.
const ORDER: &[&str] = &["base", "place", "wrap", "fetch", "model", "registry", "store"];

pub fn check(_: &Workspace, files: &[TextFile]) -> Findings {
    let modules = files.iter().filter_map(|file| Some((file, module(file.path.strip_prefix(ROOT)?)?)));
    Ok(modules.flat_map(|(file, module)| check_file(file, &module)).collect())
}

/// The path of the module in a file: `["base", "files"]`. `None` for the crate's root, and for tests.
fn module(path: &str) -> Option<Vec<&str>> {
    let path = path.strip_suffix(".rs").filter(|path| *path != "lib" && !path.ends_with("tests"))?;
    Some(path.strip_suffix("/mod").unwrap_or(path).split('/').collect())
}

fn check_file(file: &TextFile, module: &[&str]) -> Vec<Finding> {
    let source = Source::new(&file.text);
    let place = |name: &str| ORDER.iter().position(|known| *known == name);
    let found = |token: &Token<'_>, what: String| Some(Finding::new(&file.path, token.line, what));
    let Some(own) = place(module[0]) else {
        let what = format!("a new module `{}`: give it a place in xtask/src/tidy/direction.rs", module[0]);
        return vec![Finding::new(&file.path, 0, what)];
    };
    let named = named_in_root(&source.without_tests(), module.len());
    let findings = named.iter().filter_map(|token| match place(token.text) {
        Some(other) if other <= own => None,
        Some(_) => found(token, format!("`{}` names `{}`, which is above it: {ORDER:?}", module[0], token.text)),
        None => found(token, format!("`{}` is a name of the crate's root; name the module it is in", token.text)),
    });
    findings.collect()
}

/// The names that follow a path to the crate's root, in a file whose module has this depth.
fn named_in_root<'a>(tokens: &[Token<'a>], depth: usize) -> Vec<Token<'a>> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let mut names = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let mut at = i;
        match token.text {
            "crate" if text(i + 1) == "::" => at += 2,
            "super" if i == 0 || text(i - 1) != "::" => {
                let mut up = 0;
                while text(at) == "super" && text(at + 1) == "::" {
                    (up, at) = (up + 1, at + 2);
                }
                if up < depth {
                    continue;
                }
            }
            _ => continue,
        }
        match text(at) {
            "{" => names.extend(first_names(&tokens[at..])),
            _ => names.extend(tokens.get(at)),
        }
    }
    names
}

/// The first name of each item in a brace group.
fn first_names<'a>(group: &[Token<'a>]) -> Vec<Token<'a>> {
    let (mut depth, mut names, mut begins) = (0, Vec::new(), false);
    for token in group {
        match token.text {
            "{" => (depth, begins) = (depth + 1, depth == 0),
            "}" if depth == 1 => break,
            "}" => depth -= 1,
            "," => begins = depth == 1,
            _ if begins => {
                names.push(*token);
                begins = false;
            }
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the lines of the findings in a file at this path in the crate's `src`.
    #[track_caller]
    fn check(path: &str, text: &str, lines: &[usize]) {
        let file = TextFile::new(&format!("{ROOT}{path}"), text);
        let found = module(path).map_or_else(Vec::new, |module| check_file(&file, &module));
        assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), lines, "{found:?}");
    }

    #[test]
    fn a_cycle_is_found_where_it_goes_up() {
        check("model/load.rs", "use crate::base::files::Files;\nuse crate::model::cx::IoCx;\n", &[]);
        check("base/files.rs", "use super::stream::into_stream;\nuse crate::model::cx::IoCx;\n", &[2]);
    }

    #[test]
    fn every_spelling_of_a_path_is_read() {
        check("place/memory.rs", "use crate::{\n    base::url::{ModelUrl, model},\n    registry::X,\n};\n", &[3]);
        check("place/file/mod.rs", "fn f() { super::super::store::f(); super::memory::f(); }\n", &[1]);
        check("place/file/step.rs", "use super::super::store;\nuse super::super::super::store;\n", &[2]);
        check("fetch/mod.rs", "// crate::model::cx\nfn f() -> crate::model::cx::IoCx { \"crate::store::a\" }\n", &[2]);
        check("wrap/mod.rs", "use crate::IoCx;\n", &[1]);
    }

    #[test]
    fn tests_and_the_root_may_name_everything() {
        check("lib.rs", "pub use crate::store::ModelStore;\n", &[]);
        check("base/url.rs", "#[cfg(test)]\nmod tests {\n    use crate::store::ModelStore;\n}\n", &[]);
        check("place/file/save_tests.rs", "use crate::store::ModelStore;\n", &[]);
    }

    #[test]
    fn a_module_without_a_place_is_found() {
        check("misc/mod.rs", "", &[0]);
    }
}
