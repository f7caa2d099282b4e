-- Relays that serve this database together (docs/spec/cluster.md). What a node has acknowledged is a moment: it has
-- looked, after that moment was drawn, who may still be here, and cut off everybody else.
create table relay_nodes (
  node bytea primary key check (octet_length(node) = 16),
  lease_until timestamptz not null,
  acked bigint not null,
  relay_key bytea not null check (octet_length(relay_key) = 32)
);
create sequence relay_moments;
