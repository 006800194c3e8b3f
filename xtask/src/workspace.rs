//! The checkout: its root, its files, their text.

use crate::run;
use std::path::PathBuf;

/// The checkout that this program was built from.
#[derive(Debug)]
pub struct Workspace {
    /// The folder with the workspace's `Cargo.toml`.
    pub root: PathBuf,
}

/// A text file of the checkout.
#[derive(Clone, Debug)]
pub struct TextFile {
    /// Path from the root, with `/`.
    pub path: String,
    /// The content.
    pub text: String,
}

impl TextFile {
    /// Makes a file for the tests of checks.
    #[cfg(test)]
    pub fn new(path: &str, text: &str) -> Self {
        TextFile { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether it is a Rust file.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

impl Workspace {
    /// Finds the workspace that this program belongs to.
    ///
    /// # Errors
    /// If cargo does not provide the path.
    pub fn find() -> Result<Self, String> {
        // Cargo sets it at run time, so a moved checkout is found.
        let manifest =
            std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let root = manifest.parent().ok_or("the xtask package has no parent folder")?;
        Ok(Workspace { root: root.to_owned() })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// A file that does not exist or is not text.
    pub fn read(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(self.root.join(path)).map_err(|e| format!("cannot read `{path}`: {e}"))
    }

    /// Whether a path exists.
    pub fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// Every file that git tracks or would add.
    ///
    /// # Errors
    /// If this is not a git checkout.
    pub fn paths(&self) -> Result<Vec<String>, String> {
        let args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"];
        let listed = run::output(run::program_in(self, "git", &args))?;
        let paths = listed.split('\0').filter(|path| !path.is_empty() && self.exists(path));
        Ok(paths.map(str::to_owned).collect())
    }

    /// Every text file.
    ///
    /// # Errors
    /// As [`paths`](Workspace::paths); files that cannot be read.
    pub fn text_files(&self) -> Result<Vec<TextFile>, String> {
        let mut files = Vec::new();
        for path in self.paths()? {
            let bytes = std::fs::read(self.root.join(&path)).map_err(|e| format!("cannot read `{path}`: {e}"))?;
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(TextFile { path, text });
            }
        }
        Ok(files)
    }
}
