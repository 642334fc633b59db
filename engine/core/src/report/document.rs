//! A report in words and tables.

use super::{Change, KpiLine, PartLine, Question, Report};
use crate::custody::CustodyAction;
use crate::json::Json;
use crate::time::Timestamp;

/// Characters of parameters that a table shows; the report in JSON has all.
const PARAMS_CHARS: usize = 300;

/// A part of a document. Nothing in it is escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A heading of a level from 1.
    Heading(u8, String),
    /// Some sentences.
    Paragraph(String),
    /// Points.
    List(Vec<String>),
    /// Rows under their headings.
    Table(Vec<&'static str>, Vec<Vec<String>>),
}

use Block::{Heading, List, Paragraph, Table};

/// A length of time in words.
pub fn length(ms: i64) -> String {
    let (seconds, rest) = (ms / 1_000, ms % 1_000);
    match seconds {
        0 => format!("{rest} ms"),
        1..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

fn moment(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn moment_opt(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), moment)
}

fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

/// The whole report.
pub fn of(report: &Report) -> Vec<Block> {
    let mut blocks = vec![Heading(1, format!("Incident {}: {}", report.incident, report.title))];
    summary(report, &mut blocks);
    review(report, &mut blocks);
    kpis(&report.kpis, &mut blocks);
    changes(&report.changes, &mut blocks);
    approvals(&report.approvals, &mut blocks);
    evidence(report, &mut blocks);
    alerts(report, &mut blocks);
    timeline(report, &mut blocks);
    blocks
}

fn summary(report: &Report, blocks: &mut Vec<Block>) {
    blocks.push(Heading(2, "Summary".to_owned()));
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        row("Status", report.status.as_str().to_owned()),
        row("Severity", report.severity.as_str().to_owned()),
        row("Account", or_dash(report.account.as_deref())),
        row("Received", moment(report.received_at)),
        row("Contained", moment_opt(report.contained_at)),
        row("Closed", moment_opt(report.closed_at)),
        row("Taken by", or_dash(report.acknowledged_by.as_deref())),
        row("Verdict", or_dash(report.verdict.map(|verdict| verdict.as_str()))),
        row("Why", or_dash(report.verdict_reason.as_deref())),
    ];
    if report.is_sample {
        rows.push(row("Sample", "a detector's sample: nothing was changed".to_owned()));
    }
    if let Some(whole) = report.part_of {
        rows.push(row("A part of", whole.to_string()));
    }
    blocks.push(Table(vec!["", ""], rows));
    let mut said = Vec::new();
    if let Some(at) = report.contained_at {
        let after = length(at.ms_since(report.received_at).max(0));
        said.push(format!("It was contained {after} after it was received."));
    }
    let clocks = report.clocks;
    said.push(format!(
        "Until the last thing that happened, {} went by while no question to people was open, and {} \
         while people were asked.",
        length(clocks.machine_ms),
        length(clocks.waiting_ms)
    ));
    let made = |is_undo| {
        let is_made = |change: &&Change| change.became == CustodyAction::Changed;
        report.changes.iter().filter(is_made).filter(|change| change.is_undo == is_undo).count()
    };
    said.push(format!(
        "{} changes were made and {} that take changes back; people were asked {} times; {} items of \
         evidence were kept.",
        made(false),
        made(true),
        report.approvals.len(),
        report.evidence.len()
    ));
    blocks.push(Paragraph(said.join(" ")));
    parts(&report.parts, blocks);
}

/// The parts, where there are any: each has a report of its own.
fn parts(parts: &[PartLine], blocks: &mut Vec<Block>) {
    if parts.is_empty() {
        return;
    }
    blocks.push(Heading(2, "Parts".to_owned()));
    let row = |part: &PartLine| vec![part.id.to_string(), part.title.clone()];
    let heads = vec!["Incident", "Title"];
    blocks.push(Table(heads, parts.iter().map(row).collect()));
}

fn review(report: &Report, blocks: &mut Vec<Block>) {
    let review = &report.review;
    let not_said = || "Nobody has said so.".to_owned();
    blocks.push(Heading(2, "Impact".to_owned()));
    blocks.push(Paragraph(review.impact.clone().unwrap_or_else(not_said)));
    blocks.push(Heading(2, "Root cause".to_owned()));
    blocks.push(Paragraph(review.root_cause.clone().unwrap_or_else(not_said)));
    for (title, items) in [("Lessons", &review.lessons), ("Action items", &review.action_items)] {
        blocks.push(Heading(2, title.to_owned()));
        match items.is_empty() {
            true => blocks.push(Paragraph("None were written down.".to_owned())),
            false => blocks.push(List(items.clone())),
        }
    }
}

fn kpis(kpis: &[KpiLine], blocks: &mut Vec<Block>) {
    blocks.push(Heading(2, "KPIs against their targets".to_owned()));
    let row = |kpi: &KpiLine| {
        let took = match (kpi.ms, kpi.why_not) {
            (Some(ms), _) => length(ms),
            (None, why) => why.unwrap_or("open").to_owned(),
        };
        let kept = match kpi.is_kept() {
            Some(true) => "kept",
            Some(false) => "MISSED",
            None => "-",
        };
        let target = kpi.target_ms.map_or_else(|| "-".to_owned(), length);
        vec![kpi.title.to_owned(), took, target, kept.to_owned()]
    };
    blocks.push(Table(vec!["KPI", "Took", "Target", ""], kpis.iter().map(row).collect()));
}

