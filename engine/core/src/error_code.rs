//! Codes of the errors that an operator sees, each with a page that says what to do.

/// One code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ErrorCode {
    /// The code, such as `ST0101`.
    pub code: &'static str,
    /// A few words.
    pub title: &'static str,
    /// Its page, in Markdown.
    pub page: &'static str,
}

macro_rules! error_codes {
    ($($name:ident = $code:literal, $title:literal;)*) => {
        $(
            #[doc = $title]
            pub const $name: ErrorCode = ErrorCode {
                code: $code,
                title: $title,
                page: include_str!(concat!("../../../docs/errors/", $code, ".md")),
            };
        )*

        /// Every code.
        pub const ALL: &[ErrorCode] = &[$($name),*];
    };
}

error_codes! {
    DIVERGED = "ST0101", "the run's replay differs from its journal";
    POISON = "ST0102", "the run can't be taken up";
    LIMIT = "ST0103", "the run hit a limit";
    IN_DOUBT = "ST0104", "nobody knows whether a step took place";
    UNVERIFIED = "ST0105", "a change was accepted and is not effective";
    RUN_FAILED = "ST0106", "the run failed";
    PLAYBOOK = "ST0201", "the playbook is wrong";
    NO_PLAYBOOK = "ST0202", "no such playbook is active";
    NOT_FOUND = "ST0301", "there is no such thing";
    BAD_REQUEST = "ST0302", "the request is wrong";
    UNAUTHENTICATED = "ST0303", "the token is missing or unknown";
    FORBIDDEN = "ST0304", "the token may not do this";
    TOO_LARGE = "ST0305", "the body is too large";
    CONFLICT = "ST0306", "it is too late for this";
    UNREADABLE = "ST0401", "the payload can't be read";
    UNKNOWN_SOURCE = "ST0402", "there is no such source";
    TOO_MANY = "ST0403", "too many alerts at once";
    UNPROVEN = "ST0404", "nobody knows who sent it";
    UNCHECKED = "ST0405", "the sender can't be checked now";
    STORE = "ST0501", "the database can't be written";
    NEWER_SCHEMA = "ST0502", "the database belongs to a newer version";
    NOT_DURABLE = "ST0503", "the database would not survive a power cut";
    IN_USE = "ST0504", "the data folder is in use";
    CONFIGURATION = "ST0505", "the configuration is wrong";
    UNSEALABLE = "ST0506", "a sealed value can't be opened";
    EVIDENCE_ELSEWHERE = "ST0507", "the other nodes' evidence lies elsewhere";
    BACKUP = "ST0508", "the backup can't be made or restored";
    EVIDENCE = "ST0509", "the evidence can't be kept or read";
    GUARDED = "ST0601", "a guard rail refused a change";
    BUNDLE = "ST0701", "the bundle does not verify";
    FORKED = "ST0702", "a custody chain is not the one that was anchored";
    AUDIT = "ST0703", "the audit log does not verify";
    TRAIL = "ST0704", "CloudTrail does not say what the journal says";
    CHAIN_END = "ST0705", "the end of a custody chain was changed";
}

/// The code with this name.
pub fn find(code: &str) -> Option<&'static ErrorCode> {
    ALL.iter().find(|c| c.code.eq_ignore_ascii_case(code))
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_its_own_and_has_a_page_that_says_what_to_do() {
        let mut seen = std::collections::HashSet::new();
        for code in ALL {
            assert!(seen.insert(code.code), "{code} stands twice");
            assert!(code.page.starts_with(&format!("# {code}: {}", code.title)), "{code}");
            assert!(code.page.contains("## What to do"), "{code} has no advice");
        }
        assert_eq!(find("st0101"), Some(&DIVERGED));
    }
}
