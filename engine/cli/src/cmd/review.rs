//! `stanch incidents review|sign-off`.

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use crate::args::Incidents;
use crate::client::Client;
use crate::output;

/// How a checklist is shown.
const COLUMNS: &[(&str, &str)] = &[("KEY", "/key"), ("ANSWER", "/answer"), ("QUESTION", "/text")];

pub(super) async fn run(client: &Client, what: Incidents, as_json: bool) -> anyhow::Result<()> {
    let found = match what {
        Incidents::Review { id, answers, reason } => {
            let path = format!("/incidents/{id}/review");
            if answers.is_empty() {
                client.get(&path, &[]).await?
            } else {
                let pair = |text: &String| {
                    let (key, answer) = text.split_once('=')?;
                    Some((key.to_owned(), json!(answer)))
                };
                let answers: Option<Map<String, Value>> = answers.iter().map(pair).collect();
                let answers = answers.context("`--answer` is KEY=yes, no or not_applicable")?;
                client.post(&path, &json!({"answers": answers, "reason": reason})).await?
            }
        }
        Incidents::SignOff { id, reason } => {
            let path = format!("/incidents/{id}/review/sign-off");
            client.post(&path, &json!({"reason": reason})).await?
        }
        _ => anyhow::bail!("it is no review"),
    };
    if as_json {
        output::json(&found);
        return Ok(());
    }
    let answered = |question: &Value| {
        let mut line = question.clone();
        let key = output::text(&question["key"]);
        line["answer"] = found["answers"][&key].clone();
        line
    };
    let questions = found["questions"].as_array().map(Vec::as_slice).unwrap_or_default();
    output::table(&questions.iter().map(answered).collect::<Vec<_>>(), COLUMNS);
    for (name, says) in [("score", "score, of 100"), ("signed_off_by", "signed off by")] {
        if !found[name].is_null() {
            println!("{says}: {}", output::text(&found[name]));
        }
    }
    Ok(())
}
