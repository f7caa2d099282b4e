-- The frontier of a log's Merkle tree after its first tree_size entries, the last of which is of this day: kept once
-- the day is over, so that nothing of it has to be read when it is forgotten. It says what the entries say: where it is
-- null, or not at the end of the day, the rest is read.
alter table log_days add column tree_size bigint;
alter table log_days add column frontier bytea;
