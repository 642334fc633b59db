//! Every bound, with its reason. What hits one gets a clear error before anything is written.

use crate::span::Span;

/// Steps of one run. A playbook of thousands of steps is a loop that ought to be child runs.
pub const STEPS_PER_RUN: u32 = 10_000;

/// Rhai operations between two steps. A million take about 0.1 s; an endless loop is stopped
/// before anybody else on the thread notices.
pub const OPERATIONS_BETWEEN_STEPS: u64 = 2_000_000;

/// Rhai operations of one run in all, counted from its first line.
pub const OPERATIONS_PER_RUN: u64 = 50_000_000;

/// Depth of script function calls; 64 levels fit the stack of a run with a wide margin.
pub const CALL_LEVELS: usize = 64;

/// Depth of nesting of an expression, so that a hostile text can't overrun the parser.
pub const EXPRESSION_DEPTH: usize = 64;

/// Bytes of all strings of one value in a playbook: a result of [`RESULT_BYTES`] fits.
pub const STRING_CHARS: usize = RESULT_BYTES;

/// Items of all arrays of one value in a playbook. A million take some 16 MB.
pub const ARRAY_ITEMS: usize = 1_000_000;

/// Members of all maps of one value in a playbook. A million take some 100 MB.
pub const MAP_MEMBERS: usize = 1_000_000;

/// Branches of one `parallel`; each has a stack of its own.
pub const PARALLEL_BRANCHES: usize = 64;

/// Items of one `each`: each takes at least one step, and a run has no more of them.
pub const EACH_ITEMS: usize = STEPS_PER_RUN as usize;

/// Items of one `each` that are worked on at once; each has a stack of its own.
pub const EACH_CONCURRENCY: usize = 100;

/// The same, unless the playbook says otherwise: most APIs of AWS bear ten calls a second.
pub const EACH_CONCURRENCY_USUAL: usize = 10;

/// How often an alert that a run raised may start a run that raises one: a chain that is longer
/// than this is taken for a loop.
pub const RAISE_DEPTH: u32 = 3;

/// Characters of a signal's name.
pub const SIGNAL_NAME_CHARS: usize = 64;

/// How deep child runs may nest.
pub const CHILD_DEPTH: u32 = 8;

/// Bytes of a step's arguments in the journal.
pub const ARGUMENT_BYTES: usize = 256 * 1024;

/// Bytes of an action's result that lie in the journal; a larger one lies in the evidence store,
/// and the journal names it.
pub const RESULT_INLINE_BYTES: usize = 256 * 1024;

/// Bytes of a step's result in the journal at all.
pub const RESULT_JOURNAL_BYTES: usize = 1024 * 1024;

/// Bytes of an action's result. A script that holds one takes some ten times as much memory.
pub const RESULT_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of all results of a run that lie in the evidence store: a replay reads them all.
pub const RESULTS_STORED_BYTES: u64 = 256 * 1024 * 1024;

/// Bytes of a run's whole journal, so that a replay stays a matter of milliseconds.
pub const JOURNAL_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of a playbook's text, and of each of its imports.
pub const PLAYBOOK_BYTES: usize = 512 * 1024;

/// Bytes of a request's body. EventBridge sends at most 256 KiB, attack sequences included; a
/// playbook and its imports are the largest that people send.
pub const REQUEST_BYTES: usize = 1024 * 1024;

/// Bytes of a body that is too large which are read and thrown away, so that its sender hears why.
pub const REQUEST_DRAINED_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of alerts that a node takes in at once. They are held in memory until they are committed,
/// some ten times as large once they are read; a sender that finds them full is asked to come back.
pub const INTAKE_BYTES: usize = 32 * 1024 * 1024;

/// Bytes that a request for intake counts at least, so that many small ones fill it too.
pub const INTAKE_LEAST_BYTES: usize = 4 * 1024;

/// Bytes of memory that the tree of a payload may take for each byte of it, beside
/// [`TREE_FREE_BYTES`]. What detectors send in quantity takes ten at most, and what is nothing but
/// brackets two hundred.
pub const TREE_TIMES_TEXT: usize = 16;

