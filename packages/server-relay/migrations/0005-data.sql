-- What an organisation lets the relay read. Content, ids and names of collections are ciphertext or keyed
-- hashes here: the keys are wrapped by a key that is not in the database.

create table data_keys (
  org bytea not null,
  key_number int not null,
  wrapping_key text not null,
  wrapped bytea not null,
  primary key (org, key_number)
);

-- How many documents an organisation has, and the number of its newest write.
create table data_heads (
  org bytea primary key,
  seq bigint not null,
  documents bigint not null
);

-- The newest version of each document, also of removed ones.
create table documents (
  org bytea not null,
  document bytea not null check (octet_length(document) = 32),
  collection bytea not null check (octet_length(collection) = 32),
  version bigint not null,
  seq bigint not null,
  key_number int not null,
  sealed bytea not null,
  primary key (org, document)
);
create index documents_by_seq on documents (org, collection, seq);

-- What devices tell the relay alone: one value for each device and collection.
create table system_values (
  org bytea not null,
  device bytea not null check (octet_length(device) = 32),
  collection bytea not null check (octet_length(collection) = 32),
  key_number int not null,
  sealed bytea not null,
  primary key (org, device, collection)
);

-- Keeps a version of a document if it follows the stored one. 0 stored, 1 another version is stored, 2 there
-- are in_most documents. The head's row is locked, so seqs become visible in their order, and two writes of a
-- document never cross.
create function put_document(
  in_org bytea, in_collection bytea, in_document bytea, in_version bigint, in_key int, in_sealed bytea,
  in_most bigint
) returns int
language plpgsql as $$
declare
  head record;
  stored bigint;
begin
  insert into data_heads values (in_org, 0, 0) on conflict do nothing;
  select h.seq, h.documents into head from data_heads h where h.org = in_org for update;
  select d.version into stored from documents d where d.org = in_org and d.document = in_document;
  if coalesce(stored, 0) <> in_version - 1 then
    return 1;
  end if;
  if stored is null and head.documents >= in_most then
    return 2;
  end if;
  insert into documents values (in_org, in_document, in_collection, in_version, head.seq + 1, in_key, in_sealed)
    on conflict (org, document) do update
    set version = excluded.version, seq = excluded.seq, key_number = excluded.key_number, sealed = excluded.sealed;
  update data_heads h
    set seq = head.seq + 1, documents = head.documents + case when stored is null then 1 else 0 end
    where h.org = in_org;
  return 0;
end
$$;
