//! Secrets by name: a playbook, and so the journal, holds `{{secret:NAME}}`, and the value is put
//! in when the request leaves.

use std::collections::BTreeMap;

use serde_json::Value;
use stanch_plugins_sdk::core::sealed;

/// Headers that hold nothing but secrets.
const SECRET_HEADERS: &[&str] =
    &["authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"];

/// The values, by name.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, String>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Secrets").field(&self.0.keys()).finish()
    }
}

impl Secrets {
    /// These, by name.
    pub fn new(values: BTreeMap<String, String>) -> Self {
        Self(values)
    }

    /// A text with the values in their places.
    ///
    /// # Errors
    /// In words, when it names a secret that is not there.
    pub(crate) fn fill(&self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{secret:") {
            let (name, behind) =
                after.split_once("}}").ok_or("`{{secret:` has no `}}` behind its name")?;
            let value = self.0.get(name).ok_or_else(|| {
                format!("there is no secret `{name}`: name it under [secrets] in stanch.toml")
            })?;
            filled.push_str(before);
            filled.push_str(value);
            rest = behind;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// JSON with the values in its texts.
    ///
    /// # Errors
    /// In words, when it names a secret that is not there.
    pub(crate) fn fill_json(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => Value::String(self.fill(text)?),
            Value::Array(items) => Value::Array(
                items.iter().map(|item| self.fill_json(item)).collect::<Result<_, _>>()?,
            ),
            Value::Object(members) => {
                let filled = members.iter().map(|(name, v)| Ok((name.clone(), self.fill_json(v)?)));
                Value::Object(filled.collect::<Result<_, String>>()?)
            }
            other => other.clone(),
        })
    }

    /// A text that came from outside, without the values.
    pub(crate) fn hide(&self, text: &str) -> String {
        let hide = |text: String, (name, value): (&String, &String)| match value.as_str() {
            "" => text,
            value => text.replace(value, &format!("{{{{secret:{name}}}}}")),
        };
        self.0.iter().fold(text.to_owned(), hide)
    }
}

/// Why a header must not be sent as it is written, if it must not.
pub(crate) fn bare(name: &str, value: &str) -> Option<String> {
    let is_secret = SECRET_HEADERS.contains(&name.to_ascii_lowercase().as_str());
    let is_open = !value.contains("{{secret:") && value != sealed::SHOWN;
    (is_secret && is_open).then(|| {
        format!(
            "the header `{name}` holds a secret, and the journal must not: name it under [secrets] in stanch.toml and write {{{{secret:NAME}}}}, or hand on what another call gave"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_out_and_do_not_come_back() {
        let secrets = Secrets::new([("a".to_owned(), "s3cret".to_owned())].into());
        assert_eq!(secrets.fill("Bearer {{secret:a}}.").unwrap(), "Bearer s3cret.");
        assert_eq!(secrets.hide("you sent s3cret"), "you sent {{secret:a}}");
        assert!(secrets.fill("{{secret:b}}").unwrap_err().contains("[secrets]"));
        assert!(secrets.fill("{{secret:a").is_err());
        assert!(!format!("{secrets:?}").contains("s3cret"));
        assert!(bare("Authorization", "Bearer x").is_some());
        assert!(bare("Authorization", "Bearer {{secret:a}}").is_none());
    }
}