/// Bytes of memory that the tree of a payload may take, however short it is.
pub const TREE_FREE_BYTES: usize = 64 * 1024;

/// When a sender that was turned away is to come back, in seconds.
pub const RETRY_AFTER_S: u32 = 1;

/// How far the clock of a sender that signs a time may be off, in milliseconds.
pub const SIGNED_WINDOW_MS: i64 = 5 * 60 * 1_000;

/// How old a message of SNS may be, in milliseconds: SNS itself gives up after an hour, and what a
/// person sends again from a dead-letter queue is younger than SNS keeps it, 14 days.
pub const SNS_AGE_MS: i64 = 14 * 24 * 60 * 60 * 1_000;

/// Bytes of a certificate that is fetched; AWS's have some 2 KiB.
pub const CERTIFICATE_BYTES: usize = 64 * 1024;

/// Certificates that are kept. AWS has one for each partition and renews it once a year.
pub const CERTIFICATES_KEPT: usize = 32;

/// Attempts of a step that is throttled.
pub const ATTEMPTS_THROTTLED: u32 = 10;

/// Attempts of a step that fails transiently.
pub const ATTEMPTS_TRANSIENT: u32 = 5;

/// Attempts that a playbook may ask for.
pub const ATTEMPTS_MAX: u32 = 100;

/// How long one attempt of an action may take, in milliseconds, unless it says otherwise.
pub const ATTEMPT_TIMEOUT_MS: i64 = 60_000;

/// How long after a first look a call counts as not made, in milliseconds. AWS shows some things
/// only seconds after they were made, and a request may still be on its way.
pub const LOOK_AGAIN_MS: i64 = 15_000;

/// How long a run may take in all, in milliseconds, unless its header says otherwise: 30 days.
pub const RUN_TIMEOUT_MS: i64 = 30 * 24 * 60 * 60 * 1_000;

/// How long what was deferred may take at the end of a run, in milliseconds: an hour, in which
/// somebody has looked at the page that says why it ended.
pub const CLOSING_MS: i64 = 60 * 60 * 1_000;

/// What one run may defer.
pub const DEFERRED: usize = 100;

/// How often a run may be taken over without getting any further before it is parked as poison.
pub const RECOVERIES: i64 = 5;

/// By how much the epoch of every run rises when its database is restored from a backup: by more
/// than any run was claimed since the backup, so that whoever held it then writes no more.
pub const EPOCHS_PER_RESTORE: i64 = 1_000_000_000;

/// For so long waiting, in milliseconds, a run counts as one level more urgent: what is critical comes
/// before a sweep that began within the hour, and a sweep comes to its turn after an hour whatever comes.
pub const LEVEL_MS: i64 = 15 * 60 * 1_000;

/// The largest limit that a playbook's header may set to the number of its runs: more than are in
/// memory at a time would be none.
pub const CONCURRENT_RUNS: u32 = 1_000;

/// The bytes of the value that runs are told apart by; of a longer one its digest stands for it.
pub const GATE_BYTES: usize = 200;

/// The number of decisions that an approval may ask for.
pub const QUORUM: u32 = 20;

/// How long somebody may be away, in milliseconds: a year. Whoever is away for longer has left.
pub const ABSENCE_MS: i64 = 366 * 86_400 * 1_000;

/// For how long somebody may say that a containment stands, in milliseconds: 90 days. What is to stand
/// longer is made final.
pub const CONTAINMENT_MS: i64 = 90 * 86_400 * 1_000;

/// Members of a form, and of each object in it: people fill it in.
pub const FORM_MEMBERS: usize = 50;

/// Levels of a form.
pub const FORM_DEPTH: usize = 4;

/// Memory of a form's compiled pattern, in bytes: it is built at each decision.
pub const FORM_PATTERN_BYTES: usize = 64 * 1024;

/// Changes of one plan. More than a person can read is more than a person can approve.
pub const PLAN_ITEMS: usize = 100;

