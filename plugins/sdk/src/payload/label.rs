//! The words that senders have for how bad it is.

use stanch_engine_core::severity::Severity;

/// The label of a word, in any case; nothing for a word that says something else. `P1` and `SEV1`
/// are the worst of five, as they are with pagers.
pub fn severity_of_word(word: &str) -> Option<Severity> {
    let word: String =
        word.trim().chars().take(24).map(|letter| letter.to_ascii_lowercase()).collect();
    let word = word.trim_start_matches("severity").trim_matches([' ', ':', '-', '_']);
    Some(match word {
        "critical" | "crit" | "fatal" | "emergency" | "emerg" | "disaster" | "page" => {
            Severity::Critical
        }
        "high" | "error" | "err" | "alert" | "major" | "severe" => Severity::High,
        "medium" | "moderate" | "warning" | "warn" | "average" => Severity::Medium,
        "low" | "minor" | "notice" => Severity::Low,
        "informational" | "information" | "info" | "none" | "ok" | "okay" | "success" | "debug"
        | "normal" | "untriaged" => Severity::Informational,
        _ => return of_rank(word),
    })
}

fn of_rank(word: &str) -> Option<Severity> {
    let rank = word.strip_prefix("sev").or_else(|| word.strip_prefix('p'))?;
    Some(match rank.trim_start_matches(['-', ' ', '_']) {
        "0" | "1" => Severity::Critical,
        "2" => Severity::High,
        "3" => Severity::Medium,
        "4" => Severity::Low,
        "5" => Severity::Informational,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_ranks_are_known_and_others_are_not() {
        for (word, expected) in [
            ("CRITICAL", Some(Severity::Critical)),
            ("High", Some(Severity::High)),
            (" warning ", Some(Severity::Medium)),
            ("P1", Some(Severity::Critical)),
            ("sev-2", Some(Severity::High)),
            ("P3", Some(Severity::Medium)),
            ("INFORMATIONAL", Some(Severity::Informational)),
            ("UNTRIAGED", Some(Severity::Informational)),
            ("p", None),
            ("9", None),
            ("", None),
            ("purple", None),
        ] {
            assert_eq!(severity_of_word(word), expected, "{word}");
        }
    }
}
