//! One bucket of tokens, and the queue before it. Time is handed in, in milliseconds since any
//! moment.

use std::collections::BTreeSet;

use stanch_plugins_sdk::Urgency;

/// How long it takes to be as fast again as before a throttling, in milliseconds.
const RECOVERY_MS: f64 = 300_000.0;

/// Throttlings within so many milliseconds are one: they answer calls that were under way.
const ONE_THROTTLING_MS: i64 = 1_000;

/// The slowest, in calls a second, of what is documented, and of what was learned: a single call
/// that is throttled waits for the engine, and not once more here.
const SLOWEST: f64 = 0.2;
const SLOWEST_LEARNED: f64 = 1.0;

/// How fast calls may follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Calls a second, in the long run.
    pub per_second: f64,
    /// Calls at once, after a pause.
    pub burst: f64,
}

/// A place in a queue: what responds before what collects, and then as they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    urgency: Urgency,
    number: u64,
}

/// Whether a call may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It may, and is out of the queue.
    Now,
    /// Not before so many milliseconds.
    In(i64),
}

/// A bucket of tokens. One without a rate lets everything through until it is throttled; then it
/// has learned one.
#[derive(Debug)]
pub(super) struct Bucket {
    /// What is documented, told or learned.
    whole: Option<Rate>,
    /// Whether `whole` was learned: it is forgotten once it was reached again.
    is_learned: bool,
    /// How fast it fills now.
    per_second: f64,
    tokens: f64,
    filled_at_ms: i64,
    throttled_at_ms: Option<i64>,
    /// The second that calls are counted in, with the count of it and of the one before.
    counted: (i64, u32, u32),
    waiting: BTreeSet<Ticket>,
    tickets: u64,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(rate: Option<Rate>, now_ms: i64) -> Self {
        Self {
            whole: rate,
            is_learned: false,
            per_second: rate.map_or(0.0, |rate| rate.per_second),
            tokens: rate.map_or(0.0, |rate| rate.burst),
            filled_at_ms: now_ms,
            throttled_at_ms: None,
            counted: (0, 0, 0),
            waiting: BTreeSet::new(),
            tickets: 0,
        }
    }

    /// Joins the queue.
    pub(super) fn enter(&mut self, urgency: Urgency) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket { urgency, number: self.tickets };
        self.waiting.insert(ticket);
        ticket
    }

    /// Leaves the queue.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        self.waiting.remove(&ticket);
    }

    /// Takes a token, if it is the ticket's turn and there is one. The last token of a burst is
    /// kept for what responds.
    pub(super) fn ask(&mut self, ticket: Ticket, now_ms: i64) -> Turn {
        self.fill(now_ms);
        let Some(whole) = self.whole else { return self.go(ticket, now_ms) };
        let ahead = self.waiting.range(..ticket).count();
        let kept = match ticket.urgency {
            Urgency::Response => 0.0,
            Urgency::Collection => (whole.burst - 1.0).clamp(0.0, 1.0),
        };
        let needed = real(ahead) + 1.0 + kept - self.tokens;
        if needed <= 1e-9 {
            self.tokens -= 1.0;
            return self.go(ticket, now_ms);
        }
        Turn::In(whole_ms(needed / self.per_second * 1_000.0))
    }

    fn go(&mut self, ticket: Ticket, now_ms: i64) -> Turn {
        self.leave(ticket);
        let second = now_ms.div_euclid(1_000);
        self.counted = match self.counted {
            (counting, count, before) if counting == second => (second, count + 1, before),
            (counting, count, _) if counting == second - 1 => (second, 1, count),
            _ => (second, 1, 0),
        };
        Turn::Now
    }

    fn fill(&mut self, now_ms: i64) {
        let passed_ms = real_ms(now_ms.saturating_sub(self.filled_at_ms).max(0));
        self.filled_at_ms = self.filled_at_ms.max(now_ms);
        let Some(whole) = self.whole else { return };
        self.tokens = (self.tokens + self.per_second * passed_ms / 1_000.0).min(whole.burst);
        let faster = self.per_second + whole.per_second * passed_ms / RECOVERY_MS;
        self.per_second = faster.min(whole.per_second);
        if self.is_learned && self.per_second >= whole.per_second {
            (self.whole, self.is_learned) = (None, false);
        }
    }

    /// AWS throttled a call: from now on half as fast, and slowly back.
    pub(super) fn throttled(&mut self, now_ms: i64) {
        self.fill(now_ms);
        let is_same = self.throttled_at_ms.is_some_and(|at| now_ms - at < ONE_THROTTLING_MS);
        self.throttled_at_ms = Some(now_ms);
        if is_same {
            return;
        }
        let whole = *self.whole.get_or_insert_with(|| {
            let (_, count, before) = self.counted;
            let seen = f64::from(count.max(before).max(1));
            self.is_learned = true;
            self.per_second = seen;
            Rate { per_second: seen, burst: seen }
        });
        let slowest = if self.is_learned { SLOWEST_LEARNED } else { SLOWEST };
        self.per_second = (self.per_second / 2.0).max(slowest.min(whole.per_second));
        self.tokens = 0.0;
    }

    /// Whether it stands as one that is new.
    pub(super) fn is_fresh(&mut self, now_ms: i64) -> bool {
        self.fill(now_ms);
        let is_full = self
            .whole
            .is_none_or(|whole| self.tokens >= whole.burst && self.per_second >= whole.per_second);
        self.waiting.is_empty() && is_full && !self.is_learned
    }
}

