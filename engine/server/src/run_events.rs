//! `GET /v1/runs/{id}/events`: the entries of a run's journal as they come, as server-sent events.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use stanch_engine_core::id::RunId;
use stanch_engine_core::journal::Entry;
use stanch_engine_core::limits;
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::Runtime;
use stanch_engine_store::{StoreError, journal, runs};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::App;
use crate::auth::Known;
use crate::paging;
use crate::problem::{Handled, Refusal};

/// The pause between two looks at a journal, in milliseconds.
const LOOK_MS: i64 = 250;

/// After so long without an entry, in milliseconds, something is sent all the same, so that nobody in
/// between takes the connection for dead.
const ALIVE_MS: i64 = 15_000;

/// Entries that are read at a time.
const AT_ONCE: u32 = 500;

/// Places for those who listen: each looks at the database four times a second.
#[derive(Clone)]
pub(crate) struct Listeners(Arc<Semaphore>);

impl Default for Listeners {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(limits::RUN_LISTENERS)))
    }
}

/// Somebody who listens to a run.
struct Listening {
    runtime: Runtime,
    run: RunId,
    next_seq: u32,
    ready: VecDeque<String>,
    said_at: Timestamp,
    is_over: bool,
    stopping: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

/// The entries of a journal from the beginning, or after the one that `Last-Event-ID` names, and then
/// as they come. It ends when the run has ended, or the node stops.
pub(crate) async fn follow(
    State(app): State<App>,
    _caller: Known,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Handled<Response> {
    let run: RunId = paging::id(&id)?;
    let found = app.runtime.store().read(|conn| Box::pin(runs::get(conn, run))).await?;
    found.ok_or_else(|| Refusal::not_found(format!("there is no run {run}")))?;
    let next_seq = after(&headers)?;
    let place = app.listeners.0.clone().try_acquire_owned().map_err(|_| {
        let why = format!("{} listen to runs of this node already", limits::RUN_LISTENERS);
        Refusal::too_many(why, limits::RETRY_AFTER_S)
    })?;
    let listening = Listening {
        said_at: app.runtime.world().now(),
        stopping: app.runtime.stopping(),
        runtime: app.runtime,
        run,
        next_seq,
        ready: VecDeque::new(),
        is_over: false,
        _place: place,
    };
    let events = stream::unfold(listening, |mut listening| async move {
        let event = listening.next().await?;
        Some((event, listening))
    });
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(events.boxed())).into_response())
}

/// The first entry that is wanted.
fn after(headers: &HeaderMap) -> Handled<u32> {
    let Some(last) = headers.get("last-event-id") else { return Ok(0) };
    let last = last.to_str().ok().and_then(|last| last.parse::<u32>().ok());
    let last = last.ok_or_else(|| {
        Refusal::bad_request("`Last-Event-ID` is the number of an entry, as `id` said it")
    })?;
    Ok(last.saturating_add(1))
}

fn event(entry: &Entry) -> String {
    format!("id: {}\nevent: {}\ndata: {}\n\n", entry.seq, entry.event.kind(), json!(entry))
}

impl Listening {
    /// What is sent next; nothing when it is over.
    async fn next(&mut self) -> Option<Result<String, StoreError>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if self.is_over || *self.stopping.borrow() {
                return None;
            }
            if let Err(error) = self.look().await {
                self.is_over = true;
                return Some(Err(error));
            }
            if !self.ready.is_empty() || self.is_over {
                continue;
            }
            let clock = self.runtime.world().clock.clone();
            let now = clock.now();
            if now.ms_since(self.said_at) >= ALIVE_MS {
                self.said_at = now;
                return Some(Ok(": still here\n\n".to_owned()));
            }
            tokio::select! {
                () = clock.sleep_until(now.plus_ms(LOOK_MS)) => {}
                _ = self.stopping.changed() => {}
            }
        }
    }

    /// Reads what is new. The run is looked at first: what it wrote before it ended is there then.
    async fn look(&mut self) -> Result<(), StoreError> {
        let (run, from) = (self.run, self.next_seq);
        let store = self.runtime.store();
        let found = store.read(|conn| Box::pin(runs::get(conn, run))).await?;
        let mut entries =
            store.read(|conn| Box::pin(journal::load(conn, run, from, AT_ONCE))).await?;
        let has_ended = found.as_ref().is_none_or(|run| run.status.is_final());
        if entries.is_empty() && has_ended {
            let archived = self.runtime.journal_of(run).await?.into_iter();
            entries = archived.filter(|entry| entry.seq >= from).collect();
            self.is_over = true;
        }
        if let Some(last) = entries.last() {
            self.next_seq = last.seq + 1;
            self.said_at = self.runtime.world().now();
        }
        self.ready.extend(entries.iter().map(event));
        Ok(())
    }
}
