//! The writer and SQLite's own thread on one core.
//!
//! The driver runs each statement on a thread of its own, for which the writer waits: one of the two
//! sleeps at any time. On two cores every statement wakes a core up that has gone to sleep, twice,
//! which costs ten times what the statement does. On one core it is a change of threads.

/// Keeps this thread, and those that it starts, to one of the cores that it may use. Where that can't
/// be done, it is only slower.
#[cfg(target_os = "linux")]
pub(crate) fn keep_to_one_core() {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let Ok(allowed) = sched_getaffinity(None) else { return };
    // The first cores are those on which most else goes on.
    if let Some(core) = (0..CpuSet::MAX_CPU).rev().find(|core| allowed.is_set(*core)) {
        let mut one = CpuSet::new();
        one.set(core);
        if let Err(error) = sched_setaffinity(None, &one) {
            tracing::debug!(%error, "the writer is on any core");
        }
    }
}

/// Elsewhere threads can't be kept anywhere.
#[cfg(not(target_os = "linux"))]
pub(crate) fn keep_to_one_core() {}
