-- Whose turn it is, without a look at all that wait: the gates one after the other, and those who wait
-- at one in their order (the expression is that of `limits::LEVEL_MS` for a level, in microseconds).
DROP INDEX runs_gated;
CREATE INDEX runs_at_gate ON runs (gate, (created_at - level * 900000000), id)
    WHERE gate IS NOT NULL AND admitted_at IS NULL AND finished_at IS NULL;
CREATE INDEX runs_gate_most ON runs (gate, gate_max)
    WHERE gate IS NOT NULL AND admitted_at IS NULL AND finished_at IS NULL;
CREATE INDEX runs_admitted ON runs (gate)
    WHERE gate IS NOT NULL AND admitted_at IS NOT NULL AND finished_at IS NULL;
-- Runs whose journals are here, by their ends: what was archived is not looked at again.
ALTER TABLE runs ADD COLUMN archived_at BIGINT;
UPDATE runs SET archived_at = finished_at WHERE finished_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.run_id = runs.id);
CREATE INDEX runs_to_archive ON runs (finished_at, id)
    WHERE finished_at IS NOT NULL AND archived_at IS NULL;
