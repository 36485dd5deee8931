-- How many records a skipped window leaves out, counted when it was skipped; absent: not counted.
ALTER TABLE export_window ADD COLUMN left_out integer;
