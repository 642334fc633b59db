//! `stanch incidents create|note|verdict|milestone|close|reopen`.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::args::Incidents;
use crate::client::Client;
use crate::output;

pub(super) async fn run(client: &Client, what: Incidents, as_json: bool) -> anyhow::Result<()> {
    let (path, body, said) = match what {
        Incidents::Create { title, severity, account, region, description, resources } => {
            let resources: Vec<Value> =
                resources.iter().map(|text| resource(text)).collect::<anyhow::Result<_>>()?;
            let body = json!({
                "title": title, "severity": severity, "account": account, "region": region,
                "description": description, "resources": resources,
            });
            let opened = client.post("/incidents", &body).await?;
            match as_json {
                true => output::json(&opened),
                false => println!("{}", output::text(&opened["incident_id"])),
            }
            return Ok(());
        }
        Incidents::Note { id, text } => {
            (format!("{id}/note"), json!({"text": text}), "it is written down".to_owned())
        }
        Incidents::Verdict { id, verdict, reason } => {
            let said = format!("{id} is a {verdict}");
            (format!("{id}/verdict"), json!({"verdict": verdict, "reason": reason}), said)
        }
        Incidents::Milestone { id, milestone, at, reason } => {
            let said = format!("{milestone} of {id} is marked");
            let body = json!({"milestone": milestone, "at": at, "reason": reason});
            (format!("{id}/milestone"), body, said)
        }
        Incidents::Assign { id, lead, scribe, communications, reason } => {
            let body = json!({
                "lead": lead, "scribe": scribe, "communications": communications, "reason": reason,
            });
            (format!("{id}/assign"), body, format!("{id}: it is written down who does what"))
        }
        Incidents::Close {
            id,
            verdict,
            force,
            impact,
            root_cause,
            lessons,
            action_items,
            reason,
        } => {
            let body = json!({
                "verdict": verdict, "force": force, "reason": reason, "impact": impact,
                "root_cause": root_cause, "lessons": lessons, "action_items": action_items,
            });
            (format!("{id}/close"), body, format!("{id} is closed"))
        }
        Incidents::Reopen { id, reason } => {
            (format!("{id}/reopen"), json!({"reason": reason}), format!("{id} is open again"))
        }
        _ => anyhow::bail!("it is no work on an incident"),
    };
    let found = client.post(&format!("/incidents/{path}"), &body).await?;
    match as_json {
        true => output::json(&found),
        false => println!("{said}"),
    }
    Ok(())
}

fn resource(text: &str) -> anyhow::Result<Value> {
    let parts = text.split_once('=');
    let (kind, id) = parts.with_context(|| {
        format!("`--resource {text}`: write TYPE=ID, such as AwsEc2Instance=i-0abc1234")
    })?;
    Ok(json!({"type": kind, "id": id}))
}
