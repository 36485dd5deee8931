-- Two roles for PostgreSQL with the least that each needs. Run it once, after
-- `auditferry migrate`, as the owner of the tables or a superuser:
--
--     psql "$OWNER_URL" -f scripts/sql/postgres-roles.sql
--     psql "$OWNER_URL" -c '\password auditferry_app' -c '\password auditferry_worker'
--
-- Running it again changes nothing. The owner's own role stays with whoever runs
-- migrations; give the workers `ledger.migrate = false` and the role below, so that
-- they cannot drop the triggers that keep audit_log append-only.
-- It covers the schema that is first in search_path, with audit_log and the ledger in it;
-- for a ledger in another database, run the parts "worker" there.

\set ON_ERROR_STOP on
BEGIN;

SELECT format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', role)
FROM (VALUES ('auditferry_app'), ('auditferry_worker')) AS wanted (role)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role)
\gexec

SELECT current_schema() AS schema
\gset
GRANT USAGE ON SCHEMA :"schema" TO auditferry_app, auditferry_worker;

-- Application: adds records, and nothing else. It cannot choose seq and tx, which the
-- database assigns and which decide the order of delivery; it cannot read, change or
-- remove a record. So INSERT ... RETURNING does not work for it.
REVOKE ALL ON audit_log FROM auditferry_app;
GRANT INSERT (account_id, occurred_at, email, action, action_id, description, ip_address)
    ON audit_log TO auditferry_app;

-- Worker: everything in the ledger, but only reads of audit_log. Tables of later
-- migrations get the same, if the role that runs this file also runs the migrations.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA :"schema" TO auditferry_worker;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA :"schema" TO auditferry_worker;
ALTER DEFAULT PRIVILEGES IN SCHEMA :"schema"
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO auditferry_worker;
ALTER DEFAULT PRIVILEGES IN SCHEMA :"schema"
    GRANT USAGE ON SEQUENCES TO auditferry_worker;
REVOKE ALL ON audit_log, auditferry_cluster FROM auditferry_worker;
GRANT SELECT ON audit_log, auditferry_cluster TO auditferry_worker;
-- `auditferry import` and audit.self_records write records. Where the workers' role shall do so, add:
--     GRANT INSERT (account_id, occurred_at, email, action, action_id, description, ip_address)
--         ON audit_log TO auditferry_worker;

COMMIT;
