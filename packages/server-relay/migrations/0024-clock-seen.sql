-- The day that the relay's clock had when it was last watched: a restart asks whether it is ahead of that, and does not
-- watch anew what was watched already (docs/spec/relay-storage.md). Null: it never was, or by a version before.
alter table clock_doubt add column seen_day int;
