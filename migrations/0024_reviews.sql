-- How often an incident was opened again after its end.
ALTER TABLE incidents ADD COLUMN reopenings BIGINT NOT NULL DEFAULT 0;

-- The review after an incident: what was answered, and who signed it off.
CREATE TABLE reviews (
    incident_id TEXT PRIMARY KEY,
    answers TEXT NOT NULL,
    score BIGINT,
    reviewed_by TEXT NOT NULL,
    reviewed_at BIGINT NOT NULL,
    signed_off_by TEXT,
    signed_off_at BIGINT
);
