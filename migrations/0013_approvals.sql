-- Several rules of one approval, each with so many people; without any, the one that `approvers` and
-- `quorum` are.
ALTER TABLE approvals ADD COLUMN rules TEXT;
-- Why the people that there were when it was asked could not have met them.
ALTER TABLE approvals ADD COLUMN out_of_reach TEXT;
-- The end of the incident's custody chain when it was asked: all evidence that there was then.
ALTER TABLE approvals ADD COLUMN evidence_head TEXT;
-- The entries of the rules that a person answered for when they decided.
ALTER TABLE decisions ADD COLUMN counts_as TEXT;

-- Who stands in for whom, from when to when. A person has one of them at a time that has not ended.
CREATE TABLE absences (
    id TEXT PRIMARY KEY,
    person TEXT NOT NULL,
    delegate TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    set_by TEXT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX absences_open ON absences (until_at) WHERE ended_at IS NULL;

-- Open approvals that one person has handed to another, with the entries of the rules that they are.
CREATE TABLE handovers (
    approval_id TEXT NOT NULL,
    from_person TEXT NOT NULL,
    to_person TEXT NOT NULL,
    entries TEXT NOT NULL,
    reason TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (approval_id, from_person)
);

-- Approvals that one person answered for everybody, and what another said of it afterwards.
CREATE TABLE broken_glass (
    approval_id TEXT PRIMARY KEY,
    incident_id TEXT,
    title TEXT NOT NULL,
    person TEXT NOT NULL,
    reason TEXT NOT NULL,
    at BIGINT NOT NULL,
    reviewed_at BIGINT,
    reviewed_by TEXT,
    review TEXT
);

-- Those of whom a person had some of what they answered for.
ALTER TABLE decisions ADD COLUMN on_behalf TEXT;
-- 1 where one person answered for everybody.
ALTER TABLE decisions ADD COLUMN is_break_glass BIGINT NOT NULL DEFAULT 0;

-- Changes that were let go, as far as the configuration counts them.
CREATE TABLE guarded_calls (
    call_key TEXT PRIMARY KEY,
    run_id TEXT NOT NULL,
    incident_id TEXT,
    effect TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX guarded_calls_by_time ON guarded_calls (at);
CREATE INDEX guarded_calls_by_incident ON guarded_calls (incident_id);
-- What they touched.
CREATE TABLE guarded_resources (
    resource TEXT NOT NULL,
    call_key TEXT NOT NULL,
    run_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (resource, call_key)
);

-- How far a token's roles reach; everywhere without it.
ALTER TABLE tokens ADD COLUMN scope TEXT;

-- Who does what in an incident. What is set later is what holds.
CREATE TABLE assignments (
    incident_id TEXT NOT NULL,
    duty TEXT NOT NULL CHECK (duty IN ('lead', 'scribe', 'communications')),
    person TEXT NOT NULL,
    at BIGINT NOT NULL,
    set_by TEXT NOT NULL,
    PRIMARY KEY (incident_id, duty)
);