/// Rows of one page of a listing.
pub const PAGE_ROWS: u32 = 200;

/// How often one page is sent out before it is left to the heartbeat's watcher.
pub const PAGE_DELIVERIES: u32 = 100;

/// Playbooks that a node keeps read and each of its shards keeps compiled. Another one that is
/// wanted is read from the database and compiled again, in a millisecond or two.
pub const PLAYBOOKS_KEPT: usize = 64;

/// How deep one payload may lie in others. A finding in an event in SNS in SQS in a list is five.
pub const ENVELOPES_DEEP: usize = 12;

/// Alerts of one payload. A file of CloudTrail records is the largest that is sent; the whole
/// payload is one commit.
pub const ALERTS_PER_PAYLOAD: usize = 10_000;

/// Bytes that a packed payload may unpack to, so that a small body can't fill the memory.
pub const UNPACKED_BYTES: usize = 4 * REQUEST_BYTES;

/// Rhai operations over one payload by a source that is a script. A payload of
/// [`ALERTS_PER_PAYLOAD`] alerts has a hundred for each; an endless loop ends in a tenth of a second.
pub const SOURCE_OPERATIONS: u64 = 1_000_000;

/// How long a source that is a script may take over one payload, in milliseconds. The sender waits
/// for it, and so does whoever else is on that thread.
pub const SOURCE_MS: u64 = 1_000;

/// Bytes of all strings of one value in such a source: the largest payload twice.
pub const SOURCE_STRING_BYTES: usize = 2 * UNPACKED_BYTES;

/// Sources that are scripts. Each is asked about every payload that comes without a name.
pub const SOURCE_SCRIPTS: usize = 100;

/// For how long a suppression may hold: what is older than a year was forgotten by those who made it.
pub const SUPPRESSION: Span = Span::from_secs(365 * 86_400);

/// For how long somebody is known whom the identity provider vouched for: whoever has not called for
/// three months is not counted on, and their roles are from another time.
pub const VOUCHED: Span = Span::from_secs(90 * 86_400);

/// The longest time in which a playbook is not started again about the same thing: what comes a
/// month later is not the same.
pub const COOLDOWN: Span = Span::from_secs(30 * 86_400);

/// How long a rule of correlation that is a script may take over one alert, in milliseconds: long
/// enough that one which is quick is heard on a machine that is busy, too.
pub const CORRELATION_MS: u64 = 500;

/// Rules of correlation that are scripts: each is asked about every alert.
pub const CORRELATION_SCRIPTS: usize = 20;

/// Keys that one of them gives for an alert. Each is looked up.
pub const CORRELATION_KEYS: usize = 20;

/// Suppressions that are planned or hold at a time. Every alert is held against each of them.
pub const SUPPRESSIONS: u32 = 500;

/// Characters of the reason that a person gives.
pub const REASON_CHARS: usize = 2_000;

/// Characters of a note about an incident: some pages. What is longer is a file, and evidence.
pub const NOTE_CHARS: usize = 20_000;

/// Lessons of an incident, and action items: what is more is a project.
pub const REVIEW_ITEMS: usize = 50;

/// Who may listen to runs of a node at a time: each looks at the database four times a second.
pub const RUN_LISTENERS: usize = 100;

/// Questions of a playbook that are asked after an incident: a longer list is answered unread.
pub const REVIEW_QUESTIONS: usize = 20;

/// Rules of correlation, and of storms: every alert is held against each of them.
pub const INTAKE_RULES: usize = 50;

/// Bytes of an alert's id, type, account, region and of a resource's id: AWS's longest names have
/// 2,048 characters, and what is longer fits no index of the database.
pub const ALERT_NAME_BYTES: usize = 2_048;

/// Resources of one alert; GuardDuty's attack sequences have up to 400.
pub const ALERT_RESOURCES: usize = 1_000;

/// Characters of an alert's title. It is one line of a page.
pub const ALERT_TITLE_CHARS: usize = 500;

/// Schedules of one playbook.
pub const SCHEDULES: usize = 32;

