-- One row per sign-in, updated in place. `row` is packed by codec/session.rs; its checksum covers the
-- other columns. A sid begins with its subject's shard, so a subject's sessions lie side by side.
CREATE TABLE sessions (
    sid     BLOB PRIMARY KEY NOT NULL,
    version INTEGER NOT NULL,
    subject TEXT NOT NULL,
    ended   INTEGER NOT NULL,
    row     BLOB NOT NULL
) WITHOUT ROWID;
-- So that a sign-in looks at no session that ended, however often its subject came and went.
CREATE INDEX sessions_alive ON sessions (sid) WHERE ended = 0;

-- Only subjects of whom something is known: roles, claims, a ban, a bump.
CREATE TABLE subjects (
    subject TEXT PRIMARY KEY NOT NULL,
    row     BLOB NOT NULL
) WITHOUT ROWID;

-- The feed. Positions have no gaps; only the oldest leave, and never the newest.
CREATE TABLE events (
    position   INTEGER PRIMARY KEY NOT NULL,
    keep_until INTEGER NOT NULL,
    body       BLOB NOT NULL
);

-- What has one use only, until it would expire anyway.
CREATE TABLE spent (
    digest BLOB PRIMARY KEY NOT NULL,
    until  INTEGER NOT NULL,
    value  BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX spent_until ON spent (until);

-- The authority's own small things.
CREATE TABLE records (
    kind    INTEGER NOT NULL,
    name    TEXT NOT NULL,
    version INTEGER NOT NULL,
    value   BLOB NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;

-- Single values: the cut-offs and the latest instant committed.
CREATE TABLE single (
    name  TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE migrations (
    number   INTEGER PRIMARY KEY NOT NULL,
    checksum INTEGER NOT NULL
);
