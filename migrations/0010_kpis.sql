-- What KPIs are made of. An incident is brought into them when its version was not: whatever changes
-- one raises its version in the same commit.
ALTER TABLE incidents ADD COLUMN kpi_version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE incidents ADD COLUMN kpi_done BIGINT NOT NULL DEFAULT 0;
CREATE INDEX incidents_kpi_stale ON incidents (id) WHERE kpi_version <> kpi_done;

-- Who adds up has the lock of this row; `revision` says by which formulas, `targets` by which targets.
CREATE TABLE kpi_state (
    id BIGINT PRIMARY KEY,
    turn BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    targets TEXT NOT NULL
);
INSERT INTO kpi_state (id, turn, revision, targets) VALUES (1, 0, 0, '');

-- What each incident gives, and when the next of its targets is missed.
CREATE TABLE kpi_facts (
    incident_id TEXT PRIMARY KEY,
    opened_at BIGINT NOT NULL,
    breach_at BIGINT,
    body TEXT NOT NULL
);
CREATE INDEX kpi_facts_by_time ON kpi_facts (opened_at, incident_id);
CREATE INDEX kpi_facts_breaches ON kpi_facts (breach_at) WHERE breach_at IS NOT NULL;

-- Facts added up: by day and week, for each value of each dimension.
CREATE TABLE kpi_tallies (
    dimension TEXT NOT NULL,
    value TEXT NOT NULL,
    period TEXT NOT NULL CHECK (period IN ('day', 'week')),
    start_at BIGINT NOT NULL,
    incidents BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (dimension, value, period, start_at)
);
CREATE INDEX kpi_tallies_values ON kpi_tallies (dimension, period, start_at, value, incidents);
