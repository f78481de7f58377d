-- The search path is the store's own schema. Names are compared byte by byte, as Go does.

-- +goose Up

-- One row: what is one for all nodes.
create table fleet (
    one         boolean primary key default true check (one),
    store       text not null,
    checked     bytea not null,                           -- a sealed value that tells a wrong master key
    epoch       bigint not null default 0,                -- the last that was given away
    seq         bigint not null default 0,                -- of the last change of owners
    nonce       bigint not null default 0,                -- of that change
    longest     bigint not null default 0,                -- microseconds: term and grace of any node with a lease
    timeline    text not null default '',                 -- of the database server
    hold_until  timestamptz not null default '-infinity', -- until then nothing is free
    all_node    text collate "C",                         -- who claimed everything
    all_epoch   bigint
);

-- The last changes of owners, by which a node finds out that the database has forgotten one.
create table changes (
    seq         bigint primary key,
    nonce       bigint not null
);

create table nodes (
    name        text collate "C" primary key,
    epoch       bigint not null,
    token       text not null,                            -- of the call that joined
    address     text not null,
    capacity    integer not null,
    version     text not null,
    term        bigint not null,                          -- microseconds
    grace       bigint not null,                          -- microseconds
    departs     boolean not null default false,           -- it said so
    joined      timestamptz not null,
    lease_until timestamptz not null,
    over_at     timestamptz not null                      -- lease_until and the grace
);

create table wishes (
    node        text collate "C" primary key,
    wish        smallint not null
);

-- A row for each account that has a record. Its owner is a row of nodes, or nobody.
create table accounts (
    id          text collate "C" primary key,
    owner_node  text collate "C",
    owner_epoch bigint,
    since       timestamptz not null                      -- the owner is the one it is
);
create index accounts_owner on accounts (owner_node, owner_epoch, id);
create index accounts_free on accounts (since, id) where owner_node is null;

create table records (
    account     text collate "C",
    kind        smallint,
    sub         text collate "C",
    version     integer not null,
    data        bytea not null,
    primary key (account, kind, sub)
) with (fillfactor = 85);
alter table records alter data set storage external; -- what is sealed does not compress

-- The last transaction of each node, so that one is not made twice, nor two at once.
create table writers (
    node        text collate "C" primary key,
    token       text not null,
    batch       bigint not null,
    batches     bigint not null
) with (fillfactor = 50);

-- Locked by who writes records that belong to no account.
create table shared (one boolean primary key default true check (one));
insert into shared default values;

-- +goose Down
drop table fleet, changes, nodes, wishes, accounts, records, writers, shared;
