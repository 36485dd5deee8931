-- What the trust policies of the account's roles ask for: random, made once per account, and gone
-- with it, so that an account that comes again under the same id gets another.
ALTER TABLE account ADD COLUMN external_id text;
