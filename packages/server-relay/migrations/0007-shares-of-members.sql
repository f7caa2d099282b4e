-- What one member may take of what is everybody's, counted over all its devices. Rows from before name no member, and
-- count for nobody until their time is over.
alter table mail add column member bytea check (octet_length(member) = 16);
alter table blobs add column member bytea check (octet_length(member) = 16);

-- What the blobs of a member count for, as in blob_heads.
create table blob_shares (
  org bytea not null,
  member bytea not null,
  counted_bytes bigint not null,
  primary key (org, member)
);

drop function put_mail(bytea, bytea, bytea, bytea, bytea, bigint, int, int);

-- Keeps a message. 0 stored, 1 stored before, 2 the id is that of another message, 3 the mailbox is full, 4 of this
-- member it is. The mailbox's row is locked, so seqs become visible in their order and nobody counts what another adds.
create function put_mail(
  in_org bytea, in_recipient bytea, in_sender bytea, in_member bytea, in_id bytea, in_bytes bytea, in_expires bigint,
  in_most int, in_most_of_member int
) returns int
language plpgsql as $$
declare
  newest bigint;
  stored bytea;
  held int;
  of_member int;
begin
  insert into mailboxes values (in_org, in_recipient, 0) on conflict do nothing;
  select m.seq into newest from mailboxes m where m.org = in_org and m.recipient = in_recipient for update;
  select m.bytes into stored from mail m
    where m.org = in_org and m.recipient = in_recipient and m.sender = in_sender and m.message_id = in_id;
  if stored is not null then
    return case when stored = in_bytes then 1 else 2 end;
  end if;
  select count(*), count(*) filter (where m.member = in_member) into held, of_member
    from mail m where m.org = in_org and m.recipient = in_recipient;
  if of_member >= in_most_of_member then
    return 4;
  end if;
  if held >= in_most then
    return 3;
  end if;
  insert into mail (org, recipient, seq, sender, member, message_id, bytes, expires_ms)
    values (in_org, in_recipient, newest + 1, in_sender, in_member, in_id, in_bytes, in_expires);
  update mailboxes m set seq = newest + 1 where m.org = in_org and m.recipient = in_recipient;
  return 0;
end
$$;

drop function start_blob(bytea, bytea, bytea, bigint, bigint, bigint);

-- Makes room for a blob. 0 there is room, now or from an earlier call of the same device for the same size;
-- 1 the id is taken, 2 there would be more than in_most, or of this member more than in_most_of_member.
-- blobs.touched_ms: when the upload began; of a whole blob, when it became whole.
create function start_blob(
  in_org bytea, in_blob bytea, in_device bytea, in_member bytea, in_size bigint, in_now bigint, in_most bigint,
  in_most_of_member bigint
) returns int
language plpgsql as $$
declare
  counted bigint;
  of_member bigint;
  added constant bigint := greatest(in_size, 65536);
  old record;
begin
  insert into blob_heads values (in_org, 0) on conflict do nothing;
  select h.counted_bytes into counted from blob_heads h where h.org = in_org for update;
  select b.device, b.size_bytes into old from blobs b where b.org = in_org and b.blob = in_blob;
  if found then
    return case when old.device = in_device and old.size_bytes = in_size then 0 else 1 end;
  end if;
  select coalesce(sum(s.counted_bytes), 0) into of_member
    from blob_shares s where s.org = in_org and s.member = in_member;
  if counted + added > in_most or of_member + added > in_most_of_member then
    return 2;
  end if;
  insert into blobs (org, blob, device, member, size_bytes, received_bytes, touched_ms)
    values (in_org, in_blob, in_device, in_member, in_size, 0, in_now);
  update blob_heads h set counted_bytes = counted + added where h.org = in_org;
  insert into blob_shares as s values (in_org, in_member, added)
    on conflict (org, member) do update set counted_bytes = s.counted_bytes + added;
  return 0;
end
$$;

create or replace function forget_blob(in_org bytea, in_blob bytea) returns void
language plpgsql as $$
declare
  freed bigint;
  whose bytea;
begin
  perform 1 from blob_heads h where h.org = in_org for update;
  delete from blobs b where b.org = in_org and b.blob = in_blob
    returning greatest(b.size_bytes, 65536), b.member into freed, whose;
  update blob_heads h set counted_bytes = h.counted_bytes - coalesce(freed, 0) where h.org = in_org;
  update blob_shares s set counted_bytes = s.counted_bytes - freed where s.org = in_org and s.member = whose;
end
$$;

-- Wrong attempts are counted from the first one on for one lease, right ones between them or not. Of a share from
-- before it is not known how long its lease is, until its device renews it: till then they are counted without end.
alter table unlock_shares add column lease_ms bigint not null default 9000000000000000;
alter table unlock_shares add column counted_since_ms bigint not null default 0;
