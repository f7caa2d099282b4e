-- Which blobs there are, who uploads them, and how far they have come. Their bytes are elsewhere.
create table blobs (
  org bytea not null,
  blob bytea not null check (octet_length(blob) = 32),
  device bytea not null check (octet_length(device) = 32),
  size_bytes bigint not null,
  received_bytes bigint not null,
  -- When bytes came last: of a whole blob, when it became whole.
  touched_ms bigint not null,
  primary key (org, blob)
);

-- What the blobs of an organisation count for: each its size, and 64 KiB at least.
create table blob_heads (
  org bytea primary key,
  counted_bytes bigint not null
);

-- Makes room for a blob. 0 there is room, now or from an earlier call of the same device for the same size;
-- 1 the id is taken, 2 there would be more than in_most.
create function start_blob(
  in_org bytea, in_blob bytea, in_device bytea, in_size bigint, in_now bigint, in_most bigint
) returns int
language plpgsql as $$
declare
  counted bigint;
  old record;
begin
  insert into blob_heads values (in_org, 0) on conflict do nothing;
  select h.counted_bytes into counted from blob_heads h where h.org = in_org for update;
  select b.device, b.size_bytes into old from blobs b where b.org = in_org and b.blob = in_blob;
  if found then
    return case when old.device = in_device and old.size_bytes = in_size then 0 else 1 end;
  end if;
  if counted + greatest(in_size, 65536) > in_most then
    return 2;
  end if;
  insert into blobs values (in_org, in_blob, in_device, in_size, 0, in_now);
  update blob_heads h set counted_bytes = counted + greatest(in_size, 65536) where h.org = in_org;
  return 0;
end
$$;

create function forget_blob(in_org bytea, in_blob bytea) returns void
language plpgsql as $$
declare
  freed bigint;
begin
  perform 1 from blob_heads h where h.org = in_org for update;
  delete from blobs b where b.org = in_org and b.blob = in_blob
    returning greatest(b.size_bytes, 65536) into freed;
  update blob_heads h set counted_bytes = h.counted_bytes - coalesce(freed, 0) where h.org = in_org;
end
$$;
