//! Where a secret is: a reference to it, never the secret itself.

use serde::Deserialize;

use super::{ConfigError, Variable};

/// Where a token comes from: a reference, never the secret itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenSource {
    /// `env:NAME` or `file:PATH`.
    pub token: Option<Reference>,
}

/// Where a secret is: `env:NAME` or `file:PATH`. It is never shown: it may be the secret itself,
/// written in the wrong place.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Reference(pub(super) String);

impl std::fmt::Debug for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reference")
    }
}

impl TokenSource {
    /// The token, when a place for it is named.
    ///
    /// # Errors
    /// When the place holds none, or the secret itself stands in the file.
    pub fn resolve(&self, variable: Variable<'_>) -> Result<Option<String>, ConfigError> {
        let Some(reference) = &self.token else { return Ok(None) };
        reference.resolve_whole("token", variable).map(Some)
    }
}

impl Reference {
    /// What it refers to.
    pub(crate) fn resolve(&self, key: &str, variable: Variable<'_>) -> Result<String, ConfigError> {
        let secret = match self.0.split_once(':') {
            Some(("env", name)) => variable(name)
                .ok_or_else(|| ConfigError(format!("the variable {name} is not set")))?,
            Some(("file", path)) => std::fs::read_to_string(path)
                .map_err(|error| ConfigError(format!("{path}: {error}")))?,
            _ => {
                let message = format!(
                    "`{key}` must be a reference, `env:NAME` or `file:PATH`: a secret has no place in the configuration"
                );
                return Err(ConfigError(message));
            }
        };
        Ok(secret.trim().to_owned())
    }

    /// The same, of a secret that nobody may guess: a short one is none.
    pub(crate) fn resolve_whole(
        &self,
        key: &str,
        variable: Variable<'_>,
    ) -> Result<String, ConfigError> {
        let secret = self.resolve(key, variable)?;
        if secret.len() < 16 {
            let why = format!("`{key}`: the secret at {} is shorter than 16 characters", self.0);
            return Err(ConfigError(why));
        }
        Ok(secret)
    }
}
