//! Adds up what an answer about KPIs is made of: the facts themselves where they are few, and else
//! the tallies.

use std::collections::BTreeMap;

use stanch_engine_core::id::IncidentId;
use stanch_engine_core::kpi::period::{Period, Stretch, cover};
use stanch_engine_core::kpi::{Dimension, Facts, Totals};
use stanch_engine_core::limits;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::kpis;
use stanch_engine_store::{Conn, StoreError};

use super::{Filter, QuestionError};

/// Totals by a name: of a value, or of a week.
pub(super) type Groups<K> = BTreeMap<K, Totals>;

/// What a window holds.
pub(super) struct Window {
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
    /// Whether what began at its end, or a little later by another node's clock, is not in it any more.
    pub(super) is_over: bool,
    /// Incidents whose facts are read before the tallies are; tests make it small.
    pub(super) facts: u32,
}

impl Window {
    /// The last moment that is in it.
    fn last(&self) -> Timestamp {
        Timestamp::from_micros(self.until.micros() - i64::from(self.is_over))
    }

    /// The facts of the incidents in it that a filter lets through, if it holds few.
    pub(super) async fn few(
        &self,
        conn: &mut Conn<'_>,
        filter: &Filter,
    ) -> Result<Option<Vec<(IncidentId, Facts)>>, StoreError> {
        let mut incidents = 0;
        for stretch in cover(self.since, self.last()) {
            let values = kpis::values(conn, Dimension::All, stretch).await?;
            incidents += values.iter().map(|(_, incidents)| incidents).sum::<i64>();
        }
        let is_whole = Period::Day.start_of(self.since) == self.since;
        if is_whole && incidents > i64::from(self.facts) {
            return Ok(None);
        }
        let skew_ms = if self.is_over { 0 } else { limits::CLOCK_SKEW_MS };
        let before = (self.until.plus_ms(skew_ms), "");
        let mut facts = kpis::facts_of(conn, self.since, before, self.facts + 1).await?;
        if facts.len() > self.facts as usize {
            return Ok(None);
        }
        facts.retain(|(_, facts)| filter.lets(facts));
        Ok(Some(facts))
    }

    /// The totals of it.
    pub(super) async fn totals(
        &self,
        conn: &mut Conn<'_>,
        filter: &Filter,
    ) -> Result<Result<Totals, QuestionError>, StoreError> {
        if let Some(few) = self.few(conn, filter).await? {
            let mut totals = Totals::exact();
            few.iter().for_each(|(_, facts)| totals.add(facts));
            return Ok(Ok(totals));
        }
        if Period::Day.start_of(self.since) != self.since {
            return Ok(Err(QuestionError::TooMany));
        }
        let Some((dimension, value)) = filter.one() else {
            return Ok(Err(QuestionError::TooMany));
        };
        self.tallied(conn, dimension, value).await.map(Ok)
    }

    async fn tallied(
        &self,
        conn: &mut Conn<'_>,
        dimension: Dimension,
        value: &str,
    ) -> Result<Totals, StoreError> {
        let mut totals = Totals::default();
        for stretch in cover(self.since, self.last()) {
            for (_, tally) in kpis::tallies(conn, dimension, value, stretch).await? {
                totals.merge(&tally);
            }
        }
        Ok(totals)
    }

    /// The totals of each value of a dimension: of those with the most incidents.
    pub(super) async fn by(
        &self,
        conn: &mut Conn<'_>,
        filter: &Filter,
        by: Dimension,
    ) -> Result<Result<Groups<String>, QuestionError>, StoreError> {
        let mut groups = Groups::new();
        if let Some(few) = self.few(conn, filter).await? {
            for (_, facts) in &few {
                for (_, value) in facts.dimensions().into_iter().filter(|(of, _)| *of == by) {
                    groups.entry(value.to_owned()).or_insert_with(Totals::exact).add(facts);
                }
            }
            return Ok(Ok(largest(groups)));
        }
        let is_whole = Period::Day.start_of(self.since) == self.since;
        if !is_whole || !filter.is_empty() {
            return Ok(Err(QuestionError::TooMany));
        }
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        for stretch in cover(self.since, self.last()) {
            for (value, incidents) in kpis::values(conn, by, stretch).await? {
                *counts.entry(value).or_default() += incidents;
            }
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, incidents)| std::cmp::Reverse(*incidents));
        for (value, _) in counts.into_iter().take(limits::KPI_VALUES) {
            let totals = self.tallied(conn, by, &value).await?;
            groups.insert(value, totals);
        }
        Ok(Ok(groups))
    }

    /// The totals of each week.
    pub(super) async fn weeks(
        &self,
        conn: &mut Conn<'_>,
        filter: &Filter,
    ) -> Result<Result<Groups<Timestamp>, QuestionError>, StoreError> {
        let mut groups = Groups::new();
        if let Some(few) = self.few(conn, filter).await? {
            for (_, facts) in &few {
                let week = Period::Week.start_of(facts.opened_at);
                groups.entry(week).or_insert_with(Totals::exact).add(facts);
            }
            return Ok(Ok(groups));
        }
        let Some((dimension, value)) = filter.one() else {
            return Ok(Err(QuestionError::TooMany));
        };
        let to = Period::Week.start_of(self.until).plus_ms(Period::Week.micros() / 1_000);
        let stretch = Stretch { period: Period::Week, from: self.since, to };
        for (week, tally) in kpis::tallies(conn, dimension, value, stretch).await? {
            groups.entry(week).or_default().merge(&tally);
        }
        Ok(Ok(groups))
    }
}

fn largest(groups: Groups<String>) -> Groups<String> {
    let mut all: Vec<_> = groups.into_iter().collect();
    all.sort_by_key(|(_, totals)| std::cmp::Reverse(totals.incidents()));
    all.into_iter().take(limits::KPI_VALUES).collect()
}
