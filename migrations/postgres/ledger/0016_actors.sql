-- Who made a change: what kind of identity, its id, the way it came, and why. Changes of before have none.
ALTER TABLE change_log ADD COLUMN actor_kind text;
ALTER TABLE change_log ADD COLUMN actor_id text;
ALTER TABLE change_log ADD COLUMN channel text;
ALTER TABLE change_log ADD COLUMN reason text;
