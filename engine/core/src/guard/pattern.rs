//! Patterns of ARNs, and whether what a call says fits one.
//!
//! A known resource is compared as what it is. A text of which nobody knows what it names is
//! compared so that nothing slips through: it fits when it holds the pattern's name as a word.

use wildmatch::WildMatch;

use super::target::Targets;

/// A pattern of ARNs (`arn:aws:iam::*:role/admin-*`), or of names (`break-glass-*`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArnPattern {
    text: String,
    service: Option<String>,
    account: String,
    /// The resource, or the name where there is no ARN around it.
    resource: String,
}

impl ArnPattern {
    /// Reads a pattern.
    pub fn new(text: &str) -> Self {
        let mut parts = text.splitn(6, ':').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        let (arn, _partition, service, _region, account, resource) =
            (next(), next(), next(), next(), next(), next());
        let text = text.to_owned();
        if arn == "arn" && !resource.is_empty() {
            return Self { text, service: Some(service), account, resource };
        }
        Self { resource: text.clone(), text, service: None, account: String::new() }
    }

    /// Whether it says more of a role or user than its name: its path, which only AWS knows. The
    /// roles of AWS's services are known by their names.
    pub fn wants_paths(&self) -> bool {
        self.path().is_some_and(|path| path != "aws-service-role/")
    }

    /// The path of a pattern of roles or users that says no more than that.
    fn path(&self) -> Option<&str> {
        let is_any =
            self.service.as_deref() == Some("iam") && self.name().chars().all(|c| c == '*');
        let (_, path) = self.resource.split_once('/').filter(|_| is_any)?;
        path.strip_suffix(self.name()).filter(|path| !path.is_empty())
    }

    /// The part that names one thing among others of its kind.
    fn name(&self) -> &str {
        let name = match self.service.as_deref() {
            // What happens to a bucket happens to everything in it.
            Some("s3") => self.resource.split('/').next(),
            _ => self.resource.rsplit(['/', ':']).next(),
        };
        name.unwrap_or(&self.resource)
    }

    /// Whether it is about what runs commands, or says nothing of a service.
    pub(super) fn is_of_machines(&self) -> bool {
        self.service.as_deref().is_none_or(|service| matches!(service, "ec2" | "ssm" | "*"))
    }

    /// The ARN with parts that are not known as they would have to be to fit.
    fn completed(&self, arn: &str) -> String {
        let own: Vec<&str> = self.text.splitn(6, ':').collect();
        let parts = arn.splitn(6, ':').enumerate().map(|(at, part)| match own.get(at) {
            Some(own) if part == "*" && (1..5).contains(&at) && self.service.is_some() => *own,
            _ => part,
        });
        parts.collect::<Vec<_>>().join(":")
    }

    /// Whether a known resource fits. A part of its place that is `*` may be any.
    pub fn fits_arn(&self, arn: &str) -> bool {
        let arn = &*self.completed(arn);
        if fits(&self.text, arn) {
            return true;
        }
        let other = Self::new(arn);
        match self.service.as_deref() {
            None => fits(&self.resource, other.name()),
            Some(service) if Some(service) != other.service.as_deref() => false,
            // A bucket stands for its objects, and the other way round.
            Some("s3") => {
                let whole = !self.resource.contains('/') || !other.resource.contains('/');
                whole && fits(self.name(), other.name())
            }
            // Parameters name roles and users without their paths.
            Some("iam") => {
                let kind = |resource: &str| resource.split('/').next().map(str::to_owned);
                !self.name().chars().all(|c| c == '*')
                    && kind(&self.resource) == kind(&other.resource)
                    && fits(&self.account, &other.account)
                    && fits(self.name(), other.name())
            }
            Some(_) => false,
        }
    }

    /// Whether a text of which nobody knows what it names holds something that fits.
    pub fn fits_word(&self, word: &str, targets: &Targets) -> bool {
        if arns_in(word).any(|arn| self.fits_arn(arn)) {
            return true;
        }
        let here = targets.account.as_deref();
        let elsewhere =
            here.is_some_and(|here| !self.account.is_empty() && !fits(&self.account, here));
        if elsewhere {
            return false;
        }
        let name = self.name();
        if let Some(path) = self.path() {
            return word.contains(path);
        }
        if name.chars().all(|c| c == '*') {
            return self.service.is_some() && self.service == targets.service;
        }
        fits(name, word) || parts(word).any(|part| fits(name, part))
    }
}

/// Capital letters make no difference: neither do they to IAM and RDS, and what is protected by
/// mistake is asked about.
fn fits(pattern: &str, text: &str) -> bool {
    WildMatch::new_case_insensitive(pattern).matches(text)
}

