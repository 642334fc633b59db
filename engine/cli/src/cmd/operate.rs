//! `stanch halt|unhalt|token|people`.

use serde_json::json;

use crate::args::{People, Reason, Token};
use crate::client::Client;
use crate::output;

pub(super) async fn halt(client: &Client, args: Reason, json: bool) -> anyhow::Result<()> {
    let answer = client.post("/halt", &json!({"reason": args.reason})).await?;
    if json {
        output::json(&answer);
    } else {
        println!("halted: nothing is changed any more, until `stanch unhalt`");
    }
    Ok(())
}

pub(super) async fn unhalt(client: &Client, json: bool) -> anyhow::Result<()> {
    let answer = client.delete("/halt").await?;
    if json {
        output::json(&answer)
    } else {
        println!("no longer halted")
    }
    Ok(())
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
