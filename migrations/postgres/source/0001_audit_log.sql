-- The audit log. An application inserts account_id, occurred_at, email, action, action_id,
-- description and ip_address with plain SQL; the rest has defaults. Grant its role INSERT on
-- those columns alone (scripts/sql/postgres-roles.sql), so that it cannot choose tx or seq.
--
-- tx is the inserting transaction: with it, the set of records that have finished committing
-- between two snapshots can be read exactly (ARCHITECTURE.md, "Bounds").
CREATE TABLE audit_log (
    seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tx           xid8 NOT NULL DEFAULT pg_current_xact_id(),
    account_id   text NOT NULL CHECK (account_id <> '' AND octet_length(account_id) <= 200),
    -- Four-digit years in every time zone.
    occurred_at  timestamptz NOT NULL DEFAULT now()
                 CHECK (occurred_at >= '0001-01-03Z' AND occurred_at < '9999-12-29Z'),
    email        text NOT NULL,
    action       text NOT NULL,
    action_id    text,
    description  text NOT NULL DEFAULT '',
    ip_address   text
);
CREATE INDEX audit_log_window ON audit_log (account_id, tx, seq);

CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only: % is refused', TG_OP
        USING HINT = 'Insert a new record that corrects the old one.';
END
$$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();

-- Marks of ledgers, one for each bound that they captured. A mark that is gone tells that the
-- database went back: restored from a backup, or failed over to a standby that had not received it.
CREATE TABLE auditferry_mark (
    ledger       text NOT NULL,
    number       bigint NOT NULL,
    captured_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (ledger, number)
);
