-- What people changed, written in the transaction of each change.
CREATE TABLE change_log (
    seq      integer PRIMARY KEY AUTOINCREMENT,
    at       integer NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    by_whom  text NOT NULL,
    account  text NOT NULL,
    action   text NOT NULL,
    fields   text NOT NULL
) STRICT;
CREATE INDEX change_log_account ON change_log (account, seq);

CREATE TRIGGER change_log_no_update BEFORE UPDATE ON change_log BEGIN
    SELECT RAISE(ABORT, 'change_log is append-only: UPDATE is refused');
END;
CREATE TRIGGER change_log_no_delete BEFORE DELETE ON change_log BEGIN
    SELECT RAISE(ABORT, 'change_log is append-only: DELETE is refused');
END;
-- INSERT OR REPLACE deletes without firing the trigger above.
CREATE TRIGGER change_log_no_chosen_seq BEFORE INSERT ON change_log WHEN NEW.seq IS NOT NULL AND NEW.seq <> -1 BEGIN
    SELECT RAISE(ABORT, 'change_log.seq is given by the database: leave it out of the INSERT');
END;
