-- Times are Unix milliseconds, money is nano-USD, truth is 0 or 1. Ids are made by the panel:
-- a kind, `_`, and a version 7 UUID, so that their order is the order in which things were made.

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
-- How far each part is that proxies hold a copy of, and the last event.
CREATE TABLE mark (
    part   TEXT PRIMARY KEY,
    number BIGINT NOT NULL
);
INSERT INTO mark (part, number) VALUES
    ('policy', 0), ('budgets', 1), ('keys', 1), ('secrets', 1), ('revocations', 1), ('stops', 1),
    ('event', 0), ('audit', 0);

-- People.
CREATE TABLE person (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    password   TEXT,
    role       TEXT NOT NULL,
    disabled   BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    version    BIGINT NOT NULL DEFAULT 1
);
CREATE TABLE session (
    hash       BLOB PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    person     TEXT NOT NULL REFERENCES person (id),
    -- `browser` (cookie and CSRF token) or `machine` (bearer).
    kind       TEXT NOT NULL,
    label      TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL
);
CREATE INDEX session_of_person ON session (person);
-- Tokens by which somebody chooses a password, once.
CREATE TABLE invitation (
    hash       BLOB PRIMARY KEY,
    person     TEXT NOT NULL UNIQUE REFERENCES person (id),
    expires_at BIGINT NOT NULL
);
-- A login that waits in a terminal until somebody who is signed in approves it.
CREATE TABLE device_login (
    hash       BLOB PRIMARY KEY,
    code       TEXT NOT NULL UNIQUE,
    -- Where it was begun: so many wait from one address at most.
    address    TEXT NOT NULL,
    label      TEXT NOT NULL,
    person     TEXT REFERENCES person (id),
    state      TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
-- Failed logins, by name and by address.
CREATE TABLE failed_login (
    who      TEXT PRIMARY KEY,
    failures BIGINT NOT NULL,
    until    BIGINT NOT NULL,
    at       BIGINT NOT NULL
);

-- What they work on.
CREATE TABLE project (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    title      TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    version    BIGINT NOT NULL DEFAULT 1
);
CREATE TABLE member (
    project TEXT NOT NULL REFERENCES project (id),
    person  TEXT NOT NULL REFERENCES person (id),
    PRIMARY KEY (project, person)
);
CREATE TABLE agent (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    project    TEXT NOT NULL REFERENCES project (id),
    stopped_at BIGINT,
    created_at BIGINT NOT NULL,
    version    BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX agent_of_project ON agent (project);
CREATE TABLE token (
    -- The `jti`.
    id         TEXT PRIMARY KEY,
    agent      TEXT NOT NULL REFERENCES agent (id),
    -- The signing key, which is published for as long as the token may be used.
    key        TEXT NOT NULL DEFAULT '',
    hash       BLOB NOT NULL,
    last4      TEXT NOT NULL,
    label      TEXT NOT NULL DEFAULT '',
    -- JSON lists of patterns; empty lists allow everything.
    models     TEXT NOT NULL,
    upstreams  TEXT NOT NULL,
    issued_by  TEXT NOT NULL,
    issued_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    cut_streams BIGINT NOT NULL DEFAULT 0,
    -- The token that took its place, and when this one is revoked for it.
    rotated_to TEXT,
    retires_at BIGINT
);
CREATE INDEX token_of_agent ON token (agent);
CREATE INDEX token_revoked ON token (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX token_retires ON token (retires_at) WHERE retires_at IS NOT NULL AND revoked_at IS NULL;
CREATE INDEX token_by_expiry ON token (expires_at);
CREATE INDEX token_of_key ON token (key, expires_at);

-- Keys. What is wrapped is sealed with the master key; the row's id and version are bound to it.
CREATE TABLE signing_key (
    id         TEXT PRIMARY KEY,
    public     BLOB NOT NULL,
    wrapped    BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    -- When it stopped signing. It is published until the last of its tokens has expired.
    retired_at BIGINT
);
CREATE TABLE secret (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    upstream   TEXT NOT NULL UNIQUE,
    -- The one address that it may be sent to.
    base_url   TEXT NOT NULL,
    last4      TEXT NOT NULL,
    number     BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    rotated_at BIGINT NOT NULL,
    version    BIGINT NOT NULL DEFAULT 1
);
CREATE TABLE secret_version (
    secret     TEXT NOT NULL REFERENCES secret (id),
    number     BIGINT NOT NULL,
    -- The wrapped data key; it says which master key wraps it.
    wrapped    BLOB NOT NULL,
    sealed     BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (secret, number)
);

-- Money. `posted + leased <= limit_nano` in every account at every commit.
CREATE TABLE budget (
    id         TEXT PRIMARY KEY,
    scope      TEXT NOT NULL,
    span       TEXT NOT NULL,
    zone       TEXT NOT NULL,
    limit_nano BIGINT NOT NULL,
    clamp      BIGINT NOT NULL DEFAULT 0,
    removed_at BIGINT,
    created_at BIGINT NOT NULL,
    version    BIGINT NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX budget_by_scope ON budget (scope, span) WHERE removed_at IS NULL;
CREATE TABLE account (
    id         TEXT PRIMARY KEY,
    budget     TEXT NOT NULL REFERENCES budget (id),
    -- The scope with its real name: `agent:a`, also for a budget of `agent:*`.
    account    TEXT NOT NULL,
    start      BIGINT NOT NULL,
    -- The budget's limit and what was allowed on top of it for this window alone.
    limit_nano BIGINT NOT NULL,
    extra      BIGINT NOT NULL DEFAULT 0,
    posted     BIGINT NOT NULL DEFAULT 0,
    leased     BIGINT NOT NULL DEFAULT 0,
    overrun    BIGINT NOT NULL DEFAULT 0,
    -- Remainders that an operator took back: by so much the published bound grows.
    reclaimed  BIGINT NOT NULL DEFAULT 0,
    alerted    BIGINT NOT NULL DEFAULT 0,
    UNIQUE (budget, account, start)
);
CREATE INDEX account_by_window ON account (budget, start);
CREATE TABLE lease (
    id         TEXT PRIMARY KEY,
    account    TEXT NOT NULL REFERENCES account (id),
    proxy      TEXT NOT NULL,
    epoch      BIGINT NOT NULL,
    -- All that was granted, was spent and was given back. What is outstanding is
    -- granted - spent - returned where that is more than nothing.
    granted    BIGINT NOT NULL,
    spent      BIGINT NOT NULL DEFAULT 0,
    returned   BIGINT NOT NULL DEFAULT 0,
    pending    BIGINT NOT NULL DEFAULT 0,
    overrun    BIGINT NOT NULL DEFAULT 0,
    sequence   BIGINT NOT NULL DEFAULT 0,
    -- `open`, `closed` or `reclaimed`.
    state      TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (account, proxy, epoch)
);
CREATE INDEX lease_of_proxy ON lease (proxy, state);
-- Answers to requests for leases, so that one that comes twice grants once.
CREATE TABLE lease_request (
    proxy   TEXT NOT NULL,
    request TEXT NOT NULL,
    answer  TEXT NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (proxy, request)
);
CREATE INDEX lease_request_by_age ON lease_request (at);
CREATE TABLE budget_request (
    id         TEXT PRIMARY KEY,
    budget     TEXT NOT NULL REFERENCES budget (id),
    account    TEXT NOT NULL,
    -- How much more is asked for.
    amount     BIGINT NOT NULL,
    why        TEXT NOT NULL,
    asked_by   TEXT NOT NULL,
    -- `open`, `approved`, `denied` or `withdrawn`.
    state      TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    decided_by TEXT,
    decided_at BIGINT,
    -- What was given, and whether for good rather than for one window.
    given      BIGINT,
    lasting    BIGINT NOT NULL DEFAULT 0,
    version    BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX budget_request_by_state ON budget_request (state, id);
CREATE INDEX budget_request_by_asker ON budget_request (asked_by, state);
CREATE TABLE webhook (
    id         TEXT PRIMARY KEY,
    url        TEXT NOT NULL,
    -- A JSON list of kinds of events; an empty list is all.
    events     TEXT NOT NULL,
    wrapped    BLOB NOT NULL,
    disabled   BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    version    BIGINT NOT NULL DEFAULT 1
);
CREATE TABLE delivery (
    id         TEXT PRIMARY KEY,
    webhook    TEXT NOT NULL REFERENCES webhook (id),
    event      TEXT NOT NULL,
    body       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    attempts   BIGINT NOT NULL DEFAULT 0,
    -- When it is due next; null once it is delivered or given up.
    next_at    BIGINT,
    done_at    BIGINT,
    -- Of the last attempt.
    status     BIGINT,
    error      TEXT
);
CREATE INDEX delivery_due ON delivery (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX delivery_of_webhook ON delivery (webhook, id);
-- What one replica does for all: by whom, and until when without another word.
CREATE TABLE duty (
    name   TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until  BIGINT NOT NULL
);

-- Policies: every version is kept; the one in force is the setting `policy`.
CREATE TABLE policy (
    number     BIGINT PRIMARY KEY,
    toml       TEXT NOT NULL,
    note       TEXT NOT NULL,
    author     TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Proxies.
CREATE TABLE proxy (
    name       TEXT PRIMARY KEY,
    hash       BLOB NOT NULL,
    last4      TEXT NOT NULL,
    version    TEXT NOT NULL DEFAULT '',
    listens    TEXT,
    -- A JSON list of the upstreams whose keys it gets; an empty list is all.
    upstreams  TEXT NOT NULL DEFAULT '[]',
    marks      TEXT NOT NULL DEFAULT '{}',
    seen_at    BIGINT,
    removed_at BIGINT,
    created_at BIGINT NOT NULL
);
CREATE TABLE breaker (
    proxy    TEXT NOT NULL,
    upstream TEXT NOT NULL,
    lane     TEXT NOT NULL,
    state    TEXT NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (proxy, upstream, lane)
);

-- What happened. A call's id holds its time: id >> 20 is Unix milliseconds.
CREATE TABLE call (
    proxy         TEXT NOT NULL,
    id            BIGINT NOT NULL,
    agent         TEXT,
    project       TEXT,
    token         TEXT,
    run           TEXT,
    model         TEXT NOT NULL,
    upstream      TEXT,
    dialect       TEXT,
    endpoint      TEXT NOT NULL,
    stream        BIGINT NOT NULL,
    status        BIGINT NOT NULL,
    outcome       TEXT NOT NULL,
    reason        TEXT NOT NULL,
    reserved      BIGINT NOT NULL,
    posted        BIGINT NOT NULL,
    estimated     BIGINT NOT NULL,
    input_tokens  BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    -- Microseconds to the first byte of the answer.
    first_byte    BIGINT NOT NULL,
    findings      BIGINT NOT NULL,
    -- JSON: usage, cost, findings, timeline, attempt, first_attempt.
    detail        TEXT NOT NULL,
    PRIMARY KEY (id, proxy)
);
CREATE INDEX call_of_agent ON call (agent, id);
CREATE INDEX call_of_run ON call (run, id) WHERE run IS NOT NULL;
CREATE INDEX call_of_project ON call (project, id) WHERE project IS NOT NULL;
-- Runs: whose calls belong together, and what they come to.
CREATE TABLE run (
    run           TEXT NOT NULL,
    project       TEXT NOT NULL,
    agent         TEXT NOT NULL,
    first_at      BIGINT NOT NULL,
    last_at       BIGINT NOT NULL,
    calls         BIGINT NOT NULL,
    refused       BIGINT NOT NULL,
    posted        BIGINT NOT NULL,
    estimated     BIGINT NOT NULL,
    input_tokens  BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    found         BIGINT NOT NULL,
    PRIMARY KEY (run, project)
);
CREATE INDEX run_by_last ON run (last_at, run, project);
CREATE TABLE extra (
    proxy  TEXT NOT NULL,
    id     TEXT NOT NULL,
    kind   TEXT NOT NULL,
    at     BIGINT NOT NULL,
    call   BIGINT,
    posted BIGINT,
    detail TEXT NOT NULL,
    PRIMARY KEY (proxy, id)
);
CREATE INDEX extra_of_call ON extra (call, proxy) WHERE call IS NOT NULL;
-- Calls that were counted and are kept elsewhere: in pilot mode, in the proxy's own file.
CREATE TABLE counted (
    id    BIGINT NOT NULL,
    proxy TEXT NOT NULL,
    PRIMARY KEY (id, proxy)
);
-- Sums per minute, hour and day. `grain` is their length in seconds. Hours and days begin where the
-- reporting time zone's do (setting `reporting_zone`). `fb00` to `fb23` count calls by the time to
-- the first byte of their answer (`telemetry::sums::BOUNDS`).
CREATE TABLE rollup (
    grain         BIGINT NOT NULL,
    start         BIGINT NOT NULL,
    agent         TEXT NOT NULL,
    project       TEXT NOT NULL,
    model         TEXT NOT NULL,
    upstream      TEXT NOT NULL,
    outcome       TEXT NOT NULL,
    reason        TEXT NOT NULL,
    calls         BIGINT NOT NULL,
    refused       BIGINT NOT NULL,
    errors        BIGINT NOT NULL,
    posted        BIGINT NOT NULL,
    -- Of `posted`, what is an estimate; and calls that used something whose price nobody knows.
    estimated     BIGINT NOT NULL,
    unpriced      BIGINT NOT NULL,
    input_tokens  BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    found         BIGINT NOT NULL,
    fb00 BIGINT NOT NULL, fb01 BIGINT NOT NULL, fb02 BIGINT NOT NULL, fb03 BIGINT NOT NULL, fb04 BIGINT NOT NULL, fb05 BIGINT NOT NULL,
    fb06 BIGINT NOT NULL, fb07 BIGINT NOT NULL, fb08 BIGINT NOT NULL, fb09 BIGINT NOT NULL, fb10 BIGINT NOT NULL, fb11 BIGINT NOT NULL,
    fb12 BIGINT NOT NULL, fb13 BIGINT NOT NULL, fb14 BIGINT NOT NULL, fb15 BIGINT NOT NULL, fb16 BIGINT NOT NULL, fb17 BIGINT NOT NULL,
    fb18 BIGINT NOT NULL, fb19 BIGINT NOT NULL, fb20 BIGINT NOT NULL, fb21 BIGINT NOT NULL, fb22 BIGINT NOT NULL, fb23 BIGINT NOT NULL,
    PRIMARY KEY (grain, start, agent, project, model, upstream, outcome, reason)
);
-- The same by one thing at a time, so that a year is few rows: `dim` is `all`, `agent`, `model`,
-- `upstream`, `outcome`, `reason` or `kind` (of findings), `name` one of it.
CREATE TABLE tally (
    grain         BIGINT NOT NULL,
    dim           TEXT NOT NULL,
    start         BIGINT NOT NULL,
    project       TEXT NOT NULL,
    name          TEXT NOT NULL,
    calls         BIGINT NOT NULL,
    refused       BIGINT NOT NULL,
    errors        BIGINT NOT NULL,
    posted        BIGINT NOT NULL,
    -- Of `posted`, what is an estimate; and calls that used something whose price nobody knows.
    estimated     BIGINT NOT NULL,
    unpriced      BIGINT NOT NULL,
    input_tokens  BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    found         BIGINT NOT NULL,
    fb00 BIGINT NOT NULL, fb01 BIGINT NOT NULL, fb02 BIGINT NOT NULL, fb03 BIGINT NOT NULL, fb04 BIGINT NOT NULL, fb05 BIGINT NOT NULL,
    fb06 BIGINT NOT NULL, fb07 BIGINT NOT NULL, fb08 BIGINT NOT NULL, fb09 BIGINT NOT NULL, fb10 BIGINT NOT NULL, fb11 BIGINT NOT NULL,
    fb12 BIGINT NOT NULL, fb13 BIGINT NOT NULL, fb14 BIGINT NOT NULL, fb15 BIGINT NOT NULL, fb16 BIGINT NOT NULL, fb17 BIGINT NOT NULL,
    fb18 BIGINT NOT NULL, fb19 BIGINT NOT NULL, fb20 BIGINT NOT NULL, fb21 BIGINT NOT NULL, fb22 BIGINT NOT NULL, fb23 BIGINT NOT NULL,
    PRIMARY KEY (grain, dim, start, project, name)
);
CREATE TABLE finding (
    grain    BIGINT NOT NULL,
    start    BIGINT NOT NULL,
    agent    TEXT NOT NULL,
    project  TEXT NOT NULL,
    upstream TEXT NOT NULL,
    kind     TEXT NOT NULL,
    found    BIGINT NOT NULL,
    calls    BIGINT NOT NULL,
    PRIMARY KEY (grain, start, agent, project, upstream, kind)
);

-- Who did what: a chain of HMACs.
CREATE TABLE audit (
    sequence BIGINT PRIMARY KEY,
    at       BIGINT NOT NULL,
    actor    TEXT NOT NULL,
    action   TEXT NOT NULL,
    target   TEXT NOT NULL,
    detail   TEXT NOT NULL,
    mac      BLOB NOT NULL
);
-- What live views are told, for those that come back.
CREATE TABLE event (
    sequence BIGINT PRIMARY KEY,
    at       BIGINT NOT NULL,
    kind     TEXT NOT NULL,
    body     TEXT NOT NULL
);
CREATE INDEX event_by_age ON event (at);
-- Answers to requests that carried an Idempotency-Key.
CREATE TABLE idempotency (
    principal TEXT NOT NULL,
    key       TEXT NOT NULL,
    request   BLOB NOT NULL,
    status    BIGINT NOT NULL,
    -- Sealed with the master key: an answer may hold a token that is shown once.
    answer    BLOB NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (principal, key)
);
CREATE INDEX idempotency_by_age ON idempotency (at);
