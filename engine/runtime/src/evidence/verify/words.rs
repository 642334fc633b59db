//! What is said of a bundle that is whole. `docs/verify.py` says the same words.

use super::Verified;

/// Whose a bundle is, or a log.
pub fn whose(is_authenticated: bool) -> &'static str {
    if is_authenticated {
        "signed by the key that you gave"
    } else {
        "NOT AUTHENTICATED: give the installation's key with --key to prove who made it"
    }
}

impl Verified {
    /// It in lines, for people. `has_anchors` and `has_authorities` are whether the verifier brought
    /// some.
    pub fn told(&self, has_anchors: bool, has_authorities: bool) -> String {
        let Self { records, items, files, incident, exported_at, withheld, .. } = self;
        let mut lines = vec![format!(
            "whole: {records} records, {items} items, {files} files of {incident}, exported {exported_at}"
        )];
        if *withheld > 0 {
            lines.push(format!(
                "redacted: {withheld} files are left out, and their hashes are there"
            ));
        }
        if self.deleted > 0 {
            let deleted = self.deleted;
            lines
                .push(format!("deleted by retention: {deleted} items are gone, as the chain says"));
        }
        lines.push(whose(self.is_authenticated).to_owned());
        lines.push(match (has_anchors, self.anchored_records, &self.anchor) {
            (true, 0, _) => "unanchored: what you gave says nothing of this incident".to_owned(),
            (true, count, _) => {
                format!(
                    "anchored: {count} of {records} records are those that were laid down outside"
                )
            }
            (false, _, Some(place)) => {
                format!(
                    "anchored, as the installation says: fetch {place} and give it with --anchor"
                )
            }
            (false, _, None) => {
                "unanchored: nothing outside of the installation vouches for the end of \
                 the chain"
                    .to_owned()
            }
        });
        lines.extend(self.stamp_told(has_authorities));
        lines.join("\n")
    }

    fn stamp_told(&self, has_authorities: bool) -> Option<String> {
        match &self.stamped {
            Some(stamped) => Some(format!(
                "stamped: {} of {} records were there at {}, by an authority that you gave",
                stamped.records, self.records, stamped.at
            )),
            None => has_authorities.then(|| "unstamped: the bundle holds no time-stamp".to_owned()),
        }
    }
}