fn changes(changes: &[Change], blocks: &mut Vec<Block>) {
    for (title, is_undo) in [("What was done", false), ("What was taken back", true)] {
        blocks.push(Heading(2, title.to_owned()));
        let of_kind: Vec<_> = changes.iter().filter(|change| change.is_undo == is_undo).collect();
        if of_kind.is_empty() {
            blocks.push(Paragraph("Nothing.".to_owned()));
            continue;
        }
        let row = |change: &&Change| {
            let params = Json::canonical(&change.params);
            let mut shown: String = params.as_str().chars().take(PARAMS_CHARS).collect();
            if shown.len() < params.as_str().len() {
                shown.push('…');
            }
            let place = [change.account.as_deref(), change.region.as_deref()];
            let place = place.into_iter().flatten().collect::<Vec<_>>().join(" ");
            vec![
                moment(change.at),
                change.operation.clone(),
                shown,
                place,
                became(change.became).to_owned(),
                or_dash(change.approval.as_deref()),
            ]
        };
        let heads = vec!["When", "What", "With", "Where", "Became", "Approval"];
        blocks.push(Table(heads, of_kind.iter().map(row).collect()));
    }
}

fn became(action: CustodyAction) -> &'static str {
    match action {
        CustodyAction::Changed => "made",
        CustodyAction::ChangeFailed => "failed",
        CustodyAction::ChangeRefused => "refused by a guard rail, and not sent",
        CustodyAction::ChangeDoubted => "in doubt: nobody knows",
        _ => "-",
    }
}

fn approvals(questions: &[Question], blocks: &mut Vec<Block>) {
    blocks.push(Heading(2, "Approvals".to_owned()));
    if questions.is_empty() {
        blocks.push(Paragraph("Nobody was asked.".to_owned()));
    }
    for question in questions {
        blocks.push(Heading(3, question.title.clone()));
        let asked = question.approvers.join(", ");
        let digest = question
            .plan_sha256
            .map_or_else(|| "It was about no plan.".to_owned(), |digest| format!("Plan {digest}."));
        blocks.push(Paragraph(format!(
            "{}: {}, asked {} of {asked} at {}, settled at {}. {digest}",
            question.id,
            question.status.as_str(),
            question.quorum,
            moment(question.requested_at),
            moment_opt(question.decided_at),
        )));
        let row = |given: &super::Given| {
            let counts = given
                .revoked_at
                .map_or_else(|| "yes".to_owned(), |at| format!("no longer since {}", moment(at)));
            vec![
                given.person.clone(),
                given.answer.as_str().to_owned(),
                given.reason.clone(),
                moment(given.at),
                given.from.clone(),
                counts,
            ]
        };
        if !question.answers.is_empty() {
            let heads = vec!["Who", "Said", "Why", "When", "From where", "Counts"];
            blocks.push(Table(heads, question.answers.iter().map(row).collect()));
        }
    }
}

fn evidence(report: &Report, blocks: &mut Vec<Block>) {
    blocks.push(Heading(2, "Evidence".to_owned()));
    let row = |item: &super::EvidenceLine| {
        let deleted = item.deleted_at.map(moment);
        let deleted = deleted.map(|at| format!(" (deleted by retention at {at})"));
        vec![
            format!("{}{}", item.label, deleted.unwrap_or_default()),
            item.sha256.to_string(),
            item.bytes.to_string(),
            moment(item.captured_at),
            item.captured_by.clone(),
        ]
    };
    let heads = vec!["What", "SHA-256", "Bytes", "When", "By"];
    blocks.push(Table(heads, report.evidence.iter().map(row).collect()));
    blocks.push(Paragraph(format!(
        "The custody chain has {} records; the hash of the last one is {}. `stanch export {} -o FILE.zip` \
         proves it.",
        report.chain.count, report.chain.hash, report.incident
    )));
}

fn alerts(report: &Report, blocks: &mut Vec<Block>) {
    blocks.push(Heading(2, "Alerts and runs".to_owned()));
    let row = |alert: &super::AlertLine| {
        vec![
            moment(alert.received_at),
            alert.source.clone(),
            alert.kind.clone(),
            alert.severity.as_str().to_owned(),
            alert.title.clone(),
            alert.resources.join(", "),
        ]
    };
    let heads = vec!["Received", "Source", "Type", "Severity", "Title", "About"];
    blocks.push(Table(heads, report.alerts.iter().map(row).collect()));
    let row = |run: &super::RunLine| {
        vec![
            run.id.to_string(),
            run.playbook.clone(),
            run.digest.to_string(),
            run.status.as_str().to_owned(),
            run.requester.clone(),
        ]
    };
    let heads = vec!["Run", "Playbook", "Version", "Status", "Started by"];
    blocks.push(Table(heads, report.runs.iter().map(row).collect()));
}

fn timeline(report: &Report, blocks: &mut Vec<Block>) {
    blocks.push(Heading(2, "Timeline".to_owned()));
    let text = "Two clocks run from when the incident was received: one while no question to people is \
                open, and one while people are asked.";
    blocks.push(Paragraph(text.to_owned()));
    let row = |moment_of: &super::Moment| {
        vec![
            moment(moment_of.at),
            length(moment_of.clocks.machine_ms),
            length(moment_of.clocks.waiting_ms),
            moment_of.kind.clone(),
            moment_of.text.clone(),
        ]
    };
    let heads = vec!["When", "Machine", "Waiting", "What", ""];
    blocks.push(Table(heads, report.timeline.iter().map(row).collect()));
}
