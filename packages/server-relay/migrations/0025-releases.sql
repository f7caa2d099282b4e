-- By which device's word what was forgotten had been exported, as that word travelled; null where nobody had said so, and
-- for what was forgotten by a version before. A device's newer word takes the place of the one in `exports`.
alter table deletions add column release bytea;
