//! Tests with a failure, or the death of the process, at every system call of a save.

use super::super::step::fault::{self, Fault};
use super::*;
use std::collections::BTreeMap;
use tfjs_manifest::Kind;

/// Every file below a folder with its content. Ignores empty folders.
type Tree = BTreeMap<String, String>;

fn tree(root: &Path) -> Tree {
    let mut out = Tree::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(path),
                false => drop(out.insert(name, fs::read_to_string(path).unwrap())),
            }
        }
    }
    out
}

fn files(all: &[(&str, &str)]) -> Tree {
    all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// Files of the user, which must never be touched.
const OTHERS: &[(&str, &str)] = &[("notes.txt", "mine"), ("sub/notes.txt", "mine")];
/// The files of a model, its JSON last.
const OLD: &[(&str, &str)] = &[("a.bin", "old"), ("sub/b.bin", "old"), ("gone/c.bin", "old"), ("model.json", "old")];
/// A model that replaces it; some files have the same names.
const NEW: &[(&str, &str)] = &[("a.bin", "new"), ("sub/b.bin", "new"), ("fresh/d.bin", "new"), ("model.json", "new")];

fn with_others(model: &[(&str, &str)]) -> Tree {
    files(&[OTHERS, model].concat())
}

fn folder(model: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in OTHERS.iter().chain(model) {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn save(root: &Path, former: &[(&str, &str)], new: &[(&str, &str)]) -> Result<()> {
    let former = Former::Only(former.iter().map(|(name, _)| PathBuf::from(name)).collect());
    let paths = new.iter().map(|(name, _)| PathBuf::from(name)).collect();
    let mut saving = Saving::begin(root.to_owned(), false, former, paths)?;
    for (_, text) in new {
        saving.next_file()?;
        saving.write(vec![Ok(Bytes::copy_from_slice(text.as_bytes()))])?;
        saving.end_file()?;
    }
    saving.commit()
}

fn swept(root: &Path, allow_symlinks: bool) {
    sweep(&Arc::new(Root::open(root, allow_symlinks).unwrap()));
}

/// Saves with each fault in turn, until a save ends without a fault.
fn with_each_fault(fault_at: fn(usize) -> Fault, former: &[(&str, &str)], check: impl Fn(&Path, bool)) {
    for at in 0..10_000 {
        let dir = folder(former);
        fault::set(fault_at(at));
        let saved = save(dir.path(), former, NEW).is_ok();
        let happened = fault::happened();
        fault::set(Fault::None);
        check(dir.path(), saved);
        if !happened {
            assert!(saved && at > 20, "{at}");
            return;
        }
    }
    panic!("a save has fewer system calls");
}

#[test]
fn a_failure_at_any_system_call_leaves_the_old_model_or_the_new_one() {
    for former in [OLD, &[]] {
        with_each_fault(Fault::Once, former, |root, saved| {
            let mut is = tree(root);
            // Files that cannot be removed are swept by the next save.
            is.retain(|name, _| !name.starts_with(".tfjs-"));
            assert_eq!(is, with_others(if saved { NEW } else { former }));
        });
    }
}

/// The model that a load would find: the files in the JSON, if it exists. Both models have files with the same names
/// and lengths.
fn check_whole(is: &Tree) {
    let model = match is.get("model.json").map(String::as_str) {
        None => return,
        Some("old") => OLD,
        Some(_) => NEW,
    };
    for (name, text) in model.iter().chain(OTHERS) {
        assert_eq!(is.get(*name).map(String::as_str), Some(*text), "{name} in {is:?}");
    }
}

#[test]
fn a_process_that_dies_at_any_system_call_leaves_the_old_model_the_new_one_or_none() {
    for former in [OLD, &[]] {
        with_each_fault(Fault::Crash, former, |root, _| {
            let is = tree(root);
            check_whole(&is);
            for (name, text) in OTHERS {
                assert_eq!(is[*name], *text);
            }
            // The next save, of any model, first recovers the folder, and leaves no temporary files.
            write_file(&root.join("x.txt"), b"x").unwrap();
            fs::remove_file(root.join("x.txt")).unwrap();
            let is = tree(root);
            assert!([with_others(former), with_others(NEW)].contains(&is), "{is:?}");
        });
    }
}

#[test]
fn a_process_that_dies_while_it_removes_a_model_leaves_all_of_it_or_nothing() {
    for at in 0.. {
        let dir = folder(OLD);
        fault::set(Fault::Crash(at));
        let removed = save(dir.path(), OLD, &[]).is_ok();
        let happened = fault::happened();
        fault::set(Fault::None);
        swept(dir.path(), false);
        let is = tree(dir.path());
        assert!([with_others(OLD), with_others(&[])].contains(&is), "{at}: {is:?}");
        assert!(!removed || is == with_others(&[]), "{at}");
        if !happened {
            break;
        }
    }
}

#[test]
fn a_process_that_dies_while_it_sweeps_after_another_loses_nothing() {
    for died in (0..80).step_by(3) {
        for dies in (0..40).step_by(4) {
            let dir = folder(OLD);
            fault::set(Fault::Crash(died));
            let _ = save(dir.path(), OLD, NEW);
            fault::set(Fault::Crash(dies));
            swept(dir.path(), false);
            check_whole(&tree(dir.path()));
            fault::set(Fault::None);
            swept(dir.path(), false);
            let is = tree(dir.path());
            assert!([with_others(OLD), with_others(NEW)].contains(&is), "{died}, {dies}: {is:?}");
        }
    }
}

#[test]
fn what_appears_meanwhile_is_not_replaced() {
    let dir = folder(OLD);
    let former = Former::Only(OLD.iter().map(|(name, _)| PathBuf::from(name)).collect());
    let paths = NEW.iter().map(|(name, _)| PathBuf::from(name)).collect();
    let mut saving = Saving::begin(dir.path().to_owned(), false, former, paths).unwrap();
    for _ in NEW {
        saving.next_file().unwrap();
        saving.end_file().unwrap();
    }
    fs::create_dir(dir.path().join("fresh")).unwrap();
    fs::write(dir.path().join("fresh/d.bin"), "mine").unwrap();
    let error = saving.commit().unwrap_err();
    assert_eq!(error.kind(), Kind::Misuse, "{error}");
    assert!(error.place().file.as_deref().is_some_and(|file| file.ends_with("d.bin")), "{error}");
    assert_eq!(tree(dir.path()), with_others(&[OLD, &[("fresh/d.bin", "mine")]].concat()));
}

#[test]
fn a_save_that_is_under_way_is_not_swept() {
    let dir = folder(&[]);
    let mut saving =
        Saving::begin(dir.path().to_owned(), false, Former::Any, vec!["a".into(), "model.json".into()]).unwrap();
    saving.next_file().unwrap();
    write_file(&dir.path().join("x"), b"x").unwrap();
    saving.end_file().unwrap();
    saving.next_file().unwrap();
    saving.end_file().unwrap();
    saving.commit().unwrap();
    assert_eq!(tree(dir.path()), with_others(&[("a", ""), ("model.json", ""), ("x", "x")]));
}

/// Forged files, as an archive that is unpacked in the user's folder could contain.
#[cfg(unix)]
#[test]
fn a_forged_folder_of_a_save_replaces_nothing_and_makes_no_hidden_file() {
    for forged in ["notes.txt", ".bashrc", "sub/.git/config", "out/x", "link"] {
        let (dir, outside) = (folder(OLD), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(outside.path(), dir.path().join("out")).unwrap();
        let at = dir.path().join(".tfjs-1-0");
        let path = at.join("new").join(forged);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(at.join("lock"), "").unwrap();
        fs::write(at.join("go"), "").unwrap();
        match forged {
            "link" => std::os::unix::fs::symlink("/etc/passwd", &path).unwrap(),
            _ => fs::write(&path, "forged").unwrap(),
        }
        write_file(&dir.path().join("x.txt"), b"x").unwrap();
        for (name, text) in OTHERS.iter().chain(OLD) {
            assert_eq!(fs::read_to_string(dir.path().join(name)).unwrap(), *text, "{forged}");
        }
        assert!(!dir.path().join(".bashrc").exists() && !dir.path().join("sub/.git").exists());
        assert!(dir.path().join("link").symlink_metadata().is_err());
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_forged_folder_of_a_save_with_links_takes_no_files_of_others() {
    for (slot, go) in [("new", true), ("new-last", true), ("old", false), ("old-last", false)] {
        let (dir, others) = (folder(OLD), folder(&[("id", "key"), ("deep/er", "text")]));
        let (before, of_others) = (tree(dir.path()), tree(others.path()));
        let at = dir.path().join(".tfjs-1-0");
        fs::create_dir(&at).unwrap();
        fs::write(at.join("lock"), "").unwrap();
        if go {
            fs::write(at.join("go"), "").unwrap();
        }
        std::os::unix::fs::symlink(others.path(), at.join(slot)).unwrap();
        swept(dir.path(), true);
        assert_eq!(tree(others.path()), of_others, "{slot}");
        fs::remove_file(at.join(slot)).unwrap();
        fs::remove_dir_all(&at).unwrap();
        assert_eq!(tree(dir.path()), before, "{slot}");
    }
}

/// Another user may make such a folder in a folder that all may write to, such as `/tmp`.
#[cfg(unix)]
#[test]
fn a_folder_of_a_save_by_another_user_is_not_swept() {
    use std::os::unix::fs::chown;
    for of_another in [".tfjs-1-0", ".tfjs-1-0/lock"] {
        let dir = folder(&[(".tfjs-1-0/lock", ""), (".tfjs-1-0/go", ""), (".tfjs-1-0/new/a.bin", "new")]);
        if chown(dir.path().join(of_another), Some(54321), None).is_err() {
            // Only the superuser can change the owner of files.
            return;
        }
        let before = tree(dir.path());
        swept(dir.path(), false);
        assert_eq!(tree(dir.path()), before, "{of_another}");
    }
}

/// Puts a link to `others` in the place of a folder below `root`; the empty name is the folder of a save.
#[cfg(unix)]
fn link_in_place_of(root: &Path, name: &str, others: &Path) {
    let folder = match name {
        "" => fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).find(|path| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(".tfjs-"))
        }),
        _ => Some(root.join(name)),
    };
    if let Some(folder) = folder.filter(|folder| folder.is_dir()) {
        fs::rename(&folder, root.join("moved-away")).unwrap();
        std::os::unix::fs::symlink(others, folder).unwrap();
    }
}

/// Does `work` on a folder with a former model, while before each of its system calls in turn another process puts a link
/// in the place of a folder. The link leads to a folder with the same names, which must stay as it is.
#[cfg(unix)]
fn with_a_link_at_any_time(prepare: fn(&Path), work: fn(&Path)) {
    let same =
        [OLD, &[("c.bin", "x"), ("new/sub/b.bin", "x"), ("old/a.bin", "x"), ("go", "x"), ("lock", "x")]].concat();
    for name in ["sub", "gone", ""] {
        for calls in 0.. {
            let (dir, others) = (folder(OLD), folder(&same));
            fs::write(others.path().join("b.bin"), "x").unwrap();
            prepare(dir.path());
            let before = tree(others.path());
            let (root, target) = (dir.path().to_owned(), others.path().to_owned());
            fault::meanwhile(calls, move || link_in_place_of(&root, name, &target));
            work(dir.path());
            let acted = fault::has_acted();
            assert_eq!(tree(others.path()), before, "`{name}` after {calls} calls");
            if !acted {
                break;
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn a_link_that_appears_during_a_save_is_not_followed() {
    with_a_link_at_any_time(|_| (), |root| drop(save(root, OLD, NEW)));
    with_a_link_at_any_time(|_| (), |root| drop(save(root, &[("sub/b.bin", "old")], &[("sub/b.bin", "new")])));
    // Everything is moved back.
    with_a_link_at_any_time(|_| fault::set(Fault::Once(50)), |root| drop(save(root, OLD, NEW)));
    fault::set(Fault::None);
}

#[cfg(unix)]
#[test]
fn a_link_that_appears_during_a_sweep_is_not_followed() {
    fn dies<const AT: usize>(root: &Path) {
        fault::set(Fault::Crash(AT));
        let _ = save(root, OLD, NEW);
        fault::set(Fault::None);
    }
    let each: [fn(&Path); 4] = [dies::<20>, dies::<30>, dies::<40>, dies::<50>];
    for dies in each {
        with_a_link_at_any_time(dies, |root| swept(root, false));
    }
}

#[cfg(unix)]
#[test]
fn a_link_that_appears_during_a_removal_is_not_followed() {
    use super::super::folder::remove;
    with_a_link_at_any_time(
        |_| (),
        |root| ["sub/b.bin", "gone/c.bin"].iter().for_each(|path| drop(remove(root, false, Path::new(path)))),
    );
}

#[test]
fn other_names_with_a_dot_are_not_swept() {
    let dir = folder(&[]);
    for name in [".tfjs-", ".tfjs-1", ".tfjs-1-x", ".tfjs-x-1", ".git", ".tfjs-1-2-3"] {
        fs::create_dir(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name).join("lock"), "").unwrap();
    }
    let before = tree(dir.path());
    swept(dir.path(), false);
    assert_eq!(tree(dir.path()), before);
}

#[test]
fn an_answer_is_written_whole_or_not_at_all() {
    for at in 0..40 {
        let dir = folder(OLD);
        for fault in [Fault::Once(at), Fault::Crash(at)] {
            fault::set(fault);
            let written = write_file(&dir.path().join("a.bin"), b"new").is_ok();
            fault::set(Fault::None);
            let is = fs::read_to_string(dir.path().join("a.bin")).unwrap();
            assert!(is == if written { "new" } else { "old" } || is == "new" && !written, "{at}");
            write_file(&dir.path().join("a.bin"), b"old").unwrap();
            assert_eq!(tree(dir.path()), with_others(OLD));
        }
    }
}

#[cfg(unix)]
#[test]
fn an_answer_keeps_links_modes_and_devices() {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder(&[]);
    let (file, link) = (dir.path().join("file"), dir.path().join("link"));
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("file", &link).unwrap();
    write_file(&link, b"new").unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(link.symlink_metadata().unwrap().is_symlink());
    write_file(Path::new("/dev/null"), b"new").unwrap();
}

#[test]
fn a_panic_half_way_leaves_no_file_and_no_folder() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("a/b");
    let panicked = std::panic::catch_unwind(move || {
        let paths = vec![PathBuf::from("w"), PathBuf::from("sub/v")];
        let mut saving = Saving::begin(root, false, Former::Any, paths).unwrap();
        saving.next_file().unwrap();
        saving.write(vec![Ok(Bytes::from_static(b"half"))]).unwrap();
        panic!("half-way");
    });
    assert!(panicked.is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
