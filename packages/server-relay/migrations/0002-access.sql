-- Access requests: one of each device and group. id is the request's hash. The answers go with it.
create table access_requests (
  org bytea not null,
  id bytea not null check (octet_length(id) = 32),
  grp bytea not null check (octet_length(grp) = 32),
  device bytea not null check (octet_length(device) = 32),
  wire bytea not null,
  received_ms bigint not null,
  expires_ms bigint not null,
  primary key (org, id),
  unique (org, grp, device)
);
create index access_requests_by_expiry on access_requests (expires_ms);

create table access_answers (
  org bytea not null,
  id bytea not null,
  author bytea not null check (octet_length(author) = 32),
  wire bytea not null,
  primary key (org, id, author),
  foreign key (org, id) references access_requests on delete cascade
);

alter table access_requests alter column wire set storage external;
alter table access_answers alter column wire set storage external;

-- Keeps a request in place of its device's earlier one. verdict: 0 kept, 1 kept before, 2 the earlier one came
-- after in_since. The lock is the device's own: two requests of a device never cross.
create function put_access_request(
  in_org bytea, in_id bytea, in_grp bytea, in_device bytea, in_wire bytea,
  in_now bigint, in_since bigint, in_expires bigint
) returns int
language plpgsql as $$
declare
  old record;
begin
  perform pg_advisory_xact_lock(hashtextextended(encode(in_org || in_grp || in_device, 'hex'), 0));
  select r.id, r.received_ms, r.expires_ms into old from access_requests r
    where r.org = in_org and r.grp = in_grp and r.device = in_device;
  if found then
    if old.id = in_id and old.expires_ms > in_now then
      return 1;
    end if;
    if old.received_ms > in_since and old.received_ms <= in_now then
      return 2;
    end if;
    delete from access_requests r where r.org = in_org and r.grp = in_grp and r.device = in_device;
  end if;
  insert into access_requests values (in_org, in_id, in_grp, in_device, in_wire, in_now, in_expires);
  return 0;
end
$$;

-- Keeps an admin's answer, a later one in place of an earlier. False, and nothing done, without the request, or when
-- it has in_most answers of others. The request's row is locked, so that answers do not cross.
create function put_access_answer(
  in_org bytea, in_id bytea, in_author bytea, in_wire bytea, in_now bigint, in_most int
) returns boolean
language plpgsql as $$
begin
  perform 1 from access_requests r where r.org = in_org and r.id = in_id and r.expires_ms > in_now for update;
  if not found then
    return false;
  end if;
  if in_most <= (
    select count(*) from access_answers a where a.org = in_org and a.id = in_id and a.author <> in_author
  ) then
    return false;
  end if;
  insert into access_answers values (in_org, in_id, in_author, in_wire)
    on conflict (org, id, author) do update set wire = excluded.wire;
  return true;
end
$$;
