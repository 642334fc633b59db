//! `stanch incidents updates …`.

use serde_json::json;

use crate::args::Updates;
use crate::client::Client;
use crate::output;

pub(super) async fn run(client: &Client, what: Updates, as_json: bool) -> anyhow::Result<()> {
    let found = match what {
        Updates::List { id } => client.get(&format!("/incidents/{id}/updates"), &[]).await?,
        Updates::Send { id, text, template, to, every } => {
            let body = json!({"template": template, "to": to, "every": every, "text": text});
            client.post(&format!("/incidents/{id}/updates"), &body).await?
        }
        Updates::Stop { id, template, reason } => {
            let body = json!({"template": template, "reason": reason});
            client.post(&format!("/incidents/{id}/updates/stop"), &body).await?
        }
    };
    if as_json {
        output::json(&found);
        return Ok(());
    }
    let columns = &[
        ("TEMPLATE", "/template"),
        ("TO", "/to"),
        ("EVERY", "/every"),
        ("SENT", "/sent"),
        ("NEXT", "/next_at"),
        ("ERROR", "/error"),
    ];
    output::table(found["items"].as_array().map_or(&[], Vec::as_slice), columns);
    Ok(())
}
