//! Replaces options of the library in messages by the flags of this command.

use std::borrow::Cow;
use tfjs::parts::manifest::Setting;

/// A message with flags instead of options of the library.
pub(crate) fn in_words(message: &str) -> Cow<'_, str> {
    Setting::rename(message, flag)
}

fn flag(setting: Setting) -> Option<&'static str> {
    match setting {
        Setting::NotStrict => Some("`--no-strict`"),
        Setting::InputShape => Some("`--input-shape NAME=SHAPE`"),
        Setting::TotalTime => Some("`--timeout`"),
        Setting::Cache => Some("`--cache DIR`"),
        Setting::Offline => Some("`--offline`"),
        Setting::CustomLayers => Some("`LoadOptions::custom_layers` of the library, this command takes none"),
        Setting::Limits => Some("`Limits` of the library"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;
    use clap::CommandFactory;

    #[test]
    fn every_flag_is_one_of_the_command() {
        let command = Args::command();
        let inspect = command.find_subcommand("inspect").unwrap();
        let known: Vec<String> =
            inspect.get_arguments().filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect();
        for flag in Setting::ALL.into_iter().filter_map(flag).filter_map(|word| word.strip_prefix('`')) {
            let name = flag.split([' ', '`']).next().unwrap_or_default();
            let cached = cfg!(feature = "cache") || !matches!(name, "--cache" | "--offline");
            assert!(!name.starts_with("--") || !cached || known.iter().any(|known| known == name), "{name}");
        }
    }

    #[test]
    fn options_of_the_library_become_flags() {
        let message = format!("give it with {}", Setting::InputShape);
        assert_eq!(in_words(&message), "give it with `--input-shape NAME=SHAPE`");
    }
}
