//! `[containments]`: how long what was contained stands before somebody is asked.

use serde::Deserialize;
use stanch_engine_core::limits;
use stanch_engine_core::span::Span;
use stanch_engine_runtime::settings::ContainmentSettings;

use super::ConfigError;

/// How long what was contained stands before somebody is asked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Containments {
    /// After how long its owner is asked; three days unless it is said.
    pub expires: Option<Span>,
    /// The pause until they are asked again; a day unless it is said.
    pub ask_again: Option<Span>,
}

impl Containments {
    pub(crate) fn settings(&self) -> ContainmentSettings {
        let usual = ContainmentSettings::default();
        ContainmentSettings {
            expires: self.expires.unwrap_or(usual.expires),
            ask_again: self.ask_again.unwrap_or(usual.ask_again),
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let ContainmentSettings { expires, ask_again } = self.settings();
        let bounds = Span::from_secs(60)..=Span::from_ms(limits::CONTAINMENT_MS);
        for (name, span) in [("expires", expires), ("ask_again", ask_again)] {
            if !bounds.contains(&span) {
                let message =
                    format!("[containments] `{name}`: {span} is not between a minute and 90 days");
                return Err(ConfigError(message));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;
    use stanch_engine_core::span::Span;

    #[test]
    fn somebody_is_asked_after_three_days_unless_it_is_said() {
        let hours = |h: i64| Span::from_secs(h * 3_600);
        let settings = load("", &[]).unwrap().containments.settings();
        assert_eq!((settings.expires, settings.ask_again), (hours(72), hours(24)));
        let text = "[containments]\nexpires = \"12h\"\nask_again = \"1h\"";
        let settings = load(text, &[]).unwrap().containments.settings();
        assert_eq!((settings.expires, settings.ask_again), (hours(12), hours(1)));
        for text in ["expires = \"1s\"", "ask_again = \"1y\"", "forever = true"] {
            let error = load(&format!("[containments]\n{text}"), &[]).unwrap_err().to_string();
            assert!(error.contains(text.split(' ').next().unwrap()), "{error}");
        }
    }
}
