//! How often AWS may be called: a bucket of tokens for each account, region and operation.
//!
//! Owns: how fast each is called, from what AWS documents, from the configuration, and from being
//! throttled; and who goes first where calls have to wait: what responds, before what collects.
//!
//! Must never: retry. A call that is throttled nevertheless is tried again by the engine.
//!
//! Start reading at [`Quotas::turn`]; [`bucket`] is the logic, without time or tasks.

mod bucket;
mod table;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bucket::{Bucket, Ticket, Turn};
use stanch_plugins_sdk::{Patience, Urgency};
use tokio::time::Instant;

pub use bucket::Rate;

/// Buckets that are kept. One that stands as it began is forgotten when there are more.
const BUCKETS: usize = 10_000;

/// Services with one endpoint for all regions.
const GLOBAL: [&str; 6] = ["cloudfront", "iam", "organizations", "route53", "shield", "support"];

/// What a bucket is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Counter {
    account: String,
    region: String,
    operation: String,
}

impl Counter {
    /// The counter of an operation, as `service:Operation`, in an account and a region.
    pub(crate) fn new(account: Option<&str>, region: &str, operation: String) -> Self {
        let service = operation.split(':').next().unwrap_or_default();
        let region = if GLOBAL.contains(&service) { "" } else { region };
        Self {
            account: account.unwrap_or_default().to_owned(),
            region: region.to_owned(),
            operation,
        }
    }
}

/// The buckets of a client.
pub(crate) struct Quotas {
    told: BTreeMap<String, Rate>,
    origin: Instant,
    buckets: Mutex<HashMap<Counter, Bucket>>,
}

impl Quotas {
    /// Buckets that fill as told, else as AWS documents.
    pub(crate) fn new(told: BTreeMap<String, Rate>) -> Self {
        Self { told, origin: Instant::now(), buckets: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Counter, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> i64 {
        i64::try_from(self.origin.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn with<T>(&self, counter: &Counter, body: impl FnOnce(&mut Bucket, i64) -> T) -> T {
        let now_ms = self.now_ms();
        let mut buckets = self.lock();
        if buckets.len() > BUCKETS {
            buckets.retain(|_, bucket| !bucket.is_fresh(now_ms));
        }
        let bucket = buckets
            .entry(counter.clone())
            .or_insert_with(|| Bucket::new(table::rate(&counter.operation, &self.told), now_ms));
        body(bucket, now_ms)
    }

    /// Waits until it is the turn of a call. The time that it waits is not the attempt's.
    pub(crate) async fn turn(&self, counter: &Counter, urgency: Urgency, patience: &Patience) {
        let ticket = self.with(counter, |bucket, _| bucket.enter(urgency));
        let place = Place { quotas: self, counter, ticket };
        let mut waiting = None;
        loop {
            match self.with(counter, |bucket, now_ms| bucket.ask(place.ticket, now_ms)) {
                Turn::Now => return,
                Turn::In(pause_ms) => {
                    waiting.get_or_insert_with(|| patience.wait());
                    let pause = Duration::from_millis(u64::try_from(pause_ms).unwrap_or(0).max(1));
                    pass(pause).await;
                }
            }
        }
    }

    /// AWS said that there were too many calls.
    pub(crate) fn throttled(&self, counter: &Counter) {
        self.with(counter, Bucket::throttled);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "AWS counts by the time of the world, wherever a test's clock stands"
)]
async fn pass(pause: Duration) {
    tokio::time::sleep(pause).await;
}

/// A place in the queue, given up when nobody waits there any more.
struct Place<'a> {
    quotas: &'a Quotas,
    counter: &'a Counter,
    ticket: Ticket,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.quotas.with(self.counter, |bucket, _| bucket.leave(self.ticket));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn counter() -> Counter {
        Counter::new(Some("111122223333"), "us-east-1", "cloudtrail:LookupEvents".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn what_responds_does_not_wait_behind_two_hundred_that_collect() {
        let quotas = Arc::new(Quotas::new(BTreeMap::new()));
        let done = Arc::new(Mutex::new(Vec::new()));
        let call = |name: String, urgency| {
            let (quotas, done) = (quotas.clone(), done.clone());
            async move {
                quotas.turn(&counter(), urgency, &Patience::default()).await;
                done.lock().unwrap().push(name);
            }
        };
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..200 {
            tasks.spawn(call(format!("collect {number}"), Urgency::Collection));
        }
        pass(Duration::from_secs(3)).await;
        let before = done.lock().unwrap().len();
        let began = Instant::now();
        call("execute".to_owned(), Urgency::Response).await;
        assert!(began.elapsed() <= Duration::from_millis(500), "{:?}", began.elapsed());
        let order = done.lock().unwrap().clone();
        let place = order.iter().position(|name| name == "execute").unwrap();
        assert!(place <= before + 1, "{before} {place}");
        assert!(before < 10, "{before}");
        while tasks.join_next().await.is_some() {}
        assert_eq!(done.lock().unwrap().len(), 201);
        let seconds = quotas.origin.elapsed().as_secs();
        assert!((98..=102).contains(&seconds), "200 calls at 2/s took {seconds} s");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_leaves_the_queue() {
        let quotas = Quotas::new(BTreeMap::new());
        let (counter, patience) = (counter(), Patience::default());
        for _ in 0..2 {
            quotas.turn(&counter, Urgency::Response, &patience).await;
        }
        let given_up = quotas.turn(&counter, Urgency::Response, &patience);
        assert!(tokio::time::timeout(Duration::from_millis(100), given_up).await.is_err());
        assert!(!patience.is_waiting());
        let began = Instant::now();
        quotas.turn(&counter, Urgency::Response, &patience).await;
        assert!(began.elapsed() <= Duration::from_millis(500));
    }

    #[test]
    fn global_services_have_one_counter_for_all_regions() {
        let of = |region, operation: &str| Counter::new(None, region, operation.to_owned());
        assert_eq!(of("eu-west-1", "iam:GetUser"), of("us-east-1", "iam:GetUser"));
        assert_ne!(of("eu-west-1", "ec2:DescribeVpcs"), of("us-east-1", "ec2:DescribeVpcs"));
    }
}
