//! `stanch incidents …`.

use clap::Subcommand;

use super::List;

#[derive(Debug, Subcommand)]
pub(crate) enum Incidents {
    /// Lists them, the newest first.
    List(List),
    /// Shows one, with its timeline.
    Show {
        /// Its id.
        id: String,
    },
    /// Takes one: its pages are over.
    Ack {
        /// Its id.
        id: String,
    },
    /// Opens one by hand, for what no detector has seen.
    Create {
        /// One line.
        #[arg(long)]
        title: String,
        /// informational, low, medium, high or critical.
        #[arg(long)]
        severity: String,
        /// The account.
        #[arg(long)]
        account: Option<String>,
        /// The region.
        #[arg(long)]
        region: Option<String>,
        /// More lines.
        #[arg(long)]
        description: Option<String>,
        /// What it is about, such as AwsEc2Instance=i-0abc1234; several times for several.
        #[arg(long = "resource", value_name = "TYPE=ID")]
        resources: Vec<String>,
    },
    /// Writes something down about one.
    Note {
        /// Its id.
        id: String,
        /// What.
        text: String,
    },
    /// Says what one was.
    Verdict {
        /// Its id.
        id: String,
        /// true_positive, false_positive or benign_positive.
        verdict: String,
        /// Why; it goes into the record.
        #[arg(long)]
        reason: String,
    },
    /// Marks a milestone that people know of.
    Milestone {
        /// Its id.
        id: String,
        /// occurred_at, eradicated_at, recovered_at, impact_started_at or impact_ended_at.
        milestone: String,
        /// When it was; now unless it is said.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// How you know; it goes into the record.
        #[arg(long)]
        reason: String,
    },
    /// Says who does what.
    Assign {
        /// Its id.
        id: String,
        /// Who decides what is done.
        #[arg(long)]
        lead: Option<String>,
        /// Who writes down what is done.
        #[arg(long)]
        scribe: Option<String>,
        /// Who tells those who wait.
        #[arg(long)]
        communications: Option<String>,
        /// Why; it goes into the record.
        #[arg(long)]
        reason: String,
    },
    /// Has those who wait told how one stands, from time to time.
    #[command(subcommand)]
    Updates(Updates),
    /// Closes one that is over.
    Close {
        /// Its id.
        id: String,
        /// What it was, where nobody has said that yet.
        #[arg(long)]
        verdict: Option<String>,
        /// Although something lacks; the record keeps what.
        #[arg(long)]
        force: bool,
        /// Whom it hurt, and how; for the report.
        #[arg(long, value_name = "TEXT")]
        impact: Option<String>,
        /// Why it could happen; for the report.
        #[arg(long, value_name = "TEXT")]
        root_cause: Option<String>,
        /// What was learned; several times for several.
        #[arg(long = "lesson", value_name = "TEXT")]
        lessons: Vec<String>,
        /// What is to be done, and by whom; several times for several.
        #[arg(long = "action-item", value_name = "TEXT")]
        action_items: Vec<String>,
        /// Why; it goes into the record.
        #[arg(long)]
        reason: String,
    },
    /// Opens one again that was closed.
    Reopen {
        /// Its id.
        id: String,
        /// Why; it goes into the record.
        #[arg(long)]
        reason: String,
    },
    /// Takes from an alarm, or from an event of AWS Health, when customers felt it.
    Impact {
        /// Its id.
        id: String,
        /// The alert of the alarm or the event.
        #[arg(long)]
        alert: String,
        /// Why that one; it goes into the record.
        #[arg(long)]
        reason: String,
    },
    /// Shows the checklist of one, or answers questions of it.
    Review {
        /// Its id.
        id: String,
        /// A question's key with yes, no or not_applicable; several times for several.
        #[arg(long = "answer", value_name = "KEY=ANSWER")]
        answers: Vec<String>,
        /// Why; it goes into the record.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Signs off the review of one that somebody else has answered.
    SignOff {
        /// Its id.
        id: String,
        /// Why; it goes into the record.
        #[arg(long)]
        reason: String,
    },
    /// Has one go on in another: its alerts move, and it is closed.
    Merge {
        /// Its id.
        id: String,
        /// The one that it goes on in.
        #[arg(long, value_name = "INCIDENT")]
        into: String,
        /// Why; it goes into the record.
        #[arg(long)]
        reason: String,
    },
    /// Makes one a part of another, which is over when its parts are.
    Attach {
        /// Its id.
        id: String,
        /// The one that it is a part of.
        #[arg(long, value_name = "INCIDENT")]
        to: String,
        /// Why; it goes into the record.
        #[arg(long)]
        reason: String,
    },
    /// Makes one a part of nothing.
    Detach {
        /// Its id.
        id: String,
        /// Why; it goes into the record.
        #[arg(long)]
        reason: String,
    },
    /// Takes alerts out of one, into a new one.
    Split {
        /// Its id.
        id: String,
        /// An alert that is another incident; several times for several.
        #[arg(long = "alert", required = true, value_name = "ALERT")]
        alerts: Vec<String>,
        /// Why; it goes into the record.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Updates {
    /// Lists who is told what of an incident, and when next.
    List {
        /// The incident.
        id: String,
    },
    /// Tells them now, and from now on; again, to change it, or to say something new.
    Send {
        /// The incident.
        id: String,
        /// What is new; it stands in the template's `{{said}}`.
        #[arg(long, default_value = "")]
        text: String,
        /// The template, from [updates.NAME]; `status` unless it is said.
        #[arg(long)]
        template: Option<String>,
        /// Who is told, such as role:management; several times for several.
        #[arg(long = "to", value_name = "WHO")]
        to: Vec<String>,
        /// How often, such as 2h.
        #[arg(long, value_name = "SPAN")]
        every: Option<String>,
    },
    /// Tells them no more.
    Stop {
        /// The incident.
        id: String,
        /// Only by this template.
        #[arg(long)]
        template: Option<String>,
        /// Why; it goes into the record.
        #[arg(long)]
        reason: String,
    },
}
