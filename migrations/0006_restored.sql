-- When the database was restored from a backup that holds the run: what the run did after the backup
-- is not known here.
ALTER TABLE runs ADD COLUMN restored_at BIGINT;
