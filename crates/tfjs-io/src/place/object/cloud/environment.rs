//! The environment variables that the clouds' own tools read. Reads no file.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Variables: the process's, as they are when they are asked for, or given ones.
#[derive(Clone, Default)]
pub(super) struct Environment(Option<Arc<BTreeMap<String, String>>>);

impl Environment {
    /// These variables and no others.
    pub(super) fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Environment(Some(Arc::new(variables.into_iter().collect())))
    }

    /// A variable. One that is empty says nothing, as with the clouds' tools.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let value = match &self.0 {
            Some(given) => given.get(name).cloned(),
            None => std::env::var(name).ok(),
        };
        value.filter(|value| !value.is_empty())
    }

    /// The variables whose names begin so, sorted. Those that are no text say nothing.
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

/// Values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(given) => f.debug_list().entries(given.keys()).finish(),
            None => f.write_str("the process's"),
        }
    }
}
