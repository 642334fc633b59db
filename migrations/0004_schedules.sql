-- How far each schedule of an active playbook has been decided, and whether it stands still.
CREATE TABLE schedules (
    playbook TEXT NOT NULL,
    name TEXT NOT NULL,
    revision BIGINT NOT NULL,
    decided_until BIGINT NOT NULL,
    waiting_tick BIGINT,
    paused_at BIGINT,
    paused_by TEXT,
    note TEXT,
    PRIMARY KEY (playbook, name),
    CHECK ((paused_at IS NULL) = (paused_by IS NULL))
);

-- What became of each tick. Its key is why a tick starts one run at most.
CREATE TABLE ticks (
    playbook TEXT NOT NULL,
    schedule TEXT NOT NULL,
    tick_at BIGINT NOT NULL,
    cause TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('started', 'skipped', 'missed')),
    run_id TEXT,
    is_open BIGINT NOT NULL,
    decided_at BIGINT NOT NULL,
    PRIMARY KEY (playbook, schedule, tick_at)
);
CREATE INDEX ticks_open ON ticks (playbook, schedule) WHERE is_open = 1;
