-- Whether the account's records count from the first enablement of its add-on, which has not come yet.
ALTER TABLE account ADD COLUMN starts_when_enabled boolean NOT NULL DEFAULT false;
