-- An alert that is kept quiet is in no incident, and says by what. One that joined an incident says
-- by which rule and key. A column can't lose its NOT NULL in both databases: the table is made anew.
DROP INDEX alerts_by_incident;
ALTER TABLE alerts RENAME TO alerts_before;
CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    dedup_key TEXT NOT NULL UNIQUE,
    incident_id TEXT,
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
    body TEXT NOT NULL,
    suppressed_by TEXT,
    joined TEXT
);
INSERT INTO alerts (id, dedup_key, incident_id, source, kind, title, severity, status, account, region,
    is_sample, count, updated_at, received_at, last_received_at, deliveries, body)
SELECT id, dedup_key, incident_id, source, kind, title, severity, status, account, region, is_sample,
    count, updated_at, received_at, last_received_at, deliveries, body FROM alerts_before;
DROP TABLE alerts_before;
CREATE INDEX alerts_by_incident ON alerts (incident_id);
CREATE INDEX alerts_by_kind ON alerts (kind, account);

-- What people want to hear nothing of for a while.
CREATE TABLE suppressions (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('noise', 'maintenance')),
    filter TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    starts_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    ended_by TEXT,
    count BIGINT NOT NULL,
    last_at BIGINT
);
CREATE INDEX suppressions_by_end ON suppressions (expires_at);

-- How many alerts of a type came, and the incident that they became.
CREATE TABLE storms (
    tally_key TEXT PRIMARY KEY,
    since BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    count BIGINT NOT NULL,
    incident_id TEXT
);

-- When sources that must not fall silent were last heard.
CREATE TABLE heard_sources (
    source TEXT PRIMARY KEY,
    last_at BIGINT NOT NULL,
    alarmed_at BIGINT
);

-- Incidents that people made one, or took apart.
ALTER TABLE incidents ADD COLUMN merged_into TEXT;
ALTER TABLE incidents ADD COLUMN split_from TEXT;
