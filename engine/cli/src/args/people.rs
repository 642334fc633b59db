//! Tokens and people.

use clap::{Args as Group, Subcommand};

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

#[derive(Debug, Group)]
pub(crate) struct Withdraw {
    /// The approval's id.
    pub(crate) approval: String,
    /// Why; it goes into the record.
    #[arg(long)]
    pub(crate) reason: String,
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
}
