-- How the account's schedule is written. 1: days of the week are 1 (Sunday) to 7, and a day of the month and
-- one of the week are both asked for. 2: as in cron, 0 and 7 are Sunday, and either is enough.
ALTER TABLE account ADD COLUMN schedule_syntax integer NOT NULL DEFAULT 1;
