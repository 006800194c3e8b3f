//! In topology and ir, no number from a file determines the size of an allocation before it is checked against a limit.
//!
//! A size must be the length or the rank of something in memory, or a constant. For any other size, a comment
//! `// SIZE:` on the same line, or on the line above, must state its bound.

use super::{Finding, Findings};
use crate::source::{Source, Token};
use crate::workspace::{TextFile, Workspace};

const CRATES: &[&str] = &["crates/tfjs-topology/src/", "crates/tfjs-ir/src/"];

/// Functions that allocate, and the index of the argument that is the size.
const FUNCTIONS: &[(&str, usize)] = &[
    ("with_capacity", 0),
    ("reserve", 0),
    ("reserve_exact", 0),
    ("resize", 0),
    ("resize_with", 0),
    ("repeat", 0),
    ("repeat_n", 1),
];

/// Methods and fields that return the size of something in memory.
const LENGTHS: &[&str] = &["len", "rank", "count", "groups"];

pub fn check(_: &Workspace, files: &[TextFile]) -> Findings {
    let checked = |file: &&TextFile| file.is_rust() && CRATES.iter().any(|path| file.path.starts_with(path));
    Ok(files.iter().filter(checked).filter(|file| !is_test(&file.path)).flat_map(check_file).collect())
}

fn check_file(file: &TextFile) -> Vec<Finding> {
    let source = Source::new(&file.text);
    let argued: Vec<usize> =
        source.comments.iter().filter(|c| c.text.starts_with("// SIZE:")).map(|c| c.line).collect();
    let tokens = source.without_tests();
    let mut findings = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let Some(size) = size_at(&tokens, i) else { continue };
        let argued = argued.iter().any(|&line| line == token.line || line + 1 == token.line);
        if !argued && !is_bounded(&size) {
            let text: String = size.iter().map(|t| t.text).collect();
            let what =
                format!("`{}` of `{text}`: charge it before, and say what bounds it: `// SIZE: ...`", token.text);
            findings.push(Finding::new(&file.path, token.line, what));
        }
    }
    findings
}

/// The size of an allocation at this token.
fn size_at<'a>(tokens: &[Token<'a>], i: usize) -> Option<Vec<Token<'a>>> {
    let after = |n: usize| tokens.get(i + n).map(|t| t.text);
    if tokens[i].text == "vec" && after(1) == Some("!") && after(2) == Some("[") {
        return arguments(&tokens[i + 2..], ";").into_iter().nth(1);
    }
    let (_, position) = FUNCTIONS.iter().find(|(name, _)| *name == tokens[i].text)?;
    let is_method = i > 0 && [".", "::"].contains(&tokens[i - 1].text);
    (after(1) == Some("(") && (is_method || tokens[i].text == "repeat_n"))
        .then(|| arguments(&tokens[i + 1..], ",").into_iter().nth(*position))?
}

/// The items between the top-level separators of the group that begins here.
fn arguments<'a>(group: &[Token<'a>], separator: &str) -> Vec<Vec<Token<'a>>> {
    let (mut depth, mut found) = (0usize, vec![Vec::new()]);
    for token in group {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            text if depth == 1 && text == separator => {
                found.push(Vec::new());
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth > 1 || found.len() > 1 || !["(", "[", "{"].contains(&token.text) {
            found.last_mut().expect("it begins with one").push(*token);
        }
    }
    found
}

/// Whether a size is a constant, or computed from lengths of things in memory.
fn is_bounded(size: &[Token<'_>]) -> bool {
    let is_constant = |t: &Token<'_>| !t.text.starts_with(|c: char| c.is_lowercase());
    size.iter().all(is_constant) || size.iter().any(|t| LENGTHS.contains(&t.text))
}

fn is_test(path: &str) -> bool {
    let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".rs");
    path.contains("/arbitrary") || stem.ends_with("tests") || stem.starts_with("test")
}

#[cfg(test)]
mod tests {
    use super::check_file;
    use crate::workspace::TextFile;

    #[track_caller]
    fn check(text: &str, lines: &[usize]) {
        let found: Vec<usize> = check_file(&TextFile::new("a.rs", text)).iter().map(|f| f.line).collect();
        assert_eq!(found, lines, "{text}");
    }

    #[test]
    fn sizes_of_a_file_are_found() {
        check("let a = Vec::with_capacity(units);", &[1]);
        check("let a = vec![0.0; units * 4];", &[1]);
        check("a.resize(units, Dim::ONE);\nb.extend(repeat_n(x, config.units));", &[1, 2]);
        check("let a = \" \".repeat(width);", &[1]);
    }

    #[test]
    fn lengths_constants_and_arguments_pass() {
        check("let a = Vec::with_capacity(inputs.len() + 1);\nlet b = vec![0; dims.rank()];", &[]);
        check("let a = vec![0; 16];\nlet b = vec![f(units), 3];\nlet c = vec![0; MOST];", &[]);
        check("// SIZE: charged above\nlet a = vec![0; units];\nlet b = vec![0; units]; // SIZE: too", &[]);
        check("fn reserve(elements: usize) {}\nlet out = reserve(elements)?;\nlet y = cx.resize(x.len());", &[]);
    }
}
