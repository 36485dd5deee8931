-- Records by the time at which they occurred, for pages that show them. Texts of times compare like the times once the
-- Z is gone.
CREATE INDEX audit_log_time ON audit_log (account_id, rtrim(occurred_at, 'Z'), seq);
