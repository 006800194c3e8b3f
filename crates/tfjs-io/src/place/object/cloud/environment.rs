//! The environment variables that the clouds' own tools read. Reads no file.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Environment variables: those of the process at the time of the call, or given ones.
#[derive(Clone, Default)]
pub(super) struct Environment(Option<Arc<BTreeMap<String, String>>>);

impl Environment {
    /// Only these variables.
    pub(super) fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Environment(Some(Arc::new(variables.into_iter().collect())))
    }

    /// The value of a variable. An empty one counts as not set, as in the clouds' tools.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let value = match &self.0 {
            Some(given) => given.get(name).cloned(),
            None => std::env::var(name).ok(),
        };
        value.filter(|value| !value.is_empty())
    }

    /// The sorted variables whose names begin with `prefix`. Variables that are not UTF-8 are skipped.
    pub(super) fn beginning(&self, prefix: &str) -> Vec<(String, String)> {
        let all: BTreeMap<String, String> = match &self.0 {
            Some(given) => BTreeMap::clone(given),
            None => {
                std::env::vars_os().filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?))).collect()
            }
        };
        all.into_iter().filter(|(name, value)| name.starts_with(prefix) && !value.is_empty()).collect()
    }
}

/// Does not show values, which may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(given) => f.debug_list().entries(given.keys()).finish(),
            None => f.write_str("the process's"),
        }
    }
}
