-- The audit log. An application inserts account_id, occurred_at, email, action, action_id,
-- description and ip_address with plain SQL; seq has a default. occurred_at is UTC in the form
-- 2026-11-21T04:00:00.123Z, with 0 to 9 digits of the second.
--
-- SQLite has one writer, so seq is commit order; AUTOINCREMENT never gives a number again.
CREATE TABLE audit_log (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT CHECK (seq > 0),
    account_id   TEXT NOT NULL CHECK (account_id <> '' AND length(CAST(account_id AS BLOB)) <= 200),
    occurred_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
                 CHECK (
                     occurred_at GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]*Z'
                     AND (length(occurred_at) = 20
                          OR (substr(occurred_at, 20, 1) = '.' AND length(occurred_at) BETWEEN 22 AND 30
                              AND substr(occurred_at, 21, length(occurred_at) - 21) NOT GLOB '*[^0-9]*'))
                     -- IS: of a month 13 strftime makes NULL, and a CHECK that is NULL holds.
                     AND strftime('%Y-%m-%dT%H:%M:%S', substr(occurred_at, 1, 19), '+0 days') IS substr(occurred_at, 1, 19)
                     -- GLOB and length end at a NUL.
                     AND length(CAST(occurred_at AS BLOB)) = length(occurred_at)
                     AND occurred_at >= '0001-01-03' AND occurred_at < '9999-12-29'
                 ),
    email        TEXT NOT NULL,
    action       TEXT NOT NULL,
    action_id    TEXT,
    description  TEXT NOT NULL DEFAULT '',
    ip_address   TEXT
) STRICT;
CREATE INDEX audit_log_window ON audit_log (account_id, seq);

CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only: UPDATE is refused; insert a new record that corrects the old one');
END;
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only: DELETE is refused; insert a new record that corrects the old one');
END;
-- INSERT OR REPLACE deletes without firing the trigger above, and a chosen seq breaks the order.
CREATE TRIGGER audit_log_no_chosen_seq BEFORE INSERT ON audit_log WHEN NEW.seq IS NOT NULL AND NEW.seq <> -1 BEGIN
    SELECT RAISE(ABORT, 'audit_log.seq is given by the database: leave it out of the INSERT');
END;

-- Marks of ledgers, one for each bound that they captured. A mark that is gone tells that the
-- file was replaced by an older copy.
CREATE TABLE auditferry_mark (
    ledger       TEXT NOT NULL,
    number       INTEGER NOT NULL,
    captured_at  INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER) * 1000000),
    PRIMARY KEY (ledger, number)
) STRICT;
