-- Evidence that retention has deleted, and where it was moved to: its row says so, and stays.
ALTER TABLE evidence ADD COLUMN deleted_at BIGINT;
ALTER TABLE evidence ADD COLUMN moved_to TEXT;

-- Bytes that are to go. They are set aside first: somebody may be keeping the same just now.
CREATE TABLE item_deletions (
    sha256 TEXT PRIMARY KEY,
    deleted_at BIGINT NOT NULL,
    aside_at BIGINT
);

-- Bytes that the journal of a run needs, be they evidence or not.
CREATE TABLE run_items (
    sha256 TEXT NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (sha256, run_id)
);
