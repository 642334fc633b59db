-- Runs whose calls are held against CloudTrail, some time after they have ended. `incident_id` is the one
-- whose id their sessions bear, also when it went on in another.
CREATE TABLE trail_audits (
    run_id TEXT PRIMARY KEY,
    incident_id TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    looks BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    summary TEXT,
    settled_at BIGINT
);
CREATE INDEX trail_audits_due ON trail_audits (due_at) WHERE outcome = 'waiting';
