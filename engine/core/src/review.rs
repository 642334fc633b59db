//! The review after an incident: a checklist, what people answer, the score, and who signs it off.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limits;

/// Questions of every incident: a key, and what is asked.
pub const GENERAL: &[(&str, &str)] = &[
    ("scope", "Is it known which accounts, resources and people were concerned?"),
    ("cause", "Is it known why it could happen, and how it began?"),
    ("first_event", "Is the time of the first malicious event known?"),
    ("evidence", "Was evidence kept before anything was destroyed?"),
    ("containment", "Was it contained as the playbook foresees, and was that seen?"),
    ("communication", "Did everybody who had to know hear of it in time?"),
    ("recovery", "Is everything as it was before, or better?"),
    ("prevention", "Is it written down, with a name and a date, what keeps it from coming again?"),
];

/// A question of an incident's checklist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    /// What it is answered by.
    pub key: String,
    /// What is asked.
    pub text: String,
    /// The playbook that asks; nothing when every incident is asked so.
    pub playbook: Option<String>,
}

/// What people say to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It was so.
    Yes,
    /// It was not.
    No,
    /// It was not to be asked here.
    NotApplicable,
}

/// What was answered, by the questions' keys.
pub type Answers = BTreeMap<String, Answer>;

/// The checklist of an incident in which these playbooks ran, each with the questions of its header.
pub fn checklist<'p>(
    playbooks: impl IntoIterator<Item = (&'p str, &'p [String])>,
) -> Vec<Question> {
    let general = GENERAL.iter().map(|(key, text)| Question {
        key: (*key).to_owned(),
        text: (*text).to_owned(),
        playbook: None,
    });
    let own = playbooks.into_iter().flat_map(|(name, texts)| {
        texts.iter().zip(1..).map(move |(text, number)| Question {
            key: format!("{name}.{number}"),
            text: text.clone(),
            playbook: Some(name.to_owned()),
        })
    });
    general.chain(own).collect()
}

/// What is wrong with the questions of a header, in words.
pub fn fault(questions: &[String]) -> Option<String> {
    let most = limits::REVIEW_QUESTIONS;
    if questions.len() > most {
        return Some(format!("a playbook asks at most {most} questions"));
    }
    let most = limits::EVIDENCE_LABEL_CHARS;
    let is_bad = |text: &&String| text.trim().is_empty() || text.chars().count() > most;
    let bad = questions.iter().find(is_bad)?;
    let begins: String = bad.chars().take(40).collect();
    Some(format!("`{begins}` is empty, or has more than {most} characters"))
}

/// Questions that nobody has answered.
pub fn open<'q>(questions: &'q [Question], answers: &Answers) -> Vec<&'q str> {
    let keys = questions.iter().map(|question| question.key.as_str());
    keys.filter(|key| !answers.contains_key(*key)).collect()
}

/// The score: of the questions that apply, how many were answered with yes, of 100. One that is open may
/// apply, and is no yes. Nothing where nothing was answered, or none applies.
pub fn score(questions: &[Question], answers: &Answers) -> Option<u32> {
    if answers.is_empty() {
        return None;
    }
    let given = |question: &Question| answers.get(&question.key).copied();
    let count = |wanted: Option<Answer>| questions.iter().filter(|it| given(it) == wanted).count();
    let yes = count(Some(Answer::Yes));
    let of = yes + count(Some(Answer::No)) + count(None);
    let of = u32::try_from(of).ok().filter(|of| *of > 0)?;
    Some(u32::try_from(yes).ok()? * 100 / of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checklist_is_that_of_everybody_and_that_of_each_playbook() {
        let own = ["Were all sessions revoked?".to_owned()];
        let list = checklist([("iam", &own[..]), ("quiet", &[])]);
        assert_eq!(list.len(), GENERAL.len() + 1);
        let last = list.last().unwrap();
        assert_eq!((last.key.as_str(), last.playbook.as_deref()), ("iam.1", Some("iam")));
        let mut answers = Answers::from([("scope".to_owned(), Answer::Yes)]);
        assert_eq!(open(&list, &answers).len(), GENERAL.len());
        for question in &list {
            answers.entry(question.key.clone()).or_insert(Answer::No);
        }
        assert!(open(&list, &answers).is_empty());
    }

    #[test]
    fn the_score_is_of_what_applies() {
        let asked =
            |key: usize| Question { key: key.to_string(), text: String::new(), playbook: None };
        let said = |all: &[Answer], open: usize| {
            let questions: Vec<Question> = (0..all.len() + open).map(asked).collect();
            let keyed = all.iter().enumerate().map(|(at, answer)| (at.to_string(), *answer));
            score(&questions, &keyed.collect())
        };
        assert_eq!(said(&[], 0), None);
        assert_eq!(said(&[], 3), None, "nobody reviewed it");
        assert_eq!(said(&[Answer::NotApplicable], 0), None);
        assert_eq!(said(&[Answer::Yes, Answer::NotApplicable], 0), Some(100));
        assert_eq!(said(&[Answer::Yes, Answer::No, Answer::No], 0), Some(33));
        // What is open counts as not done.
        assert_eq!(said(&[Answer::Yes], 1), Some(50));
        assert_eq!(said(&[Answer::Yes, Answer::NotApplicable], 9), Some(10));
        assert_eq!(said(&[Answer::NotApplicable], 1), Some(0));
    }

    #[test]
    fn a_header_asks_what_can_be_read() {
        assert_eq!(fault(&["Was it?".to_owned()]), None);
        assert!(fault(&[" ".to_owned()]).is_some());
        let many: Vec<String> = (0..21).map(|number| number.to_string()).collect();
        assert!(fault(&many).unwrap().contains("at most 20"));
    }
}
