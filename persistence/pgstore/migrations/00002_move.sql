-- +goose Up

-- What persistence.Move is, while there is one.
alter table fleet
    add column move_at      timestamptz,
    add column move_partial boolean,
    add column move_other   text,
    add column move_store   text;

-- +goose Down
alter table fleet drop column move_at, drop column move_partial, drop column move_other, drop column move_store;
