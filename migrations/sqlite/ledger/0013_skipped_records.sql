-- Records that cannot be exported and that a person chose to leave out of their window. Their keys
-- are in the window's record_set too, so that the window is always read without them.
CREATE TABLE skipped_record (
    account     text NOT NULL,
    number      integer NOT NULL,
    key         text NOT NULL,
    -- Why it could not be exported.
    problem     text NOT NULL,
    -- Why it may be left out.
    reason      text NOT NULL,
    operator    text NOT NULL,
    skipped_at  integer NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS integer) * 1000000),
    PRIMARY KEY (account, number, key),
    FOREIGN KEY (account, number) REFERENCES export_window ON DELETE CASCADE
) STRICT;