/// The ARNs that stand in a text.
fn arns_in(text: &str) -> impl Iterator<Item = &str> {
    let starts = text.match_indices("arn:").map(|(at, _)| at);
    starts.filter_map(move |at| {
        let rest = text.get(at..)?;
        let end = rest.find(|c: char| c.is_whitespace() || "\"'`,;()[]{}<>".contains(c));
        rest.get(..end.unwrap_or(rest.len()))
    })
}

/// The parts of a text that may be names.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let apart = |c: char| !(c.is_alphanumeric() || "-_.".contains(c));
    text.split(apart).filter(|part| !part.is_empty())
}

/// Whether a text holds a name as a whole word.
pub fn holds(text: &str, name: &str) -> bool {
    text == name || parts(text).any(|part| part == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(service: &str) -> Targets {
        Targets {
            service: Some(service.to_owned()),
            account: Some("111122223333".to_owned()),
            ..Targets::default()
        }
    }

    #[test]
    fn known_resources_are_compared_as_what_they_are() {
        for (pattern, arn, expected) in [
            ("arn:aws:iam::*:role/admin-*", "arn:aws:iam::111122223333:role/admin-1", true),
            ("arn:aws:iam::*:role/admin-*", "arn:aws:iam::111122223333:user/admin-1", false),
            ("arn:aws:iam::444455556666:role/admin", "arn:aws:iam::111122223333:role/admin", false),
            // A call names a role without its path.
            ("arn:aws:iam::*:role/ir/admin", "arn:aws:iam::111122223333:role/admin", true),
            ("arn:aws:iam::*:role/ir/*", "arn:aws:iam::111122223333:role/admin", false),
            ("arn:aws:iam::*:role/ir/*", "arn:aws:iam::111122223333:role/ir/admin", true),
            ("arn:aws:s3:::logs", "arn:aws:s3:::logs/2026/1", true),
            ("arn:aws:s3:::logs/*", "arn:aws:s3:::logs", true),
            ("arn:aws:s3:::logs/a/*", "arn:aws:s3:::logs/b/1", false),
            ("arn:aws:rds:*:*:db:prod", "arn:aws:rds:eu-west-1:111122223333:db:prod", true),
            (
                "arn:aws:rds:us-east-1:*:db:prod",
                "arn:aws:rds:eu-west-1:111122223333:db:prod",
                false,
            ),
            ("arn:aws:rds:us-east-1:*:db:prod", "arn:*:rds:*:111122223333:db:prod", true),
            ("arn:aws-cn:ec2:*:*:instance/*", "arn:*:ec2:*:111122223333:instance/i-1", true),
            ("arn:aws:rds:us-east-1:*:db:prod", "arn:*:rds:*:111122223333:db:test", false),
            ("break-glass-*", "arn:aws:iam::111122223333:user/break-glass-1", true),
            ("arn:aws:rds:*:*:db:payments-*", "arn:aws:rds:eu-west-1:1:db:Payments-1", true),
            ("arn:aws:iam::*:role/Admin", "arn:aws:iam::111122223333:role/admin", true),
        ] {
            assert_eq!(ArnPattern::new(pattern).fits_arn(arn), expected, "{pattern} {arn}");
        }
        assert!(ArnPattern::new("arn:aws:iam::*:role/ir/*").wants_paths());
        assert!(!ArnPattern::new("arn:aws:iam::*:role/ir/admin").wants_paths());
        assert!(!ArnPattern::new("arn:aws:iam::*:role/*").wants_paths());
    }

    #[test]
    fn nothing_slips_through_in_a_text_that_nobody_knows() {
        for (pattern, word, expected) in [
            ("arn:aws:iam::*:role/admin", "admin", true),
            ("arn:aws:iam::*:role/admin", "administrator", false),
            ("arn:aws:iam::*:role/ci", "ci-deploy", false),
            ("arn:aws:iam::444455556666:role/admin", "admin", false),
            ("arn:aws:s3:::log-archive", "{\"Resource\":\"arn:aws:s3:::log-archive/*\"}", true),
            ("arn:aws:s3:::log-archive", "s3://log-archive/x", true),
            ("arn:aws:dynamodb:*:*:table/prod-*", "prod-orders", true),
            ("arn:aws:rds:*:*:db:*", "anything", false),
        ] {
            assert_eq!(
                ArnPattern::new(pattern).fits_word(word, &targets("iam")),
                expected,
                "{pattern} {word}"
            );
        }
        assert!(ArnPattern::new("arn:aws:rds:*:*:db:*").fits_word("anything", &targets("rds")));
    }
}
