-- Facts of one run that come within one microsecond have an order too.
ALTER TABLE inbox ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
