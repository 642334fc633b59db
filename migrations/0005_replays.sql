-- Which dead letters were read after all, and who had them read.
ALTER TABLE dead_letters ADD COLUMN replayed_at BIGINT;
ALTER TABLE dead_letters ADD COLUMN replayed_by TEXT;
