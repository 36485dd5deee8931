-- Workers, as they say of themselves: each writes its row every few seconds.
CREATE TABLE worker (
    -- Its name in leases and attempts.
    id text PRIMARY KEY,
    host text NOT NULL,
    version text NOT NULL,
    -- By the worker's clock; the other two by this database's.
    started_at integer NOT NULL,
    seen_at integer NOT NULL,
    -- When it ended as it should; null: it runs, or was killed.
    ended_at integer,
    -- What it does, what it waits for, and how its chores go.
    report text NOT NULL
) STRICT;
