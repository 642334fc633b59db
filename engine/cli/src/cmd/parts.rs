//! `stanch incidents attach|detach`.

use serde_json::json;

use crate::args::Incidents;
use crate::client::Client;
use crate::output;

pub(super) async fn run(client: &Client, what: Incidents, as_json: bool) -> anyhow::Result<()> {
    let (path, body, said) = match what {
        Incidents::Attach { id, to, reason } => {
            let body = json!({"to": to, "reason": reason});
            (format!("/incidents/{id}/attach"), body, format!("{id} is a part of {to}"))
        }
        Incidents::Detach { id, reason } => {
            let said = format!("{id} is a part of nothing");
            (format!("/incidents/{id}/detach"), json!({"reason": reason}), said)
        }
        _ => anyhow::bail!("it makes nothing a part"),
    };
    let found = client.post(&path, &body).await?;
    match as_json {
        true => output::json(&found),
        false => println!("{said}"),
    }
    Ok(())
}
