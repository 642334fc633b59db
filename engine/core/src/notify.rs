//! Who is told by which channels: routes, the first that fits.

use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use crate::schedule::{Cron, Zone};
use crate::severity::Severity;
use crate::time::Timestamp;

/// One route. What it does not say, it does not ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Route {
    /// Who is told: `role:NAME`, `oncall:NAME` or a person, with `*` for anything.
    pub to: Vec<String>,
    /// How bad it is at least. What is about no incident is as bad as can be.
    pub severity: Option<Severity>,
    /// The playbooks that it comes from, with `*` for anything.
    pub playbooks: Vec<String>,
    /// The minutes in which it holds, as a cron expression names them.
    pub during: Option<Cron>,
    /// The clock on the wall that `during` means.
    pub zone: Zone,
    /// The channels, one after the other: the next one is taken where one is dead.
    pub channels: Vec<String>,
    /// Whether the routes after it are asked, too.
    pub and_on: bool,
}

/// What is to be told.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Who is told.
    pub to: &'a str,
    /// How bad the incident is; nothing where there is none.
    pub severity: Option<Severity>,
    /// The playbook that it comes from, if it comes from one.
    pub playbook: Option<&'a str>,
    /// When it is told.
    pub at: Timestamp,
}

impl Route {
    /// Whether it takes whatever comes.
    pub fn is_open(&self) -> bool {
        self.to.is_empty()
            && self.severity.is_none()
            && self.playbooks.is_empty()
            && self.during.is_none()
    }

    /// Whether it takes this.
    pub fn fits(&self, about: &About<'_>) -> bool {
        let any = |patterns: &[String], text: Option<&str>| {
            patterns.is_empty()
                || text.is_some_and(|text| patterns.iter().any(|p| WildMatch::new(p).matches(text)))
        };
        let is_bad = about.severity.zip(self.severity).is_none_or(|(is, least)| is >= least);
        let is_time = self.during.as_ref().is_none_or(|cron| cron.covers(about.at, &self.zone));
        any(&self.to, Some(about.to)) && any(&self.playbooks, about.playbook) && is_bad && is_time
    }
}

/// The chains of channels that carry this. One channel of each has to take it.
pub fn chains<'r>(routes: &'r [Route], about: &About<'_>) -> Vec<&'r [String]> {
    let mut found: Vec<&[String]> = Vec::new();
    for route in routes.iter().filter(|route| route.fits(about)) {
        if !found.contains(&route.channels.as_slice()) {
            found.push(&route.channels);
        }
        if !route.and_on {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(channel: &str) -> Route {
        Route { channels: vec![channel.to_owned()], ..Route::default() }
    }

    fn about(to: &'static str, at: &str) -> About<'static> {
        About {
            to,
            severity: Some(Severity::Medium),
            playbook: Some("iam-access-key-compromise"),
            at: Timestamp::parse(at).unwrap(),
        }
    }

    #[test]
    fn the_first_route_that_fits_is_taken_and_those_that_go_on_are_beside_it() {
        let routes = [
            Route { to: vec!["role:l*".to_owned()], ..route("leads") },
            Route { severity: Some(Severity::High), ..route("phone") },
            Route { playbooks: vec!["iam-*".to_owned()], and_on: true, ..route("iam") },
            Route { playbooks: vec!["ec2-*".to_owned()], ..route("ec2") },
            route("all"),
            route("never"),
        ];
        let found = |about: &About<'_>| chains(&routes, about).concat();
        let medium = about("role:responder", "2026-11-30T12:00:00Z");
        assert_eq!(found(&medium), ["iam", "all"]);
        assert_eq!(found(&About { severity: Some(Severity::Critical), ..medium }), ["phone"]);
        assert_eq!(found(&About { severity: None, ..medium }), ["phone"], "the worst is supposed");
        assert_eq!(found(&About { to: "role:lead", ..medium }), ["leads"]);
        assert_eq!(found(&About { playbook: None, ..medium }), ["all"]);
        assert!(chains(&routes[..4], &About { playbook: None, ..medium }).is_empty());
        let open: Vec<bool> = routes.iter().map(Route::is_open).collect();
        assert_eq!(open, [false, false, false, false, true, true]);
    }

    #[test]
    fn hours_are_those_of_the_zone_to_the_minute() {
        let day = Route {
            during: Some(Cron::parse("* 9-17 * * MON-FRI").unwrap()),
            zone: Zone::parse("Europe/Berlin").unwrap(),
            ..route("day")
        };
        for (at, is_day) in [
            // Berlin is an hour ahead in winter, and two in summer.
            ("2026-11-30T08:00:00Z", true),
            ("2026-11-30T07:59:59Z", false),
            ("2026-11-30T16:59:59.999Z", true),
            ("2026-11-30T17:00:00Z", false),
            ("2026-07-01T07:00:31Z", true),
            ("2026-11-29T12:00:00Z", false),
        ] {
            assert_eq!(day.fits(&about("mia", at)), is_day, "{at}");
        }
    }
}
