-- tx is given by the table alone, whatever an INSERT names: a chosen one would put a record under a
-- watermark, where nobody looks for it any more. ALWAYS: also where a logical replication applies the
-- rows of another server, whose transactions are not ours. No search_path leads to another function.
CREATE FUNCTION audit_log_gives_tx() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.tx := pg_catalog.pg_current_xact_id();
    RETURN NEW;
END
$$;
CREATE TRIGGER audit_log_gives_tx BEFORE INSERT ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_gives_tx();
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_gives_tx;
