//! The tables, and what a file of ours is known by.

/// `PRAGMA application_id`: "IRON" in ASCII.
pub(super) const APPLICATION_ID: i64 = 0x4952_4F4E;
/// `PRAGMA user_version`: the schema that this version reads and writes.
pub(super) const VERSION: i64 = 7;

/// What a kind's name begins with in `call.findings` where it was found in the answer.
pub(super) const ANSWER_FINDING: &str = "answer/";

/// Makes the tables of a new file.
pub(super) const CREATE: &str = "
CREATE TABLE account (
    id        INTEGER PRIMARY KEY,
    scope     TEXT NOT NULL,
    window    TEXT NOT NULL,
    start     INTEGER NOT NULL,
    resets_at INTEGER,
    limit_nano INTEGER NOT NULL,
    pending   INTEGER NOT NULL DEFAULT 0 CHECK (pending >= 0),
    posted    INTEGER NOT NULL DEFAULT 0 CHECK (posted >= 0),
    overrun   INTEGER NOT NULL DEFAULT 0,
    UNIQUE (scope, window, start)
) STRICT;
CREATE TABLE reservation (
    id       INTEGER PRIMARY KEY,
    amount   INTEGER NOT NULL,
    accounts TEXT NOT NULL,
    agent    TEXT,
    project  TEXT,
    model    TEXT NOT NULL,
    upstream TEXT,
    dialect  TEXT,
    endpoint TEXT NOT NULL,
    stream   INTEGER NOT NULL,
    run      TEXT,
    depth    INTEGER,
    attempt  INTEGER NOT NULL DEFAULT 1,
    first_attempt INTEGER,
    token    TEXT
) STRICT;
CREATE TABLE call (
    id            INTEGER PRIMARY KEY,
    agent         TEXT,
    project       TEXT,
    model         TEXT NOT NULL,
    upstream      TEXT,
    dialect       TEXT,
    endpoint      TEXT NOT NULL,
    stream        INTEGER NOT NULL,
    status        INTEGER NOT NULL,
    outcome       TEXT NOT NULL,
    reason        TEXT NOT NULL,
    reserved      INTEGER NOT NULL,
    posted        INTEGER NOT NULL,
    estimated     INTEGER NOT NULL,
    accounts      TEXT NOT NULL,
    input_tokens  INTEGER,
    output_tokens INTEGER,
    usage         TEXT,
    cost          TEXT,
    findings      TEXT,
    timeline      TEXT,
    run           TEXT,
    depth         INTEGER,
    attempt       INTEGER NOT NULL DEFAULT 1,
    first_attempt INTEGER,
    token         TEXT
) STRICT;
CREATE INDEX call_of_run ON call (run) WHERE run IS NOT NULL;
-- Runs that were announced: whose calls belong together, and what they may spend.
CREATE TABLE run (
    id         TEXT PRIMARY KEY,
    parent     TEXT,
    agent      TEXT NOT NULL,
    limit_nano INTEGER,
    strict     INTEGER NOT NULL,
    begun      INTEGER NOT NULL
) STRICT;
CREATE TABLE correction (
    call   INTEGER PRIMARY KEY REFERENCES call (id),
    posted INTEGER NOT NULL,
    reason TEXT NOT NULL,
    at     INTEGER NOT NULL,
    -- Whether the checkpoint below has it in.
    folded INTEGER NOT NULL DEFAULT 0
) STRICT;
-- What the journal added up to when it was last compared: all calls up to this one.
CREATE TABLE checkpoint (
    account INTEGER PRIMARY KEY,
    call    INTEGER NOT NULL,
    posted  INTEGER NOT NULL
) STRICT;
-- Who may not call. `*` is everybody.
CREATE TABLE stopped (
    agent TEXT PRIMARY KEY,
    at    INTEGER NOT NULL
) STRICT;
";

