//! What a message tells the caller to set. A message names it as the library does; a program with flags says
//! [its own word](Setting::rename) instead, in one place for all messages.

use std::borrow::Cow;
use std::fmt;

/// Something a caller can set, as messages name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Setting {
    /// Loading although the model and its weights do not fit each other.
    NotStrict,
    /// The shape of an input.
    InputShape,
    /// Layers of the caller's own.
    CustomLayers,
    /// The budgets.
    Limits,
    /// The time a whole load may take.
    TotalTime,
    /// A folder that keeps remote models.
    Cache,
    /// Using no network.
    Offline,
}

impl Setting {
    /// All of them.
    pub const ALL: [Setting; 7] = [
        Setting::NotStrict,
        Setting::InputShape,
        Setting::CustomLayers,
        Setting::Limits,
        Setting::TotalTime,
        Setting::Cache,
        Setting::Offline,
    ];

    /// The library's name, as it stands between backticks.
    fn name(self) -> &'static str {
        match self {
            Setting::NotStrict => "`LoadOptions::with_strict(false)`",
            Setting::InputShape => "`LoadOptions::with_input_shape`",
            Setting::CustomLayers => "`LoadOptions::custom_layers`",
            Setting::Limits => "`Limits`",
            Setting::TotalTime => "`Timeouts::total`",
            Setting::Cache => "`Cache::new`",
            Setting::Offline => "`Cache::with_offline`",
        }
    }

    /// A message with a program's own words for the settings it names; `None` keeps the library's.
    pub fn rename(message: &str, word: impl Fn(Setting) -> Option<&'static str>) -> Cow<'_, str> {
        let mut message = Cow::Borrowed(message);
        for setting in Setting::ALL {
            if let Some(word) = word(setting)
                && message.contains(setting.name())
            {
                message = message.replace(setting.name(), word).into();
            }
        }
        message
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_says_its_own_words() {
        let message = format!("give it with {}, or load with {}", Setting::InputShape, Setting::NotStrict);
        let word = |setting| (setting == Setting::NotStrict).then_some("`--no-strict`");
        let renamed = "give it with `LoadOptions::with_input_shape`, or load with `--no-strict`";
        assert_eq!(Setting::rename(&message, word), renamed);
        assert!(matches!(Setting::rename("nothing to set", word), Cow::Borrowed("nothing to set")));
    }
}
