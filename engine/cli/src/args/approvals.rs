//! Approvals: looked at, decided, handed over, and answered for everybody; the kill switch.

use std::path::PathBuf;

use clap::{Args as Group, Subcommand};

use super::List;

#[derive(Debug, Subcommand)]
pub(crate) enum Approvals {
    /// Lists them, the newest first.
    List(List),
    /// Shows one.
    Show {
        /// Its id.
        id: String,
    },
    /// Hands an open one that you are asked to another person, or back to whoever handed it to you.
    Handover {
        /// Its id.
        approval: String,
        /// Who is to decide instead.
        #[arg(long)]
        to: String,
        /// Why; they are told.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Group)]
pub(crate) struct Decide {
    /// The approval's id; several for several.
    #[arg(required = true)]
    pub(crate) approvals: Vec<String>,
    /// Also every open one that is the same but for what exactly it is about: the same playbook,
    /// people, form and operations.
    #[arg(long)]
    pub(crate) identical: bool,
    /// Not this one of them; several times for several.
    #[arg(long, requires = "identical", value_name = "APPROVAL")]
    pub(crate) except: Vec<String>,
    /// Why; it goes into the record.
    #[arg(long)]
    pub(crate) reason: String,
    /// What the form asks for, such as `verdict=true_positive`.
    #[arg(long = "form", value_name = "NAME=VALUE")]
    pub(crate) form: Vec<String>,
}

#[derive(Debug, Group)]
pub(crate) struct Withdraw {
    /// The approval's id.
    pub(crate) approval: String,
    /// Why; it goes into the record.
    #[arg(long)]
    pub(crate) reason: String,
}

#[derive(Debug, Group)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct BreakGlass {
    #[command(subcommand)]
    pub(crate) what: Option<Glass>,
    /// The approval's id.
    #[arg(required = true)]
    pub(crate) approval: Option<String>,
    /// Why nobody else could be asked; everybody is told.
    #[arg(long, required = true)]
    pub(crate) reason: Option<String>,
    /// What the form asks for, such as `verdict=true_positive`.
    #[arg(long = "form", value_name = "NAME=VALUE")]
    pub(crate) form: Vec<String>,
    #[command(flatten)]
    pub(crate) at_node: AtNode,
}

/// By the key from the safe, and not by the API.
#[derive(Debug, Group)]
pub(crate) struct AtNode {
    /// The offline key: in the database itself, on the machine of a node, without a server or a token.
    #[arg(long, value_name = "FILE", requires = "person")]
    pub(crate) offline: Option<PathBuf>,
    /// Who you are, where only the key knows you.
    #[arg(long, value_name = "NAME", requires = "offline")]
    pub(crate) person: Option<String>,
}

#[derive(Debug, Group)]
pub(crate) struct Halt {
    /// Why; it goes into the record.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) at_node: AtNode,
}

#[derive(Debug, Group)]
pub(crate) struct Unhalt {
    /// Why, with `--offline`; everybody is told.
    #[arg(long, requires = "offline")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) at_node: AtNode,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Glass {
    /// Lists what waits for people, from the database itself, on the machine of a node.
    Waiting,
    /// Makes the offline key, on the machine of a node. The one before is no good any more.
    Key {
        /// Where to write it; keep it elsewhere.
        #[arg(short, long, value_name = "FILE", required_unless_present = "revoke")]
        output: Option<PathBuf>,
        /// No key is good any more.
        #[arg(long, conflicts_with = "output")]
        revoke: bool,
        /// Who you are.
        #[arg(long, value_name = "NAME")]
        person: String,
        /// Why; everybody is told.
        #[arg(long)]
        reason: String,
    },
    /// Lists what one person approved alone; `--status open` what nobody has looked at.
    List(List),
    /// Says what you found when you looked at it. Not for whoever broke the glass.
    Review {
        /// The approval's id.
        approval: String,
        /// What you found.
        #[arg(long)]
        text: String,
    },
}
