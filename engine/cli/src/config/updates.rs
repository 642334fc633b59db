//! `[updates.NAME]`: how those who wait are told of an incident.

use std::collections::BTreeMap;

use serde::Deserialize;
use stanch_engine_core::span::Span;
use stanch_engine_core::update::Template;
use stanch_engine_runtime::settings::UpdateSettings;
use stanch_engine_runtime::updates::USUAL;

use super::{Config, ConfigError};

/// How those who wait are told of an incident.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// What they are told, with gaps such as `{{title}}`.
    pub text: String,
    /// Who is told, where nobody says it.
    #[serde(default)]
    pub to: Vec<String>,
    /// How often, where nobody says it; every four hours unless it is said.
    pub every: Option<Span>,
}

impl Config {
    /// The templates, with the one that there always is.
    pub(crate) fn update_settings(&self) -> BTreeMap<String, UpdateSettings> {
        let mut all: BTreeMap<String, UpdateSettings> =
            [(USUAL.to_owned(), UpdateSettings::usual())].into();
        for (name, update) in &self.updates {
            // What can't be read was refused before.
            let Ok(text) = Template::parse(&update.text) else { continue };
            let every = update.every.unwrap_or(UpdateSettings::usual().every);
            all.insert(name.clone(), UpdateSettings { to: update.to.clone(), every, text });
        }
        all
    }

    /// # Errors
    /// [`ConfigError`] names the key.
    pub(super) fn check_updates(&self) -> Result<(), ConfigError> {
        for (name, update) in &self.updates {
            let wrong = |why: String| ConfigError(format!("[updates.{name}] {why}"));
            Template::parse(&update.text).map_err(|why| wrong(format!("`text`: {why}")))?;
            let bounds = Span::from_secs(60)..=Span::from_secs(7 * 86_400);
            if let Some(every) = update.every.filter(|every| !bounds.contains(every)) {
                let why = format!("`every`: {every} is not between a minute and 7 days");
                return Err(wrong(why));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;

    #[test]
    fn a_template_has_gaps_that_there_are() {
        let text = "[updates.board]\ntext = \"{{title}} is {{status}}\"\nto = [\"role:board\"]";
        let settings = load(text, &[]).unwrap().update_settings();
        assert_eq!(settings["board"].to, ["role:board"]);
        assert!(settings["status"].to.is_empty());
        for (text, says) in [
            ("text = \"{{titel}}\"", "did you mean `title`"),
            ("text = \"x\"\nevery = \"1s\"", "between a minute"),
            ("text = \"x\"\nto_whom = []", "to_whom"),
            ("to = []", "text"),
        ] {
            let error = load(&format!("[updates.board]\n{text}"), &[]).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