/// What makes a file of version N one of version N + 1, in order from version 1 on. New columns come
/// last in [`CREATE`] too, so that old and new files are the same.
pub(super) const MIGRATIONS: [&str; VERSION as usize - 1] = [
    "
ALTER TABLE reservation ADD COLUMN run TEXT;
ALTER TABLE reservation ADD COLUMN depth INTEGER;
ALTER TABLE call ADD COLUMN run TEXT;
ALTER TABLE call ADD COLUMN depth INTEGER;
CREATE INDEX call_of_run ON call (run) WHERE run IS NOT NULL;
CREATE TABLE run (
    id         TEXT PRIMARY KEY,
    parent     TEXT,
    agent      TEXT NOT NULL,
    limit_nano INTEGER,
    strict     INTEGER NOT NULL,
    begun      INTEGER NOT NULL
) STRICT;
",
    BATCHES,
    "
ALTER TABLE reservation ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
ALTER TABLE reservation ADD COLUMN first_attempt INTEGER;
ALTER TABLE call ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
ALTER TABLE call ADD COLUMN first_attempt INTEGER;
CREATE TABLE stopped (agent TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT;
",
    "
ALTER TABLE reservation ADD COLUMN token TEXT;
ALTER TABLE call ADD COLUMN token TEXT;
",
    LEASES,
    DENIALS,
];

/// What sandboxes refused: what version 7 has more, in new files as in old ones.
pub(super) const DENIALS: &str = "
-- What a run's sandbox refused, and which of its limits were reached.
CREATE TABLE denial (
    id      INTEGER PRIMARY KEY,
    -- `denial` or `limit`.
    kind    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    agent   TEXT NOT NULL,
    project TEXT,
    run     TEXT NOT NULL,
    -- What it counts as among findings: `sandbox/connect`.
    finding TEXT NOT NULL,
    -- What was tried, what refused it and what would allow it, as JSON.
    detail  TEXT NOT NULL
) STRICT;
CREATE INDEX denial_of_run ON denial (run);
CREATE TRIGGER denial_to_panel AFTER INSERT ON denial WHEN EXISTS (SELECT 1 FROM reporting)
BEGIN
    INSERT INTO outbox (kind, id) VALUES ('denial', NEW.id);
END;
";

/// Leases of a panel's budgets, and what the panel is still to be told: what version 6 has more, in
/// new files as in old ones.
pub(super) const LEASES: &str = "
-- Slices of budgets that a panel granted this proxy. Each is an account of its own, whose limit is
-- `amount - returned`.
CREATE TABLE lease (
    id           TEXT PRIMARY KEY,
    budget       TEXT NOT NULL,
    -- The account at the panel: `agent:a`, also for a budget of `agent:*`.
    name         TEXT NOT NULL,
    start        INTEGER NOT NULL,
    resets_at    INTEGER,
    epoch        INTEGER NOT NULL,
    account      INTEGER NOT NULL UNIQUE REFERENCES account (id),
    -- All that was ever granted, and all that was given back.
    amount       INTEGER NOT NULL,
    returned     INTEGER NOT NULL DEFAULT 0,
    -- By how much the last grant raised the amount.
    chunk        INTEGER NOT NULL,
    limit_nano   INTEGER NOT NULL,
    -- The last report that was made, and the last that the panel said it has.
    sequence     INTEGER NOT NULL DEFAULT 0,
    acknowledged INTEGER NOT NULL DEFAULT 0,
    -- Until when it may be spent: milliseconds of CLOCK_BOOTTIME of this boot.
    boot         TEXT NOT NULL,
    expires      INTEGER NOT NULL,
    -- `open`, `taken` (not to be spent, reported to its end), `stranded` (the same, and what is left of
    -- it is not known), `closing` (its last report is under way), `closed`.
    state        TEXT NOT NULL
) STRICT;
CREATE INDEX lease_of_account ON lease (budget, name, start);
CREATE INDEX lease_unfinished ON lease (state) WHERE state <> 'closed';
-- One row where calls are told to a panel.
CREATE TABLE reporting (
    id INTEGER PRIMARY KEY CHECK (id = 1)
) STRICT;
-- What the panel does not have yet, in the order in which it came into the journal: ids of calls are
-- given at their beginning and say nothing about that.
CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY,
    kind     TEXT NOT NULL,
    id       INTEGER NOT NULL,
    -- The panel took everything but this: it is kept and not sent again.
    refused  INTEGER NOT NULL DEFAULT 0
) STRICT;
-- Triggers, so that no way into the journal passes the outbox by: also not a restart's, nor that of
-- a correction from another process.
CREATE TRIGGER call_to_panel AFTER INSERT ON call WHEN EXISTS (SELECT 1 FROM reporting)
BEGIN
    INSERT INTO outbox (kind, id) VALUES ('call', NEW.id);
END;
CREATE TRIGGER correction_to_panel AFTER INSERT ON correction
    WHEN EXISTS (SELECT 1 FROM reporting)
BEGIN
    INSERT INTO outbox (kind, id) VALUES ('correction', NEW.call);
END;
";

/// Batches, whose reservations outlive their calls: what version 3 has more than version 2, in new
/// files as in old ones.
pub(super) const BATCHES: &str = "
-- What the requests of an uploaded file can cost as a batch.
CREATE TABLE batch_file (
    upstream TEXT NOT NULL,
    file     TEXT NOT NULL,
    at       INTEGER NOT NULL,
    of       TEXT NOT NULL,
    -- [[model, requests, nano-USD], ...]
    shares   TEXT NOT NULL,
    -- Why they have no bound, where they have none.
    why      TEXT,
    PRIMARY KEY (upstream, file)
) STRICT, WITHOUT ROWID;
CREATE INDEX batch_file_by_age ON batch_file (at);
-- Reservations that wait for the results of a batch: one row for each of its models.
CREATE TABLE batch (
    call      INTEGER PRIMARY KEY,
    upstream  TEXT NOT NULL,
    batch     TEXT NOT NULL,
    requests  INTEGER NOT NULL,
    of        TEXT NOT NULL,
    at        INTEGER NOT NULL,
    findings  TEXT NOT NULL,
    -- The file with its results, and how many requests succeeded, once the provider has said so.
    output    TEXT,
    completed INTEGER,
    -- Its call is on record; the row stays until a start has added it up.
    ended     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX batch_by_id ON batch (upstream, batch);
";

/// For the connection that writes. It folds its log in by itself only where the thread that does so
/// could not keep up for 256 MiB.
pub(super) const PRAGMAS: &str = "
PRAGMA journal_mode = WAL;
PRAGMA foreign_keys = ON;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -8192;
PRAGMA wal_autocheckpoint = 65536;
";
