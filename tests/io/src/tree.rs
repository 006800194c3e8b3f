//! The contents of a folder, to compare before and after; and folders nested too deeply for paths.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The bytes of files, and the targets of links, by path. Folders that cannot be read, or whose paths are too long, are
/// left out.
pub type Tree = BTreeMap<String, Vec<u8>>;

/// The current contents of a folder.
pub fn of(folder: &Path) -> Tree {
    let mut out = Tree::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink() {
                let target = fs::read_link(&path).unwrap_or_default();
                out.insert(name, format!("-> {}", target.display()).into_bytes());
            } else if kind.is_file() {
                out.insert(name, fs::read(&path).unwrap_or_default());
            } else {
                out.insert(name, b"a device or pipe".to_vec());
            }
        }
    }
    out
}

/// The length of the names of deeply nested folders.
#[cfg(unix)]
const LONG: usize = 250;

/// Makes nested folders whose path is longer than the system allows.
#[cfg(unix)]
pub fn deep(folder: &Path) {
    let ten = vec!["d".repeat(LONG); 10].join("/");
    let script = "cd \"$0\" && for i in 1 2; do mkdir -p \"$1\" && cd -P \"$1\" || exit 1; done";
    let done = std::process::Command::new("sh").args(["-c", script]).arg(folder).arg(ten).status();
    assert!(done.is_ok_and(|status| status.success()), "folders are made");
}

/// Removes them: their paths are too long for the clean-up of a temporary folder.
#[cfg(unix)]
pub fn remove_deep(folder: &Path) {
    let done = std::process::Command::new("rm").arg("-rf").arg(folder.join("d".repeat(LONG))).status();
    assert!(done.is_ok_and(|status| status.success()), "folders are removed");
}
