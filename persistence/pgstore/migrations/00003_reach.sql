-- +goose Up

-- The node said that it reaches no DC.
alter table nodes add column cut_off boolean not null default false;

-- +goose Down
alter table nodes drop column cut_off;
