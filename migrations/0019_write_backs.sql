-- Incidents of which detectors are to hear what people made of them: `wanted` rises when that
-- changes, and `done` follows when a run was started that tells them.
CREATE TABLE write_backs (
    incident_id TEXT PRIMARY KEY,
    wanted BIGINT NOT NULL,
    done BIGINT NOT NULL,
    told_verdict TEXT
);
CREATE INDEX write_backs_due ON write_backs (incident_id) WHERE wanted <> done;
