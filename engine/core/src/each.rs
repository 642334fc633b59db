//! How `each` goes through its items: how many at once, in which waves, and how many may fail.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits;

/// What `each` may be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EachOptions {
    /// How many items are worked on at once.
    #[serde(default)]
    pub max_concurrency: Option<usize>,
    /// How many items may fail: a number of all, or a share of each wave. None, unless it is said.
    #[serde(default)]
    pub max_errors: Option<Share>,
    /// One item, or a few, that go before all others.
    #[serde(default)]
    pub canary: Option<Share>,
    /// Up to how many items each wave goes; the last is `"100%"`.
    #[serde(default)]
    pub waves: Option<Vec<Share>>,
}

/// A number, or a share such as `"10%"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// So many.
    Count(usize),
    /// So many of a hundred.
    Percent(usize),
}

/// Why the options can't be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongEach {
    /// Nothing would ever begin, or too much at once.
    #[error("`max_concurrency` is a number from 1 to {}", limits::EACH_CONCURRENCY)]
    Concurrency,
    /// Both say how it begins.
    #[error("`canary` is the first of the `waves`: say one of the two")]
    CanaryAndWaves,
    /// Some items would belong to no wave.
    #[error("the last of the `waves` must be \"100%\", so that every item has one")]
    LastWave,
    /// A wave that ends before the one ahead of it.
    #[error("each of the `waves` says up to how many items it goes, so that they must grow")]
    ShrinkingWaves,
}

impl Share {
    const ALL: Self = Self::Percent(100);

    /// Of `total`, a broken item counted as none.
    pub const fn floor(self, total: usize) -> usize {
        match self {
            Self::Count(count) if count < total => count,
            Self::Count(_) => total,
            Self::Percent(percent) => total * percent / 100,
        }
    }

    /// Of `total`, a broken item counted as one.
    pub const fn ceil(self, total: usize) -> usize {
        match self {
            Self::Count(_) => self.floor(total),
            Self::Percent(percent) => (total * percent).div_ceil(100),
        }
    }
}

/// The course of one `each`: which item may begin, and whether too many have failed.
#[derive(Clone, Debug)]
pub struct Course {
    max_concurrency: usize,
    max_errors: Share,
    /// Up to which item each wave goes.
    ends: Vec<usize>,
    wave: usize,
    started: usize,
    running: usize,
    failed: usize,
    failed_in_wave: usize,
    is_stopped: bool,
}

impl Course {
    /// The course through `total` items.
    ///
    /// # Errors
    /// [`WrongEach`] when the options contradict themselves.
    pub fn new(options: &EachOptions, total: usize) -> Result<Self, WrongEach> {
        let max_concurrency = options.max_concurrency.unwrap_or(limits::EACH_CONCURRENCY_USUAL);
        if max_concurrency == 0 || max_concurrency > limits::EACH_CONCURRENCY {
            return Err(WrongEach::Concurrency);
        }
        let waves = match (&options.canary, &options.waves) {
            (Some(_), Some(_)) => return Err(WrongEach::CanaryAndWaves),
            (Some(canary), None) => vec![*canary, Share::ALL],
            (None, Some(waves)) => waves.clone(),
            (None, None) => vec![Share::ALL],
        };
        if waves.last() != Some(&Share::ALL) {
            return Err(WrongEach::LastWave);
        }
        let mut ends: Vec<usize> = waves.iter().map(|share| share.ceil(total)).collect();
        if !ends.is_sorted() {
            return Err(WrongEach::ShrinkingWaves);
        }
        ends.dedup();
        ends.retain(|end| *end > 0);
        Ok(Self {
            max_concurrency,
            max_errors: options.max_errors.unwrap_or(Share::Count(0)),
            ends,
            wave: 0,
            started: 0,
            running: 0,
            failed: 0,
            failed_in_wave: 0,
            is_stopped: false,
        })
    }

    /// The next item that begins now, if one may.
    pub fn begin(&mut self) -> Option<usize> {
        let end = *self.ends.get(self.wave)?;
        if self.is_stopped || self.running >= self.max_concurrency || self.started >= end {
            return None;
        }
        self.running += 1;
        self.started += 1;
        Some(self.started - 1)
    }

    /// An item came to its end.
    pub fn end(&mut self, has_failed: bool) {
        self.running -= 1;
        if has_failed {
            self.failed += 1;
            self.failed_in_wave += 1;
        }
        self.is_stopped |= self.has_too_many_errors();
        let is_through = self.running == 0 && self.ends.get(self.wave) == Some(&self.started);
        if is_through && !self.is_stopped {
            self.is_stopped = self.has_lost_wave();
            self.wave += 1;
            self.failed_in_wave = 0;
        }
    }

    /// Whether too many items have failed, so that no further one begins.
    pub const fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// How many items have begun.
    pub const fn started(&self) -> usize {
        self.started
    }

    /// How many items have failed.
    pub const fn failed(&self) -> usize {
        self.failed
    }

    fn wave_size(&self) -> usize {
        let begins = self.wave.checked_sub(1).and_then(|wave| self.ends.get(wave)).copied();
        self.ends.get(self.wave).map_or(0, |end| end - begins.unwrap_or(0))
    }

