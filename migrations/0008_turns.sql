-- Whose turn it is: how urgent a run is, and how many runs may be under way beside it.
ALTER TABLE runs ADD COLUMN level BIGINT NOT NULL DEFAULT 0;
-- What it shares with others of which only `gate_max` may be under way, and since when it is one.
ALTER TABLE runs ADD COLUMN gate TEXT;
ALTER TABLE runs ADD COLUMN gate_max BIGINT;
ALTER TABLE runs ADD COLUMN admitted_at BIGINT;
DROP INDEX runs_queued;
CREATE INDEX runs_turns ON runs (playbook, level, created_at, updated_at, restored_at, gate, admitted_at)
    WHERE status = 'queued' AND (gate IS NULL OR admitted_at IS NOT NULL);
CREATE INDEX runs_gated ON runs (gate, created_at) WHERE gate IS NOT NULL AND finished_at IS NULL;
