//! Tokens and people.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Makes a token and prints its secret, once.
    Create {
        /// The name of the token.
        #[arg(long)]
        name: String,
        /// The person or program that it is for, where that is not the name. All tokens of a person
        /// are one voice.
        #[arg(long)]
        person: Option<String>,
        /// viewer, responder, approver, author, admin, or a group of your own such as
        /// incident-lead; several times for several.
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
        /// For how long it is good, such as 90d; until it is revoked, unless you say so.
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        /// The accounts that its roles reach; all, unless you say so.
        #[arg(long, value_delimiter = ',')]
        accounts: Vec<String>,
        /// The playbooks that its roles reach, such as iam-*; all, unless you say so.
        #[arg(long, value_delimiter = ',')]
        playbooks: Vec<String>,
        /// Up to which severity its roles reach; all, unless you say so.
        #[arg(long, value_name = "SEVERITY")]
        max_severity: Option<String>,
    },
    /// Lists them.
    List,
    /// Gives a token another secret and prints it, once. The one before is no good from now on.
    Rotate {
        /// The name of the token.
        name: String,
    },
    /// Revokes one.
    Revoke {
        /// The name of the token.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum People {
    /// Revokes every token of a person, and each yes of theirs that was not carried out yet.
    Disable {
        /// Who.
        name: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Lets a person call again, with tokens that are made from now on.
    Enable {
        /// Who.
        name: String,
    },
    /// Lists those who were disabled.
    Disabled,
    /// Lets another person stand in for one who is away, in what they are asked.
    Absent {
        /// Who is away.
        name: String,
        /// Until when, such as 2026-12-24T08:00:00Z.
        #[arg(long, value_name = "TIME")]
        until: String,
        /// Who stands in.
        #[arg(long)]
        delegate: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Ends a person's absence.
    Back {
        /// Who is back.
        name: String,
    },
    /// Lists those who are away, and who stands in.
    Away,
}