    fn has_too_many_errors(&self) -> bool {
        match self.max_errors {
            Share::Count(count) => self.failed > count,
            Share::Percent(_) => self.failed_in_wave > self.max_errors.floor(self.wave_size()),
        }
    }

    /// A wave of which nothing worked is followed by no other, whatever may fail in all.
    fn has_lost_wave(&self) -> bool {
        let is_last = self.wave + 1 == self.ends.len();
        !is_last && self.failed_in_wave == self.wave_size()
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => count.serialize(serializer),
            Self::Percent(percent) => serializer.collect_str(&format_args!("{percent}%")),
        }
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Count(i64),
            Text(String),
            Other(serde_json::Value),
        }
        let wrong = |what: String| {
            serde::de::Error::custom(format!(
                "{what} is neither a number nor a share such as \"10%\""
            ))
        };
        match Written::deserialize(deserializer)? {
            Written::Count(count) => {
                usize::try_from(count).map(Self::Count).map_err(|_| wrong(count.to_string()))
            }
            Written::Text(text) => {
                let percent = text.strip_suffix('%').and_then(|digits| digits.parse().ok());
                let percent = percent.filter(|percent| *percent <= 100);
                percent.map(Self::Percent).ok_or_else(|| wrong(format!("\"{text}\"")))
            }
            Written::Other(other) => Err(wrong(other.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn course(options: serde_json::Value, total: usize) -> Course {
        let options: EachOptions = serde_json::from_value(options).unwrap();
        Course::new(&options, total).unwrap()
    }

    /// Begins what may begin.
    fn begun(course: &mut Course) -> Vec<usize> {
        std::iter::from_fn(|| course.begin()).collect()
    }

    #[test]
    fn items_begin_in_order_and_so_many_at_once() {
        let mut course = course(json!({"max_concurrency": 2}), 5);
        assert_eq!(begun(&mut course), [0, 1]);
        course.end(false);
        assert_eq!(begun(&mut course), [2]);
        course.end(false);
        course.end(false);
        assert_eq!(begun(&mut course), [3, 4]);
        course.end(false);
        course.end(false);
        assert!(begun(&mut course).is_empty() && !course.is_stopped());
    }

    #[test]
    fn the_first_error_stops_it_unless_more_may_fail() {
        let mut strict = course(json!({"max_concurrency": 1}), 3);
        assert_eq!(begun(&mut strict), [0]);
        strict.end(true);
        assert!(strict.is_stopped() && begun(&mut strict).is_empty());
        let mut lenient = course(json!({"max_concurrency": 1, "max_errors": 1}), 3);
        lenient.begin();
        lenient.end(true);
        assert!(!lenient.is_stopped());
        lenient.begin();
        lenient.end(true);
        assert!(lenient.is_stopped());
    }

    #[test]
    fn a_share_is_of_each_wave_and_rounded_down() {
        let mut course = course(json!({"max_errors": "50%", "waves": [4, "100%"]}), 8);
        assert_eq!(begun(&mut course), [0, 1, 2, 3]);
        for failed in [true, true, false, false] {
            course.end(failed);
        }
        assert_eq!(begun(&mut course), [4, 5, 6, 7], "two of four may fail");
        for _ in 0..3 {
            course.end(true);
        }
        assert!(course.is_stopped(), "three of four may not");
    }

    #[test]
    fn a_wave_waits_for_the_one_before_it() {
        let mut course = course(json!({"waves": [1, "50%", "100%"]}), 4);
        assert_eq!(begun(&mut course), [0]);
        course.end(false);
        assert_eq!(begun(&mut course), [1]);
        course.end(false);
        assert_eq!(begun(&mut course), [2, 3]);
    }

    #[test]
    fn a_canary_that_dies_is_the_last_whatever_may_fail() {
        let mut course = course(json!({"canary": 1, "max_errors": "100%"}), 4);
        assert_eq!(begun(&mut course), [0]);
        course.end(true);
        assert!(course.is_stopped() && begun(&mut course).is_empty());
    }

    #[test]
    fn all_may_fail_where_that_is_said() {
        let mut course = course(json!({"max_errors": "100%"}), 3);
        assert_eq!(begun(&mut course).len(), 3);
        for _ in 0..3 {
            course.end(true);
        }
        assert!(!course.is_stopped());
    }

    #[test]
    fn options_that_contradict_themselves_are_refused() {
        for (options, why) in [
            (json!({"max_concurrency": 0}), WrongEach::Concurrency),
            (json!({"max_concurrency": 1_000}), WrongEach::Concurrency),
            (json!({"canary": 1, "waves": ["100%"]}), WrongEach::CanaryAndWaves),
            (json!({"waves": [1]}), WrongEach::LastWave),
            (json!({"waves": []}), WrongEach::LastWave),
            (json!({"waves": [3, 1, "100%"]}), WrongEach::ShrinkingWaves),
        ] {
            let options: EachOptions = serde_json::from_value(options).unwrap();
            assert_eq!(Course::new(&options, 10).unwrap_err(), why);
        }
        for wrong in [json!("ten"), json!("101%"), json!(-1), json!([]), json!(0.5)] {
            assert!(serde_json::from_value::<Share>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_items_are_no_work() {
        assert_eq!(course(json!({"canary": 1}), 0).begin(), None);
    }
}
