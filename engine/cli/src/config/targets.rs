//! `[targets.SEVERITY]`: how long things may take.

use stanch_engine_core::kpi::{DURATIONS, Targets, duration};

use super::{Config, ConfigError};

impl Config {
    /// How long things may take, by severity.
    pub(crate) fn kpi_targets(&self) -> Targets {
        Targets(self.targets.clone())
    }

    /// A target of a KPI that there is not would never be missed.
    pub(super) fn check_targets(&self) -> Result<(), ConfigError> {
        for (severity, targets) in &self.targets {
            let unknown = targets.keys().find(|name| duration(name).is_none());
            if let Some(name) = unknown {
                let names: Vec<&str> = DURATIONS.iter().map(|it| it.definition.name).collect();
                return Err(ConfigError(format!(
                    "[targets.{}] `{name}`: it takes {}",
                    severity.as_str(),
                    names.join(", ")
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_of_no_kpi_is_an_error_that_names_the_kpis() {
        let config = |text| toml::from_str::<Config>(text).unwrap();
        config("[targets.high]\ntime_to_contain = \"1h\"").check_targets().unwrap();
        let wrong = config("[targets.high]\nmttr = \"1h\"").check_targets().unwrap_err();
        assert!(wrong.0.contains("[targets.high] `mttr`"), "{}", wrong.0);
        assert!(wrong.0.contains("time_to_contain"), "{}", wrong.0);
    }
}
