//! What AWS's services send, made into alerts: one file for each sender.
//!
//! Must never: guess. What a payload does not say is null, and a payload without what an alert
//! can't be without is refused, so that it becomes a dead letter. The labels of senders that have
//! none are each sender's own table, and stand in `docs/sources.md`.

mod access_analyzer;
mod cloudtrail;
mod cloudwatch;
mod config;
mod detective;
mod ecr;
mod envelope;
mod event;
mod eventbridge;
mod guardduty;
mod health;
mod inspector;
mod kind;
mod macie;
mod named;
mod ocsf;
mod region;
mod s3;
mod security_hub;
mod sns;
mod trusted_advisor;

use std::sync::Arc;

use stanch_plugins_sdk::{Catalogue, Family, Source};

/// Adds every source and every envelope, in the order in which they are asked.
pub(crate) fn register(mut catalogue: Catalogue) -> Catalogue {
    let sources: [Arc<dyn Source>; 14] = [
        Arc::new(guardduty::GuardDuty),
        Arc::new(security_hub::SecurityHub),
        Arc::new(ocsf::Ocsf),
        Arc::new(cloudtrail::CloudTrail),
        Arc::new(cloudwatch::CloudWatch),
        Arc::new(config::Config),
        Arc::new(health::Health),
        Arc::new(inspector::Inspector),
        Arc::new(macie::Macie),
        Arc::new(access_analyzer::AccessAnalyzer),
        Arc::new(detective::Detective),
        Arc::new(trusted_advisor::TrustedAdvisor),
        Arc::new(ecr::Ecr),
        Arc::new(s3::S3),
    ];
    for source in sources {
        catalogue = catalogue.with_source(Family::Aws, source);
    }
    catalogue
        .with_last_source(Family::Aws, Arc::new(eventbridge::EventBridge))
        .with_last_source(Family::Aws, Arc::new(sns::Sns))
        .with_envelope(Arc::new(envelope::Topic))
        .with_envelope(Arc::new(envelope::Queue))
        .with_envelope(Arc::new(envelope::Records))
        .with_envelope(Arc::new(envelope::Logs))
        .with_envelope(Arc::new(envelope::Findings))
        .with_envelope(Arc::new(envelope::Partner))
}
