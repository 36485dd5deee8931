-- Records by the time at which they occurred, for pages that show them. On a table with rows it is there already,
-- built before this without blocking writers (src/source/postgres/by_time.rs).
CREATE INDEX IF NOT EXISTS audit_log_time ON audit_log (account_id, occurred_at, seq);
