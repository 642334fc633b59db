-- When a playbook was last started because of a resource: for a while it is not started again.
CREATE TABLE trigger_cooldowns (
    playbook TEXT NOT NULL,
    resource_key TEXT NOT NULL,
    run_id TEXT NOT NULL,
    severity TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    PRIMARY KEY (playbook, resource_key)
);
CREATE INDEX trigger_cooldowns_by_time ON trigger_cooldowns (playbook, started_at);
