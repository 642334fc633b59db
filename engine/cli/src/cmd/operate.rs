//! `stanch halt|unhalt|token`.

use serde_json::json;

use crate::args::{Reason, Token};
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
        Token::Create { name, roles } => {
            let made = client.post("/tokens", &json!({"name": name, "roles": roles})).await?;
            if json { output::json(&made) } else { println!("{}", output::text(&made["token"])) }
        }
        Token::List => {
            let found = client.get("/tokens", &[]).await?;
            if json {
                output::json(&found);
            } else {
                let columns = &[
                    ("NAME", "/name"),
                    ("ROLES", "/roles"),
                    ("CREATED", "/created_at"),
                    ("REVOKED", "/revoked_at"),
                ];
                output::table(found["items"].as_array().map_or(&[], Vec::as_slice), columns);
            }
        }
        Token::Revoke { name } => {
            let answer = client.delete(&format!("/tokens/{name}")).await?;
            if json { output::json(&answer) } else { println!("{name}: revoked") }
        }
    }
    Ok(())
}
