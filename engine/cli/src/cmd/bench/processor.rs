//! What was used of the processors, as Linux tells it: by this process, and by everything.

use std::time::Duration;

use anyhow::Context as _;

/// Linux counts in hundredths of a second, whatever its clock does (proc(5)).
const TICK: Duration = Duration::from_millis(10);

/// Processor time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    /// Of this process.
    own: Duration,
    /// Of all that runs on the machine.
    machine: Duration,
}

impl Used {
    /// As of now.
    pub(super) fn now() -> anyhow::Result<Self> {
        // The name in parentheses may hold anything; the two figures are the 14th and 15th of the line.
        let stat = std::fs::read_to_string("/proc/self/stat")?;
        let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
        let own = ticks(after.split_whitespace().skip(11).take(2))?;
        // user, nice, system, idle, iowait, irq, softirq: all but the two that wait.
        let stat = std::fs::read_to_string("/proc/stat")?;
        let all = stat.lines().next().context("this system tells nothing of its processors")?;
        let busy = all.split_whitespace().skip(1).take(7).enumerate();
        let machine = ticks(busy.filter(|(at, _)| !matches!(at, 3 | 4)).map(|(_, text)| text))?;
        Ok(Self { own, machine })
    }

    /// Since then, for each of so many steps, in microseconds: of this process, and of everything.
    pub(super) fn per_step_us(self, steps: u64) -> anyhow::Result<(f64, f64)> {
        let now = Self::now()?;
        let steps = f64::from(u32::try_from(steps)?);
        let each = |used: Duration| (used.as_secs_f64() * 1e7 / steps).round() / 10.0;
        let since = |now: Duration, then: Duration| now.saturating_sub(then);
        Ok((each(since(now.own, self.own)), each(since(now.machine, self.machine))))
    }
}

fn ticks<'a>(texts: impl Iterator<Item = &'a str>) -> anyhow::Result<Duration> {
    let ticks = texts.map(str::parse::<u32>).sum::<Result<u32, _>>()?;
    Ok(TICK * ticks)
}
