-- What the evidence key has signed over all incidents: ends of chains, and the handing over to another key.
CREATE TABLE ledger (
    seq BIGINT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('checkpoint', 'handover')),
    at BIGINT NOT NULL,
    incident_id TEXT,
    count BIGINT,
    statement TEXT NOT NULL,
    signature TEXT NOT NULL,
    anchored_at BIGINT,
    anchored_in TEXT,
    refused TEXT,
    CHECK ((anchored_at IS NULL) = (anchored_in IS NULL))
);
CREATE INDEX ledger_by_incident ON ledger (incident_id, count) WHERE incident_id IS NOT NULL;
CREATE INDEX ledger_waiting ON ledger (seq) WHERE anchored_at IS NULL AND refused IS NULL;
-- The end of it. Its row is also what two nodes that append at once wait for.
CREATE TABLE ledger_head (
    id BIGINT PRIMARY KEY,
    count BIGINT NOT NULL,
    hash TEXT NOT NULL
);
-- How many records of a chain the ledger has signed.
ALTER TABLE custody_heads ADD COLUMN checkpointed BIGINT NOT NULL DEFAULT 0;
CREATE INDEX custody_heads_changed ON custody_heads (incident_id) WHERE count <> checkpointed;
