//! The bundle of an incident, sent while it is made.

use std::io::Write;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use stanch_engine_core::id::IncidentId;
use stanch_engine_runtime::evidence::bundle::{self, Prepared, Wish};
use stanch_engine_runtime::people::Role;
use tokio::sync::mpsc;

use crate::App;
use crate::auth::Known;
use crate::paging::{self, Params};
use crate::problem::Handled;

/// Pieces that wait to be sent.
const PIECES: usize = 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    #[serde(default)]
    redact: bool,
    head: Option<u64>,
    #[serde(default)]
    broken: bool,
}

type Piece = std::io::Result<Bytes>;

/// The export goes into the custody chain, with the name of the caller. An error after the first
/// byte can only break the connection.
pub(crate) async fn export(
    State(app): State<App>,
    caller: Known,
    Path(id): Path<String>,
    Params(Query { redact, head, broken }): Params<Query>,
) -> Handled<Response> {
    let person = caller.must_be(Role::Responder)?.name.clone();
    let id: IncidentId = paging::id(&id)?;
    let wish = Wish { person, redact, head, broken };
    let prepared = bundle::prepare(&app.runtime, id, &wish).await?;
    let (pieces, sent) = mpsc::channel::<Piece>(PIECES);
    tokio::task::spawn(send(prepared, pieces));
    let sent =
        stream::unfold(
            sent,
            |mut sent| async move { sent.recv().await.map(|piece| (piece, sent)) },
        );
    let name = format!("attachment; filename=\"{id}.zip\"");
    let headers =
        [(header::CONTENT_TYPE, "application/zip".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(sent)).into_response())
}

async fn send(prepared: Prepared, pieces: mpsc::Sender<Piece>) {
    let incident = prepared.incident();
    if let Err(error) = prepared.write(Pipe(pieces.clone())).await {
        let was_wanted = !pieces.is_closed();
        tracing::warn!(%incident, %error, was_wanted, "a bundle was not sent to its end");
        let _ = pieces.send(Err(std::io::Error::other("the bundle can't be made"))).await;
    }
}

/// Sends what is written, and waits for whoever takes it.
struct Pipe(mpsc::Sender<Piece>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let gone = |_| std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
