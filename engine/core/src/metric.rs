//! Numbers about the engine itself: counted by whoever does the work, with nothing but atomics, and
//! written out as Prometheus reads them.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Rows of a family. Labels are names of sources, playbooks and services; what comes beyond is
/// counted under `other`.
const ROWS: usize = 500;

/// What is only counted up.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// How many there were.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a histogram measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Observed in microseconds, written in seconds.
    Seconds,
    /// A number of things.
    Count,
}

/// How often what was observed is at most so much.
#[derive(Debug)]
pub struct Histogram {
    unit: Unit,
    bounds: &'static [u64],
    /// One for each bound, and one for what lies beyond them.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// Upper bounds of how long something takes, in microseconds: from 0.5 ms to a minute.
pub const DURATIONS_US: &[u64] = &[
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// Upper bounds of how many things are done at once.
pub const SIZES: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];

impl Histogram {
    /// An empty one.
    pub fn new(unit: Unit, bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { unit, bounds, counts, sum: AtomicU64::new(0) }
    }

    /// An empty one of how long something takes.
    pub fn of_durations() -> Self {
        Self::new(Unit::Seconds, DURATIONS_US)
    }

    /// Takes a value in.
    pub fn observe(&self, value: u64) {
        let place = self.bounds.iter().position(|bound| value <= *bound);
        if let Some(count) = self.counts.get(place.unwrap_or(self.bounds.len())) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Takes in how long something took.
    pub fn took(&self, duration: std::time::Duration) {
        self.observe(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// A value as it is written.
    fn shown(&self, value: u64) -> f64 {
        match self.unit {
            // Sums stay exact to the microsecond for centuries.
            Unit::Seconds => value as f64 / 1_000_000.0,
            Unit::Count => value as f64,
        }
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::of_durations()
    }
}

/// Numbers of one kind, told apart by the values of some labels.
#[derive(Debug)]
pub struct Family<T> {
    rows: RwLock<Vec<Row<T>>>,
}

type Row<T> = (Box<[Box<str>]>, Arc<T>);

impl<T> Default for Family<T> {
    fn default() -> Self {
        Self { rows: RwLock::default() }
    }
}

impl<T: Default> Family<T> {
    /// The number of these values.
    pub fn of(&self, values: &[&str]) -> Arc<T> {
        let is_row = |row: &&Row<T>| row.0.iter().map(|value| &**value).eq(values.iter().copied());
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = rows.iter().find(is_row) {
            return row.1.clone();
        }
        let is_full = rows.len() >= ROWS;
        drop(rows);
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        let others = vec!["other"; values.len()];
        let values = if is_full { &*others } else { values };
        let is_row = |row: &&Row<T>| row.0.iter().map(|value| &**value).eq(values.iter().copied());
        if let Some(row) = rows.iter().find(is_row) {
            return row.1.clone();
        }
        let row = Arc::new(T::default());
        rows.push((values.iter().map(|value| Box::from(*value)).collect(), row.clone()));
        row
    }

    /// Every row, sorted by its values.
    fn sorted(&self) -> Vec<(Vec<Box<str>>, Arc<T>)> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let mut rows: Vec<_> =
            rows.iter().map(|(values, row)| (values.to_vec(), row.clone())).collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        rows
    }
}

/// Numbers as Prometheus reads them (text format 0.0.4).
#[derive(Debug, Default)]
pub struct Exposition(String);

impl Exposition {
    /// The media type of the text.
    pub const MEDIA_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// The text.
    pub fn into_text(self) -> String {
        self.0
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (at, (label, value)) in labels.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{value}\"", if at == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    /// A number that only goes up.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "counter", help);
        self.sample(name, &[], value as f64);
    }

    /// Numbers that only go up, told apart by labels.
    pub fn counters(&mut self, name: &str, help: &str, labels: &[&str], of: &Family<Counter>) {
        self.head(name, "counter", help);
        for (values, counter) in of.sorted() {
            self.sample(name, &paired(labels, &values), counter.get() as f64);
        }
    }

    /// Numbers that go up and down. Each has its labels.
    pub fn gauges<'l>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Vec<(&'l str, &'l str)>, f64)>,
    ) {
        self.head(name, "gauge", help);
        for (labels, value) in samples {
            self.sample(name, &labels, value);
        }
    }

    /// A histogram.
    pub fn histogram(&mut self, name: &str, help: &str, of: &Histogram) {
        self.head(name, "histogram", help);
        self.buckets(name, &[], of);
    }

    /// Histograms, told apart by labels.
    pub fn histograms(&mut self, name: &str, help: &str, labels: &[&str], of: &Family<Histogram>) {
        self.head(name, "histogram", help);
        for (values, histogram) in of.sorted() {
            self.buckets(name, &paired(labels, &values), &histogram);
        }
    }

    fn buckets(&mut self, name: &str, labels: &[(&str, &str)], of: &Histogram) {
        let bucket = format!("{name}_bucket");
        let bounds = of.bounds.iter().map(|bound| of.shown(*bound).to_string());
        let mut total = 0;
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&of.counts) {
            total += count.load(Ordering::Relaxed);
            let labels: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            self.sample(&bucket, &labels, total as f64);
        }
        let sum = of.shown(of.sum.load(Ordering::Relaxed));
        self.sample(&format!("{name}_sum"), labels, sum);
        self.sample(&format!("{name}_count"), labels, total as f64);
    }
}

fn paired<'v>(labels: &[&'v str], values: &'v [Box<str>]) -> Vec<(&'v str, &'v str)> {
    labels.iter().copied().zip(values.iter().map(|value| &**value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_written_as_prometheus_reads_it() {
        let histogram = Histogram::of_durations();
        for us in [400, 500, 501, 70_000_000] {
            histogram.observe(us);
        }
        let mut text = Exposition::default();
        text.histogram("stanch_x_seconds", "Time.", &histogram);
        let text = text.into_text();
        for line in [
            "# TYPE stanch_x_seconds histogram",
            "stanch_x_seconds_bucket{le=\"0.0005\"} 2",
            "stanch_x_seconds_bucket{le=\"0.001\"} 3",
            "stanch_x_seconds_bucket{le=\"60\"} 3",
            "stanch_x_seconds_bucket{le=\"+Inf\"} 4",
            "stanch_x_seconds_sum 70.001401",
            "stanch_x_seconds_count 4",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in {text}");
        }
    }

    #[test]
    fn rows_are_told_apart_escaped_and_bounded() {
        let family = Family::<Counter>::default();
        family.of(&["a\"\\\n", "x"]).add(2);
        family.of(&["a\"\\\n", "x"]).inc();
        for n in 0..2 * ROWS {
            family.of(&[&n.to_string(), "y"]).inc();
        }
        let mut text = Exposition::default();
        text.counters("stanch_x_total", "Number.", &["one", "two"], &family);
        let text = text.into_text();
        assert!(text.contains("stanch_x_total{one=\"a\\\"\\\\\\n\",two=\"x\"} 3"), "{text}");
        assert!(text.contains("{one=\"other\",two=\"other\"} 501\n"), "{text}");
        assert_eq!(text.lines().count(), 2 + ROWS + 1);
    }
}
