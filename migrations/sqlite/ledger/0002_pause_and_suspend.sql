-- Support has paused the account; since when, and why.
ALTER TABLE account ADD COLUMN paused_at integer;
ALTER TABLE account ADD COLUMN paused_reason text;
-- Since when the customer's side refuses every put, and since when it is only probed.
ALTER TABLE account ADD COLUMN denied_since integer;
ALTER TABLE account ADD COLUMN suspended_at integer;
