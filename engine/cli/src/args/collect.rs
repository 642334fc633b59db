//! `stanch collect …`.

use clap::Args as Group;

/// What can be collected is told after the options.
#[derive(Debug, Group)]
#[command(after_help = WHAT)]
pub(crate) struct Collect {
    /// The incident that it is evidence of.
    pub(crate) incident: String,
    /// What to collect; see below.
    pub(crate) what: String,
    /// Of what: a key, a name, an id, an address, a query.
    pub(crate) of: String,
    /// From so long ago until now, such as 90m or 7d; 24h unless it is said.
    #[arg(long, conflicts_with = "from")]
    pub(crate) since: Option<String>,
    /// From when, such as 2026-11-24T03:00:00Z.
    #[arg(long)]
    pub(crate) from: Option<String>,
    /// Until when; until now unless it is said.
    #[arg(long, requires = "from")]
    pub(crate) to: Option<String>,
    /// The account; else the incident's.
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// The region; `enabled` for all of them, where the trail is asked.
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// More that it takes; several times for several.
    #[arg(long = "with", value_name = "NAME=VALUE")]
    pub(crate) more: Vec<String>,
    /// Returns at once instead of when the run has come to rest.
    #[arg(long)]
    pub(crate) detach: bool,
}

const WHAT: &str = "\
What can be collected, of what, and with what:
  trail-of-key KEY, trail-of-principal NAME, trail-of-resource NAME, trail-of-event OPERATION,
  trail-of-address IP             events of CloudTrail
  logs GROUP --with query=…       a query of Logs Insights
  lines GROUP [--with filter=…]   all lines of a log group
  flows-of-address IP, flows-of-interface ENI, both --with group=…
                                  flow logs in CloudWatch Logs
  config ID, config-of-named NAME, both --with type=AWS::EC2::Instance
                                  how a resource was configured, as AWS Config has it
  iam-user NAME, iam-role NAME, iam-last-accessed ARN
  instance ID                     how an instance stands, its console and its screen
  live-response ID [--with bucket=…] [--with memory_command=…]
                                  what runs on an instance, by SSM; people are asked
  snapshots ID [--with share=ACCOUNT]
                                  its disks; people are asked
  bucket NAME, versions NAME [--with prefix=…], access-logs NAME
  function NAME
  guardduty FINDING, guardduty-about VALUE --with field=…,
  security-hub FINDING --with product_arn=…
  detective ARN                   an investigation of a user or a role
  athena SQL --with workgroup=… [--with database=…] [--with most_bytes=…]
                                  logs in S3; people are asked";
