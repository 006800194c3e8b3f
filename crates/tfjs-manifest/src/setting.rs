//! Settings that messages refer to. Messages contain the library's names; a program with command line flags
//! [replaces them](Setting::rename) by its own, in one place for all messages.

use std::borrow::Cow;
use std::fmt;

/// A setting of the caller that messages refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Setting {
    /// Loading a model although its weights do not match.
    NotStrict,
    /// The shape of an input.
    InputShape,
    /// Custom layers.
    CustomLayers,
    /// The limits.
    Limits,
    /// The time a whole load may take.
    TotalTime,
    /// The cache of remote models.
    Cache,
    /// Loading without the network.
    Offline,
}

impl Setting {
    /// All settings.
    pub const ALL: [Setting; 7] = [
        Setting::NotStrict,
        Setting::InputShape,
        Setting::CustomLayers,
        Setting::Limits,
        Setting::TotalTime,
        Setting::Cache,
        Setting::Offline,
    ];

    /// The library's name in messages, with its backticks.
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

    /// Replaces the names of settings in a message by a program's own names. `None` keeps the library's name.
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
