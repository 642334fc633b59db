//! How many runs a node has in memory. A place is taken before a run is claimed and given back when
//! the run leaves, so that a node never claims more than it has room for, however many claim at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Places for runs.
#[derive(Debug)]
pub(crate) struct Room {
    most: usize,
    taken: AtomicUsize,
}

/// One place, for as long as it is held.
#[derive(Debug)]
pub(crate) struct Place(Arc<Room>);

impl Room {
    /// Room for `most` runs.
    pub(crate) fn of(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: AtomicUsize::new(0) })
    }

    /// Places that are taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    /// Whether none is free.
    pub(crate) fn is_full(&self) -> bool {
        self.taken() >= self.most
    }

    /// Whether so many places are taken that somebody may wait for one.
    pub(crate) fn is_scarce(&self) -> bool {
        self.taken() >= self.most / 2
    }

    /// Takes at most `wanted` places, as many as are free.
    pub(crate) fn take(self: &Arc<Self>, wanted: usize) -> Vec<Place> {
        let mut got = 0;
        let take = |taken: usize| {
            got = wanted.min(self.most.saturating_sub(taken));
            Some(taken + got)
        };
        let _ = self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
        (0..got).map(|_| Place(self.clone())).collect()
    }

    /// A place for a run that begins here, which is not turned away.
    pub(crate) fn take_one_more(self: &Arc<Self>) -> Place {
        self.taken.fetch_add(1, Ordering::AcqRel);
        Place(self.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_places_are_taken_than_there_are_and_each_comes_back() {
        let room = Room::of(4);
        let three = room.take(3);
        assert_eq!((three.len(), room.take(3).len()), (3, 1), "and the one came back at once");
        assert_eq!(room.taken(), 3);
        let beyond = [room.take_one_more(), room.take_one_more()];
        assert!(room.take(1).is_empty() && room.is_scarce() && room.is_full());
        drop((three, beyond));
        assert_eq!(room.taken(), 0);
        assert!(!room.is_scarce());
    }

    #[test]
    fn who_claims_at_the_same_time_shares_what_there_is() {
        let room = Room::of(1_000);
        std::thread::scope(|scope| {
            let claims: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..300).flat_map(|_| room.take(1)).collect::<Vec<_>>()))
                .collect();
            let held: Vec<_> = claims.into_iter().map(|claim| claim.join().unwrap()).collect();
            assert_eq!(held.iter().map(Vec::len).sum::<usize>(), 1_000);
        });
        assert_eq!(room.taken(), 0);
    }
}
