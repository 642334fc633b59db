-- The first tables. One text for SQLite and Postgres: TEXT and BIGINT only, times in microseconds
-- since 1970 UTC, truth values 0 and 1, JSON as TEXT.

-- Facts about the installation: the kill switch, the key of the evidence.
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE nodes (
    id TEXT PRIMARY KEY,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    version TEXT NOT NULL
);

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    hash TEXT NOT NULL UNIQUE,
    roles TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);

CREATE TABLE incidents (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'contained', 'closed')),
    severity TEXT NOT NULL CHECK (severity IN ('informational', 'low', 'medium', 'high', 'critical')),
    account TEXT,
    is_sample BIGINT NOT NULL,
    phase TEXT,
    verdict TEXT CHECK (verdict IN ('true_positive', 'false_positive', 'benign_positive')),
    verdict_reason TEXT,
    acknowledged_by TEXT,
    opened_at BIGINT NOT NULL,
    last_alert_at BIGINT NOT NULL
);
CREATE INDEX incidents_by_time ON incidents (opened_at);

-- Which incident takes the next alert about a thing.
CREATE TABLE correlations (
    correlation_key TEXT PRIMARY KEY,
    incident_id TEXT NOT NULL,
    last_alert_at BIGINT NOT NULL
);

CREATE TABLE milestones (
    incident_id TEXT NOT NULL,
    milestone TEXT NOT NULL,
    at BIGINT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (incident_id, milestone)
);

CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    dedup_key TEXT NOT NULL UNIQUE,
    incident_id TEXT NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('informational', 'low', 'medium', 'high', 'critical')),
    status TEXT NOT NULL CHECK (status IN ('active', 'resolved', 'suppressed')),
    account TEXT,
    region TEXT,
    is_sample BIGINT NOT NULL,
    count BIGINT,
    updated_at BIGINT,
    received_at BIGINT NOT NULL,
    last_received_at BIGINT NOT NULL,
    deliveries BIGINT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX alerts_by_incident ON alerts (incident_id);

-- Every version of every payload, under its hash: the first piece of evidence of an incident.
CREATE TABLE payloads (
    sha256 TEXT PRIMARY KEY,
    body TEXT NOT NULL
);

-- Payloads that could not be read, byte for byte in base64.
CREATE TABLE dead_letters (
    id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    body TEXT NOT NULL
);

-- The texts of every version that was ever published: a run in flight may need any of them.
CREATE TABLE playbook_texts (
    digest TEXT NOT NULL,
    path TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (digest, path)
);

CREATE TABLE playbook_versions (
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    header TEXT NOT NULL,
    published_at BIGINT NOT NULL,
    published_by TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (name, digest)
);

-- The one pointer that activate and rollback move.
CREATE TABLE playbooks (
    name TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    previous_digest TEXT,
    activated_at BIGINT NOT NULL,
    activated_by TEXT NOT NULL
);

CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    playbook TEXT NOT NULL,
    digest TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN
        ('queued', 'running', 'waiting', 'paused', 'parked', 'succeeded', 'failed', 'cancelled')),
    parked_reason TEXT CHECK (parked_reason IN ('diverged', 'poison', 'limit', 'in_doubt')),
    incident_id TEXT,
    alert_id TEXT,
    subject TEXT,
    parent_id TEXT,
    parent_step TEXT,
    depth BIGINT NOT NULL,
    requester TEXT NOT NULL,
    outcome TEXT,
    node_id TEXT,
    epoch BIGINT NOT NULL,
    lease_until BIGINT,
    recoveries BIGINT NOT NULL,
    recovered_seq BIGINT,
    wake_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    finished_at BIGINT,
    CHECK ((finished_at IS NOT NULL) = (status IN ('succeeded', 'failed', 'cancelled'))),
    CHECK ((parked_reason IS NOT NULL) = (status = 'parked')),
    CHECK ((node_id IS NOT NULL) = (status = 'running'))
);
CREATE INDEX runs_queued ON runs (created_at) WHERE status = 'queued';
CREATE INDEX runs_due ON runs (wake_at) WHERE status = 'waiting' AND wake_at IS NOT NULL;
CREATE INDEX runs_leased ON runs (node_id) WHERE status = 'running';
CREATE INDEX runs_by_incident ON runs (incident_id);
CREATE INDEX runs_by_alert ON runs (alert_id);
-- One open run of a playbook about one thing.
CREATE UNIQUE INDEX runs_one_open ON runs (playbook, subject)
    WHERE subject IS NOT NULL AND parent_id IS NULL
        AND status NOT IN ('succeeded', 'failed', 'cancelled');

CREATE TABLE journal (
    run_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run_id, seq)
);

-- Facts on their way into a run: decisions, ends of child runs, wishes of people.
CREATE TABLE inbox (
    id TEXT PRIMARY KEY,
    run_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX inbox_by_run ON inbox (run_id);

CREATE TABLE approvals (
    id TEXT PRIMARY KEY,
    run_id TEXT NOT NULL,
    step TEXT NOT NULL,
    incident_id TEXT,
    status TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'rejected', 'expired', 'withdrawn')),
    title TEXT NOT NULL,
    approvers TEXT NOT NULL,
    quorum BIGINT NOT NULL,
    form TEXT,
    plan TEXT,
    plan_digest TEXT,
    card TEXT NOT NULL,
    requested_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    decided_at BIGINT,
    CHECK ((decided_at IS NULL) = (status = 'pending'))
);
CREATE INDEX approvals_pending ON approvals (expires_at) WHERE status = 'pending';
CREATE INDEX approvals_by_run ON approvals (run_id);
CREATE INDEX approvals_by_incident ON approvals (incident_id);

CREATE TABLE decisions (
    approval_id TEXT NOT NULL,
    person TEXT NOT NULL,
    answer TEXT NOT NULL CHECK (answer IN ('approve', 'reject')),
    reason TEXT NOT NULL,
    form TEXT NOT NULL,
    at BIGINT NOT NULL,
    origin TEXT NOT NULL,
    PRIMARY KEY (approval_id, person)
);

-- Pages to people: sent out again and higher up until somebody takes them.
CREATE TABLE pages (
    id TEXT PRIMARY KEY,
    dedup_key TEXT NOT NULL UNIQUE,
    incident_id TEXT,
    run_id TEXT,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    chain TEXT NOT NULL,
    level BIGINT NOT NULL,
    deliveries BIGINT NOT NULL,
    last_error TEXT,
    raised_at BIGINT NOT NULL,
    repeat_ms BIGINT NOT NULL,
    next_at BIGINT,
    taken_at BIGINT,
    taken_by TEXT
);
CREATE INDEX pages_due ON pages (next_at) WHERE taken_at IS NULL AND next_at IS NOT NULL;
CREATE INDEX pages_by_incident ON pages (incident_id);

CREATE TABLE evidence (
    id TEXT PRIMARY KEY,
    incident_id TEXT NOT NULL,
    run_id TEXT,
    step TEXT,
    label TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    media_type TEXT NOT NULL,
    captured_at BIGINT NOT NULL,
    captured_by TEXT NOT NULL,
    call TEXT NOT NULL
);
CREATE INDEX evidence_by_incident ON evidence (incident_id);

-- The custody chain of each incident; `body` is what its `hash` is of.
CREATE TABLE custody (
    incident_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    hash TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (incident_id, seq)
);

-- The end of each chain. Its row is also what two nodes that append at once wait for.
CREATE TABLE custody_heads (
    incident_id TEXT PRIMARY KEY,
    count BIGINT NOT NULL,
    hash TEXT NOT NULL
);
