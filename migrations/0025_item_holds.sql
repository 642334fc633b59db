-- Items that are under a legal hold in their bucket.
CREATE TABLE item_holds (
    sha256 TEXT PRIMARY KEY,
    held_at BIGINT NOT NULL
);
CREATE INDEX evidence_by_item ON evidence (sha256);