/// How late a tick of a schedule may start its run, unless the schedule says otherwise: a restart
/// is short, and a sweep of the night that comes at noon surprises people.
pub const CATCH_UP: Span = Span::from_secs(600);

/// Steps in a row by which exceptions of a schedule may take ticks away; then it is taken to tick no more.
/// A step is a day, a minute or one tick, as much as the exception leaves out without a gap.
pub const EXCEPTIONS_IN_A_ROW: usize = 100_000;

/// For how long exceptions may take every tick of a schedule away; then it is taken to tick no more. A certain
/// weekday falls on the 29th of February once in 28 years, and in 40 over a year such as 2100.
pub const EXCEPTIONS_LAST: Span = Span::from_secs(41 * 366 * 86_400);

/// Ticks that one look at a schedule decides on. More are left to the next look.
pub const TICKS_AT_ONCE: usize = 100;

/// Ticks that one backfill may start.
pub const BACKFILL_TICKS: usize = 1_000;

/// For how long it is kept what became of a tick: a tick that is older is not asked for again.
pub const TICK_KEPT: Span = Span::from_secs(90 * 86_400);

/// Bytes of a secret from which on a text that repeats it is sealed, too. A shorter one stands in
/// many texts by chance.
pub const ECHO_BYTES: usize = 8;

/// Bytes of a secret, or of a text in one, from which on it is taken out of an error's message.
pub const SCRUB_BYTES: usize = 4;

/// How far a clock may be ahead of ours, in milliseconds, before a time that it gave is taken to be
/// wrong. AWS itself refuses requests whose clock is off by more.
pub const CLOCK_SKEW_MS: i64 = 5 * 60 * 1_000;

/// Incidents whose facts an answer about KPIs reads: some 50 ms. Of more the tallies are read.
pub const KPI_FACTS: u32 = 10_000;

/// Values of a dimension that an answer about KPIs tells apart: those with the most incidents.
pub const KPI_VALUES: usize = 20;

/// Weeks of a trend of KPIs: two years.
pub const KPI_WEEKS: u32 = 104;

/// Incidents that are brought into the KPIs in one transaction: others wait for some 20 ms.
pub const KPI_BATCH: u32 = 128;

/// Incidents that a question about KPIs waits for, when they were changed just before.
pub const KPI_CATCH_UP: u32 = 1_024;

/// How long after a target was missed it is still told, in milliseconds: what was missed earlier
/// is news only because the target is.
pub const TARGET_NEWS_MS: i64 = 24 * 60 * 60 * 1_000;

/// The longest window of KPIs: some 300 rows are read for it.
pub const KPI_WINDOW: Span = Span::from_secs(5 * 366 * 86_400);

/// Bytes of an item of evidence: the largest object that S3 takes. What is larger is a disk, and
/// comes in parts.
pub const EVIDENCE_BYTES: u64 = 5 << 40;

/// How long it may take to fetch the content of an answer, in milliseconds: 250 MB by a slow line.
pub const CONTENT_TIMEOUT_MS: i64 = 600_000;

/// Characters of what people call an item of evidence. It is one line of a list.
pub const EVIDENCE_LABEL_CHARS: usize = 500;

/// Caveats that a playbook says of an item of evidence. They are read by people.
pub const EVIDENCE_CAVEATS: usize = 20;

/// Entries of a journal, from its end, that are looked through for where an item of evidence comes from:
/// a playbook keeps what it has just read.
pub const ORIGIN_ENTRIES: u32 = 1_000;

/// Bytes of answers that are looked through for it: a quarter of a second of hashing.
pub const ORIGIN_BYTES: u64 = 16 << 20;

/// How long a session of the console lasts: a shift, and not a day. Whoever leaves a browser open is asked
/// again by the next morning.
pub const CONSOLE_SESSION: Span = Span::from_secs(12 * 3_600);

/// How long a session that is over is kept, so that the audit log's names of tokens can be looked up.
pub const CONSOLE_SESSION_KEPT: Span = Span::from_secs(30 * 24 * 3_600);
