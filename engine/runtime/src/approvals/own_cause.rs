//! Whose yes does not count: who asks, or wrote what asks, does not answer.

use std::collections::BTreeMap;

use stanch_engine_core::id::RunId;
use stanch_engine_store::{Conn, StoreError, journal, runs};

/// Everybody who started a run or one above it, ran it again, or published its playbook, and which of
/// these.
pub(super) async fn of(
    conn: &mut Conn<'_>,
    run: RunId,
) -> Result<BTreeMap<String, &'static str>, StoreError> {
    let (mut people, mut next) = (BTreeMap::new(), Some(run));
    while let Some(id) = next {
        let Some((run, publisher)) = runs::with_publisher(conn, id).await? else { break };
        if let Some(by) = publisher {
            people.entry(by).or_insert("published the playbook");
        }
        if run.generation > 1 {
            for by in journal::rerun_by(conn, id).await? {
                people.entry(by).or_insert("ran the run again");
            }
        }
        people.insert(starter(&run.requester).to_owned(), "started the run");
        next = run.parent.map(|parent| parent.run);
    }
    Ok(people)
}

/// Who it was that had a run started: `mia` of `mia`, `replay by mia` and `schedule nightly, by mia`.
fn starter(requester: &str) -> &str {
    requester.rsplit_once(" by ").map_or(requester, |(_, person)| person)
}
