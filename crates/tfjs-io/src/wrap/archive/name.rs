//! Names of models in archives: `m.zip`, or `m.zip!/folder/model.json` for one of several.

/// File name endings of archives, compared without case.
const ENDINGS: &[&str] = &[".zip", ".tar", ".tar.gz", ".tgz"];

/// The separator between the archive's name and the file inside it.
pub(super) const INSIDE: &str = "!/";

/// The parts of a path or URL of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named<'a> {
    /// The archive, without a URL's query.
    pub(crate) archive: &'a str,
    /// The model's JSON inside it, if named.
    pub(crate) inside: Option<&'a str>,
}

impl<'a> Named<'a> {
    /// Splits a path on disk; `None` if it is not an archive.
    pub(crate) fn in_path(path: &'a str) -> Option<Self> {
        let inside = path.match_indices(INSIDE).find(|(at, _)| is_archive(&path[..*at]));
        match inside {
            Some((at, _)) => {
                let inside = Some(&path[at + INSIDE.len()..]).filter(|inside| !inside.is_empty());
                Some(Named { archive: &path[..at], inside })
            }
            None => is_archive(path).then_some(Named { archive: path, inside: None }),
        }
    }

    #[cfg(any(test, feature = "archive", feature = "http"))]
    /// Splits a URL. Only its path counts, because a host may end in `.zip`.
    pub(crate) fn in_url(url: &'a str) -> Option<Self> {
        let url = url.split('?').next().unwrap_or(url);
        let authority = url.find("://")? + 3;
        let path = authority + url.get(authority..)?.find('/')?;
        let named = Named::in_path(url.get(path..)?)?;
        Some(Named { archive: &url[..path + named.archive.len()], ..named })
    }
}

fn is_archive(path: &str) -> bool {
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path).as_bytes();
    ENDINGS.iter().any(|ending| {
        let stem = file.len().saturating_sub(ending.len());
        stem > 0 && file[stem..].eq_ignore_ascii_case(ending.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: Option<Named<'_>>, expected: Option<(&str, Option<&str>)>) {
        assert_eq!(found, expected.map(|(archive, inside)| Named { archive, inside }));
    }

    #[test]
    fn endings_make_an_archive() {
        for path in ["m.zip", "a/M.ZIP", "a b.tar", "x.tar.GZ", "x.tgz", "C:\\m\\m.zip"] {
            check(Named::in_path(path), Some((path, None)));
        }
        for path in ["model.json", "zip", ".zip", "a/.tgz", "m.gz", "m.zip/model.json", "m.zip.json"] {
            check(Named::in_path(path), None);
        }
    }

    #[test]
    fn one_of_several_is_named_inside() {
        check(Named::in_path("a/m.zip!/b/model.json"), Some(("a/m.zip", Some("b/model.json"))));
        check(Named::in_path("m.zip!/"), Some(("m.zip", None)));
        check(Named::in_path("a!/m.zip"), Some(("a!/m.zip", None)));
        check(Named::in_path("a!/model.json"), None);
    }

    #[test]
    fn of_a_url_only_the_path_counts() {
        check(Named::in_url("https://h/a/m.zip?t=1"), Some(("https://h/a/m.zip", None)));
        check(Named::in_url("s3://b/m.tgz!/x.json?t=a.zip"), Some(("s3://b/m.tgz", Some("x.json"))));
        for url in ["https://host.zip", "https://host.zip/", "https://h/?f=m.zip", "mem://m.zip", "data:,m.zip"] {
            check(Named::in_url(url), None);
        }
    }
}
