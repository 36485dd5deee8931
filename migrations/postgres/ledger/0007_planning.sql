-- Accounts that are due and have no window yet are found among any number that have one.
CREATE INDEX account_unplanned ON account (due_at) WHERE due_at IS NOT NULL AND open_window IS NULL;
