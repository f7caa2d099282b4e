-- What devices have the relay hand out to those who start a session with them. Public keys, signed by the device.
create table pre_key_bundles (
  org bytea not null,
  device bytea not null check (octet_length(device) = 32),
  bundle bytea not null,
  expires_ms bigint not null,
  primary key (org, device)
);
create index pre_key_bundles_by_expiry on pre_key_bundles (expires_ms);

-- Pairs of pre-keys, each for one session: a row is deleted as it is handed out.
create table one_time_pre_keys (
  org bytea not null,
  device bytea not null,
  place bigint generated always as identity,
  pair bytea not null,
  expires_ms bigint not null,
  primary key (org, device, place)
);
create index one_time_pre_keys_by_expiry on one_time_pre_keys (expires_ms);

-- Keeps what a device publishes: 1, or 0 when its pairs would be too many. The bundle's row is locked, so nobody
-- counts what another adds.
create function put_pre_keys(
  in_org bytea, in_device bytea, in_bundle bytea, in_expires bigint, in_replaces int,
  in_pairs bytea, in_starts int[], in_sizes int[], in_most int
) returns int
language plpgsql as $$
declare
  held int;
begin
  insert into pre_key_bundles values (in_org, in_device, in_bundle, 0)
    on conflict (org, device) do update set device = excluded.device;
  select count(*) into held from one_time_pre_keys o
    where o.org = in_org and o.device = in_device and in_replaces = 0;
  if held + cardinality(in_sizes) > in_most then
    return 0;
  end if;
  delete from one_time_pre_keys o where o.org = in_org and o.device = in_device and in_replaces = 1;
  update pre_key_bundles b set bundle = in_bundle, expires_ms = in_expires
    where b.org = in_org and b.device = in_device;
  insert into one_time_pre_keys (org, device, pair, expires_ms)
    select in_org, in_device, substring(in_pairs from part.start for part.size), in_expires
    from unnest(in_starts, in_sizes) with ordinality as part (start, size, number) order by part.number;
  return 1;
end
$$;

-- The bundle that is in force, and the oldest pair, which is then gone; no row without a bundle. Two at once never get
-- the same pair.
create function take_pre_keys(in_org bytea, in_device bytea, in_now bigint)
returns table (bundle bytea, one_time bytea)
language plpgsql as $$
begin
  if not exists (
    select 1 from pre_key_bundles b where b.org = in_org and b.device = in_device and b.expires_ms > in_now
  ) then
    return;
  end if;
  return query
    with taken as (
      delete from one_time_pre_keys o where o.org = in_org and o.device = in_device and o.place = (
        select p.place from one_time_pre_keys p where p.org = in_org and p.device = in_device
        order by p.place limit 1 for update skip locked
      ) returning o.pair
    )
    select b.bundle, (select t.pair from taken t)
    from pre_key_bundles b where b.org = in_org and b.device = in_device;
end
$$;
