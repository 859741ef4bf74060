"""The tables of a service's database."""

VERSION = 1  # of these tables
EVENTS = 100_000  # that are kept
STATES = "finished", "failed", "cancelled"

TABLES = """
create table if not exists structure (key text primary key, config text not null) without rowid;

create table if not exists job (
    id integer primary key autoincrement,
    user text not null, priority integer not null, overrides text not null, name text not null,
    key text not null, fields text not null, over text not null, runs integer not null,
    joins integer not null, search integer not null,
    sweep integer not null, place integer not null, idempotency text,
    state text not null, created real not null, started real, ended real,
    seconds real not null default 0, step integer not null default 0, steps integer not null default 0,
    loss real, message text not null default '', refused integer not null default 0,
    worker text not null default '', holder text, version text not null default '',
    attempts integer not null default 0, deaths integer not null default 0, tag text not null default '',
    checkpoint text, checkpoint_version text not null default '',
    curve text, result text
);
create unique index if not exists job_request on job (user, idempotency, place) where idempotency is not null;
create index if not exists job_user on job (user, id);
create index if not exists job_state on job (state, id);
create index if not exists job_of_user on job (user, state, id);
create index if not exists job_sweep on job (sweep, id);
create index if not exists job_checkpoint on job (checkpoint) where checkpoint is not null;

create table if not exists file (
    id integer primary key, job integer not null references job (id) on delete cascade,
    name text not null, size integer not null, place text, content blob
);
create unique index if not exists file_name on file (job, name);

create table if not exists event (
    number integer primary key autoincrement, kind text not null, job integer not null,
    user text not null, data text not null
);

create table if not exists tally (
    user text not null, state text not null, jobs integer not null, runs integer not null,
    primary key (user, state)
) without rowid;
create trigger if not exists job_comes after insert on job begin
    insert into tally values (new.user, new.state, 1, new.runs)
        on conflict do update set jobs = jobs + 1, runs = runs + new.runs;
end;
create trigger if not exists job_goes after delete on job begin
    update tally set jobs = jobs - 1, runs = runs - old.runs where user = old.user and state = old.state;
end;
create trigger if not exists job_changes after update of state, runs on job begin
    update tally set jobs = jobs - 1, runs = runs - old.runs where user = old.user and state = old.state;
    insert into tally values (new.user, new.state, 1, new.runs)
        on conflict do update set jobs = jobs + 1, runs = runs + new.runs;
end;

create table if not exists product (version text not null);
"""
