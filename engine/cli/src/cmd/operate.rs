//! `stanch halt|unhalt|token|people`.

use serde_json::{Value, json};
use stanch_engine_runtime::offline::Switch;

use super::break_glass;
use crate::args::{Common, Halt, People, Token, Unhalt};
use crate::client::Client;
use crate::output;

pub(super) async fn halt(common: &Common, args: Halt) -> anyhow::Result<()> {
    let answer = match &args.at_node.offline {
        Some(file) => {
            let by = break_glass::spoken(args.at_node.person.as_deref(), Some(&args.reason));
            break_glass::switch(common, file, Switch::Thrown, by).await?
        }
        None => Client::of(common)?.post("/halt", &json!({"reason": args.reason})).await?,
    };
    switched(common, &answer, "halted: nothing is changed any more, until `stanch unhalt`");
    Ok(())
}

pub(super) async fn unhalt(common: &Common, args: Unhalt) -> anyhow::Result<()> {
    let answer = match &args.at_node.offline {
        Some(file) => {
            let by = break_glass::spoken(args.at_node.person.as_deref(), args.reason.as_deref());
            break_glass::switch(common, file, Switch::Back, by).await?
        }
        None => Client::of(common)?.delete("/halt").await?,
    };
    switched(common, &answer, "no longer halted");
    Ok(())
}

fn switched(common: &Common, answer: &Value, said: &str) {
    match common.json {
        true => output::json(answer),
        false => println!("{said}"),
    }
}

pub(super) async fn token(client: &Client, what: Token, json: bool) -> anyhow::Result<()> {
    match what {
        Token::Create { name, person, roles, expires, accounts, playbooks, max_severity } => {
            let scope = json!({
                "accounts": accounts, "playbooks": playbooks, "max_severity": max_severity,
            });
            let body = json!({
                "name": name, "person": person, "roles": roles, "expires": expires, "scope": scope,
            });
            let made = client.post("/tokens", &body).await?;
            if json { output::json(&made) } else { println!("{}", output::text(&made["token"])) }
        }
        Token::List => {
            let found = client.get("/tokens", &[]).await?;
            if json {
                output::json(&found);
            } else {
                let columns = &[
                    ("NAME", "/name"),
                    ("PERSON", "/person"),
                    ("ROLES", "/roles"),
                    ("SCOPE", "/scope"),
                    ("CREATED", "/created_at"),
                    ("EXPIRES", "/expires_at"),
                    ("REVOKED", "/revoked_at"),
                ];
                output::table(found["items"].as_array().map_or(&[], Vec::as_slice), columns);
            }
        }
        Token::Rotate { name } => {
            let made = client.post(&format!("/tokens/{name}/rotate"), &json!({})).await?;
            if json { output::json(&made) } else { println!("{}", output::text(&made["token"])) }
        }
        Token::Revoke { name } => {
            let answer = client.delete(&format!("/tokens/{name}")).await?;
            if json { output::json(&answer) } else { println!("{name}: revoked") }
        }
    }
    Ok(())
}

/// Whether whoever was disabled had nothing that could be taken back: a name that is nobody's, or
/// somebody whom only the identity provider knows.
fn had_nothing(answer: &Value) -> bool {
    let is_none = |name: &str| answer[name].as_array().is_none_or(Vec::is_empty);
    answer["tokens_revoked"] == 0
        && answer["entrusted_ended"] == 0
        && is_none("decisions_revoked")
        && is_none("containments_handed_over")
}

pub(super) async fn people(client: &Client, what: People, json: bool) -> anyhow::Result<()> {
    let answer = match &what {
        People::Disable { name, reason } => {
            client.post(&format!("/people/{name}/disable"), &json!({"reason": reason})).await?
        }
        People::Enable { name } => {
            client.post(&format!("/people/{name}/enable"), &json!({})).await?
        }
        People::Disabled => client.get("/people/disabled", &[]).await?,
        People::Absent { name, until, delegate, reason } => {
            let body = json!({"until": until, "delegate": delegate, "reason": reason});
            client.post(&format!("/people/{name}/absent"), &body).await?
        }
        People::Back { name } => client.post(&format!("/people/{name}/back"), &json!({})).await?,
        People::Away => client.get("/people/absent", &[]).await?,
    };
    if json {
        output::json(&answer);
        return Ok(());
    }
    match what {
        People::Disable { name, .. } => {
            let approvals = answer["decisions_revoked"].as_array().map_or(0, Vec::len);
            println!(
                "{name}: disabled; {} tokens are revoked, and {approvals} decisions",
                answer["tokens_revoked"]
            );
            if had_nothing(&answer) {
                println!(
                    "nothing here was theirs: if the name is a slip, `stanch people enable {name}`"
                );
            }
        }
        People::Absent { name, until, delegate, .. } => {
            println!("{delegate} stands in for {name} until {until}");
        }
        People::Back { name } => println!("{name} is back"),
        People::Away => {
            let columns = &[
                ("NAME", "/person"),
                ("DELEGATE", "/delegate"),
                ("UNTIL", "/until"),
                ("REASON", "/reason"),
            ];
            output::table(answer["items"].as_array().map_or(&[], Vec::as_slice), columns);
        }
        People::Enable { name } => println!("{name}: enabled; make a token: `stanch token create`"),
        People::Disabled => {
            let columns = &[
                ("NAME", "/name"),
                ("DISABLED", "/disabled_at"),
                ("BY", "/disabled_by"),
                ("REASON", "/reason"),
            ];
            output::table(answer["items"].as_array().map_or(&[], Vec::as_slice), columns);
        }
    }
    Ok(())
}
