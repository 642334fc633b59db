//! What those who wait are told of an incident: a text with gaps that only known facts fill.

use std::collections::BTreeMap;

use crate::limits;
use crate::suggest;

/// A gap that a fact fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// The incident's id.
    Id,
    /// Its title.
    Title,
    /// How bad it is.
    Severity,
    /// Where it stands.
    Status,
    /// What people made of it.
    Verdict,
    /// When it was opened.
    OpenedAt,
    /// When it was contained.
    ContainedAt,
    /// Who leads.
    Lead,
    /// How many approvals wait for people.
    Waits,
    /// What people said for this update.
    Said,
    /// Which update it is, from 1.
    Number,
    /// When it is told.
    At,
}

impl Gap {
    /// Every gap.
    pub const ALL: [Self; 12] = [
        Self::Id,
        Self::Title,
        Self::Severity,
        Self::Status,
        Self::Verdict,
        Self::OpenedAt,
        Self::ContainedAt,
        Self::Lead,
        Self::Waits,
        Self::Said,
        Self::Number,
        Self::At,
    ];

    /// The word in a template.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Title => "title",
            Self::Severity => "severity",
            Self::Status => "status",
            Self::Verdict => "verdict",
            Self::OpenedAt => "opened_at",
            Self::ContainedAt => "contained_at",
            Self::Lead => "lead",
            Self::Waits => "waits",
            Self::Said => "said",
            Self::Number => "number",
            Self::At => "at",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Gap(Gap),
}

/// A text with gaps, written `{{title}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

/// What is told where nobody has written a template.
pub const USUAL: &str = "Update {{number}} on {{id}}: {{title}}. It is {{severity}} and {{status}}, open \
                         since {{opened_at}}, contained at {{contained_at}}. Lead: {{lead}}. {{said}}";

impl Template {
    /// One that says nothing.
    pub const fn empty() -> Self {
        Self(Vec::new())
    }

    /// Reads one.
    ///
    /// # Errors
    /// In words, when a gap is none that there is, or is not closed.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() || text.chars().count() > limits::NOTE_CHARS {
            return Err(format!("a template has 1 to {} characters", limits::NOTE_CHARS));
        }
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let closed = after.split_once("}}").ok_or("`{{` is not closed by `}}`")?;
            let name = closed.0.trim();
            let gap = Gap::ALL.into_iter().find(|gap| gap.as_str() == name).ok_or_else(|| {
                let names = Gap::ALL.map(Gap::as_str);
                let hint = suggest::hint(name, names);
                format!("there is no `{{{{{name}}}}}`{hint}: there are {}", names.join(", "))
            })?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Gap(gap));
            rest = closed.1;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// The text with its gaps filled. What is not known is a dash; what fills a gap has none itself.
    pub fn filled(&self, facts: &BTreeMap<Gap, String>) -> String {
        let fill = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Gap(gap) => facts.get(gap).cloned().unwrap_or_else(|| "-".to_owned()),
        };
        self.0.iter().map(fill).collect::<String>().trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_once_and_what_is_not_known_is_a_dash() {
        let template = Template::parse("{{ title }} is {{status}}, {{lead}}. {{said}}").unwrap();
        let facts = [
            (Gap::Title, "A {{status}} laptop".to_owned()),
            (Gap::Status, "open".to_owned()),
            (Gap::Said, String::new()),
        ];
        assert_eq!(template.filled(&facts.into()), "A {{status}} laptop is open, -.");
        assert!(Template::parse(USUAL).is_ok());
    }

    #[test]
    fn what_is_no_gap_is_refused_where_it_is_read() {
        for (text, says) in [
            ("{{titel}}", "did you mean `title`"),
            ("{{secret}}", "there are id, title"),
            ("{{title", "not closed"),
            ("", "1 to"),
            (" ", "1 to"),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
