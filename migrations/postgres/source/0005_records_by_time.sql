-- Records by the time at which they occurred, for pages that show them. On a table with rows it is there already, or is being
-- built beside those who write (src/source/postgres/by_time.rs): that one must not be waited for here.
DO $$
BEGIN
    IF to_regclass('audit_log_time') IS NULL THEN
        CREATE INDEX audit_log_time ON audit_log (account_id, occurred_at, seq);
    END IF;
END
$$;
