-- A run that is run again, or that continues as new, begins another generation. Its journal is
-- read from `base_seq` on.
ALTER TABLE runs ADD COLUMN generation BIGINT NOT NULL DEFAULT 1;
ALTER TABLE runs ADD COLUMN base_seq BIGINT NOT NULL DEFAULT 0;
