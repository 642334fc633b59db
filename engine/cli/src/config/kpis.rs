//! `[kpis.digest]`: whom to tell KPIs, and when.

use serde::Deserialize;
use stanch_engine_core::schedule::Zone;
use stanch_engine_runtime::kpis::digest::DigestSettings;

use super::{Config, ConfigError};

/// What is done with KPIs by itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kpis {
    /// Whom to tell them, and when.
    pub digest: Option<Digest>,
}

/// Whom to tell KPIs, and when.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// Whom: `role:NAME`, or a person.
    pub to: String,
    /// Each Monday.
    #[serde(default = "yes")]
    pub weekly: bool,
    /// On the first of each month.
    #[serde(default)]
    pub monthly: bool,
    /// From which hour of the day on; 8 unless it is said.
    #[serde(default = "eight")]
    pub hour: u32,
    /// On whose clocks weeks, months and hours are counted, such as `Europe/Berlin`; UTC unless it is said.
    #[serde(default)]
    pub zone: Zone,
}

const fn yes() -> bool {
    true
}

const fn eight() -> u32 {
    8
}

impl Config {
    /// Whom to tell KPIs, and when.
    pub(crate) fn digest(&self) -> Result<Option<DigestSettings>, ConfigError> {
        let Some(digest) = &self.kpis.digest else { return Ok(None) };
        let Digest { to, weekly, monthly, hour, zone } = digest.clone();
        let wrong = |why: &str| Err(ConfigError(format!("[kpis.digest] {why}")));
        if to.trim().is_empty() {
            return wrong("`to` is empty: say `role:NAME`, or a person");
        }
        if !weekly && !monthly {
            return wrong("neither `weekly` nor `monthly` is true: leave the section out instead");
        }
        if hour > 23 {
            return wrong("`hour` is an hour of the day, from 0 to 23");
        }
        Ok(Some(DigestSettings { to, is_weekly: weekly, is_monthly: monthly, hour, zone }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Result<Option<DigestSettings>, ConfigError> {
        toml::from_str::<Config>(text).unwrap().digest()
    }

    #[test]
    fn a_digest_is_weekly_at_eight_unless_it_is_said() {
        let told = digest("[kpis.digest]\nto = \"role:responder\"").unwrap().unwrap();
        assert_eq!((told.is_weekly, told.is_monthly, told.hour), (true, false, 8));
        assert_eq!((told.zone.name(), digest("").unwrap()), ("UTC", None));
        let there =
            digest("[kpis.digest]\nto = \"mia\"\nzone = \"Europe/Berlin\"").unwrap().unwrap();
        assert_eq!(there.zone.name(), "Europe/Berlin");
        let nowhere = "[kpis.digest]\nto = \"mia\"\nzone = \"Europe/Berlinn\"";
        let error = toml::from_str::<Config>(nowhere).unwrap_err().to_string();
        assert!(error.contains("Europe/Berlin"), "{error}");
        for (wrong, word) in [
            ("to = \" \"", "`to`"),
            ("to = \"mia\"\nweekly = false", "neither"),
            ("to = \"mia\"\nhour = 24", "`hour`"),
        ] {
            let error = digest(&format!("[kpis.digest]\n{wrong}")).unwrap_err();
            assert!(error.0.contains(word), "{}", error.0);
        }
    }
}
