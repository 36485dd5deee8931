-- What people changed, written in the transaction of each change.
CREATE TABLE change_log (
    seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT now(),
    by_whom  text NOT NULL,
    account  text COLLATE "C" NOT NULL,
    action   text NOT NULL,
    fields   jsonb NOT NULL
);
CREATE INDEX change_log_account ON change_log (account, seq);

CREATE FUNCTION change_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'change_log is append-only: % is refused', TG_OP;
END
$$;
CREATE TRIGGER change_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON change_log
    FOR EACH STATEMENT EXECUTE FUNCTION change_log_is_append_only();
