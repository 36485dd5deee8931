-- The PostgreSQL clusters in which this audit_log has lived, the newest last; no row: it has never been
-- moved. `auditferry source adopt` adds one when it has proved that a move lost nothing. Bounds carry the
-- label of the cluster that gave them. shift is what is added to the ids of a cluster's transactions, so
-- that they go on above those of the cluster before: audit_log_gives_tx() adds it too.
CREATE TABLE auditferry_cluster (
    number      bigint PRIMARY KEY,
    cluster     text NOT NULL,
    label       text NOT NULL UNIQUE,
    shift       bigint NOT NULL CHECK (shift >= 0),
    adopted_at  timestamptz NOT NULL DEFAULT now()
);
-- Whoever looks for marks looks here too.
DO $$
DECLARE
    reader name;
BEGIN
    FOR reader IN
        SELECT DISTINCT rolname FROM pg_class, aclexplode(relacl) JOIN pg_roles ON pg_roles.oid = grantee
        WHERE pg_class.oid = to_regclass('auditferry_mark') AND privilege_type = 'SELECT'
    LOOP
        EXECUTE format('GRANT SELECT ON auditferry_cluster TO %I', reader);
    END LOOP;
END
$$;
