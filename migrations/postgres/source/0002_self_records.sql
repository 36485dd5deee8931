-- Changes of a ledger that are records of audit_log already, so that each becomes one record.
CREATE TABLE auditferry_self_record (
    ledger  text NOT NULL,
    number  bigint NOT NULL,
    PRIMARY KEY (ledger, number)
);