#[expect(clippy::cast_precision_loss, reason = "no queue comes near 2^53")]
fn real(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "no process runs for 2^53 milliseconds")]
fn real_ms(ms: i64) -> f64 {
    ms as f64
}

#[expect(clippy::cast_possible_truncation, reason = "it saturates, and is bounded before")]
fn whole_ms(ms: f64) -> i64 {
    (ms.clamp(1.0, 3_600_000.0) - 1e-6).ceil() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use Urgency::{Collection, Response};

    fn bucket(per_second: f64, burst: f64) -> Bucket {
        Bucket::new(Some(Rate { per_second, burst }), 0)
    }

    fn take(bucket: &mut Bucket, urgency: Urgency, now_ms: i64) -> Turn {
        let ticket = bucket.enter(urgency);
        let turn = bucket.ask(ticket, now_ms);
        bucket.leave(ticket);
        turn
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let mut bucket = bucket(2.0, 2.0);
        assert_eq!(take(&mut bucket, Response, 0), Turn::Now);
        assert_eq!(take(&mut bucket, Response, 0), Turn::Now);
        assert_eq!(take(&mut bucket, Response, 0), Turn::In(500));
        assert_eq!(take(&mut bucket, Response, 499), Turn::In(1));
        assert_eq!(take(&mut bucket, Response, 500), Turn::Now);
        let calls = (501..10_501).filter(|now| take(&mut bucket, Response, *now) == Turn::Now);
        assert_eq!(calls.count(), 20);
    }

    #[test]
    fn what_responds_goes_before_what_collects() {
        let mut bucket = bucket(2.0, 1.0);
        assert_eq!(take(&mut bucket, Collection, 0), Turn::Now);
        let queue: Vec<Ticket> = (0..200).map(|_| bucket.enter(Collection)).collect();
        let urgent = bucket.enter(Response);
        assert_eq!(bucket.ask(queue[0], 500), Turn::In(500), "somebody is before it");
        assert_eq!(bucket.ask(urgent, 500), Turn::Now);
        assert_eq!(bucket.ask(queue[0], 1_000), Turn::Now);
        assert_eq!(bucket.ask(queue[199], 1_000), Turn::In(99_500));
    }

    #[test]
    fn the_last_token_of_a_burst_is_kept_for_what_responds() {
        let mut bucket = bucket(2.0, 2.0);
        assert_eq!(take(&mut bucket, Collection, 0), Turn::Now);
        assert_eq!(take(&mut bucket, Collection, 0), Turn::In(500));
        assert_eq!(take(&mut bucket, Response, 0), Turn::Now);
    }

    #[test]
    fn a_throttling_halves_the_rate_and_it_comes_back_slowly() {
        let mut bucket = bucket(8.0, 8.0);
        bucket.throttled(0);
        bucket.throttled(900);
        assert_eq!(take(&mut bucket, Response, 900), Turn::Now, "half of 8/s for 0.9 s");
        assert!((bucket.per_second - 4.0).abs() < 0.1, "once: {}", bucket.per_second);
        bucket.throttled(2_500);
        assert!((bucket.per_second - 2.0).abs() < 0.1, "{}", bucket.per_second);
        for second in 10..10_000 {
            bucket.throttled(second * 2_000);
        }
        assert!(bucket.per_second > 0.1, "{}", bucket.per_second);
        bucket.fill(100_000_000);
        assert!((bucket.per_second - 8.0).abs() < 1e-9);
        assert!(bucket.is_fresh(100_000_000));
    }

    #[test]
    fn what_nobody_has_written_down_is_learned_and_forgotten() {
        let mut bucket = Bucket::new(None, 0);
        for now in 0..100 {
            assert_eq!(take(&mut bucket, Collection, now), Turn::Now);
        }
        bucket.throttled(100);
        assert!((bucket.per_second - 50.0).abs() < 1e-9, "half of 100/s");
        assert_eq!(take(&mut bucket, Response, 100), Turn::In(20));
        assert!(!bucket.is_fresh(100_000));
        for now in 1_000_000..1_000_300 {
            assert_eq!(take(&mut bucket, Collection, now), Turn::Now, "nothing throttles it now");
        }
        assert!(bucket.is_fresh(1_000_300));
    }
}
