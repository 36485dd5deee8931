-- Where the account's newest destination is, so that a claim can pass over those that are busy.
-- Empty until its next window is planned, for accounts from before.
ALTER TABLE account ADD COLUMN endpoint text NOT NULL DEFAULT '';
-- When the open window's newest object was delivered: the account's place in the queue.
ALTER TABLE account ADD COLUMN served_at timestamptz;
