-- When the credentials of a destination end, as far as it is known, and the threshold in days (14, 7, 1, or 0 for
-- the end) of which somebody has been warned already.
ALTER TABLE destination ADD COLUMN ends_at timestamptz;
ALTER TABLE destination ADD COLUMN warned bigint;
CREATE INDEX destination_ends ON destination (ends_at) WHERE ends_at IS NOT NULL;
