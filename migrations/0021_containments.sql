-- What was contained and still stands: whose it is, and until when it holds without a word of theirs.
CREATE TABLE containments (
    id TEXT PRIMARY KEY,
    incident_id TEXT,
    run_id TEXT NOT NULL,
    step TEXT NOT NULL,
    changes TEXT NOT NULL,
    owner TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'final', 'undone')),
    began_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- When its owner is asked next, and how often that was done.
    ask_at BIGINT NOT NULL,
    asked BIGINT NOT NULL,
    ended_at BIGINT,
    ended_by TEXT,
    reason TEXT,
    undone_by TEXT
);
CREATE INDEX containments_to_ask ON containments (ask_at) WHERE status = 'open';
CREATE INDEX containments_of_incident ON containments (incident_id);
CREATE INDEX containments_of_run ON containments (run_id);
CREATE INDEX containments_undone_by ON containments (undone_by) WHERE undone_by IS NOT NULL;
