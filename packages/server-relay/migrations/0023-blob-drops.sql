-- Whether bytes of blobs that the index does not have are still to be removed: a restore leaves them behind, and says so
-- in its transaction (docs/spec/timeline.md). One row, or none.
create table blob_drops (
  one boolean primary key default true check (one)
);
