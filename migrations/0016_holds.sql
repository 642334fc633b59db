-- Incidents of which retention moves and deletes nothing.
CREATE TABLE holds (
    incident_id TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    held_by TEXT NOT NULL,
    held_at BIGINT NOT NULL
);
