-- Of what the blobs of an organisation count for, what is past its Y and is kept because nobody has exported what may name
-- it, by the last round of forgetting (docs/spec/attachment.md). For whoever looks at the database: nothing is decided by it.
alter table blob_heads add column held_bytes bigint not null default 0;
