-- One row per sign-in, updated in place. `body` is packed by codec/session.rs; its checksum covers the sid, the
-- version and the subject. Names are bytes, so that no collation has a say in their order.
--
-- `fence` is the number of the last write of its subject's state that the session was alive for, 0 if there was
-- none: whoever writes that state moves the fence of the subject's living sessions too, so that a step compares
-- one row alone. Room is left on each page, so that the usual update stays on its page and touches no index.
CREATE TABLE {s}.sessions (
    sid     bytea   PRIMARY KEY,
    version bigint  NOT NULL,
    fence   bigint  NOT NULL,
    ended   boolean NOT NULL,
    subject bytea   NOT NULL,
    body    bytea   NOT NULL
) WITH (fillfactor = 80);
-- A sign-in looks at no session that ended, however often its subject came and went.
CREATE INDEX sessions_of ON {s}.sessions (subject, ended, sid);

-- One row for each subject that has a session or of whom something is known (`body`: roles, claims, a ban, a
-- bump). `moves` changes with each of its sign-ins and each write of its state, `fence` with the latter alone.
-- Both take their numbers from one sequence, so that no number ever comes again.
CREATE TABLE {s}.subjects (
    subject bytea  PRIMARY KEY,
    moves   bigint NOT NULL,
    fence   bigint NOT NULL,
    body    bytea
) WITH (fillfactor = 90);
CREATE SEQUENCE {s}.moves;

-- The feed. Positions follow the commits and have no gaps within a store epoch; only the oldest leave.
CREATE TABLE {s}.events (
    position   bigint PRIMARY KEY,
    keep_until bigint NOT NULL,
    body       bytea  NOT NULL
);

-- What has one use only, until it would expire anyway.
CREATE TABLE {s}.spent (
    digest bytea  PRIMARY KEY,
    until  bigint NOT NULL,
    value  bytea  NOT NULL
);
CREATE INDEX spent_until ON {s}.spent (until);

-- Refresh tokens of other systems, by a keyed digest, each with its session.
CREATE TABLE {s}.imported (
    digest bytea  PRIMARY KEY,
    until  bigint NOT NULL,
    sid    bytea  NOT NULL
);
CREATE INDEX imported_until ON {s}.imported (until);

-- The authority's own small things.
CREATE TABLE {s}.records (
    kind    smallint NOT NULL,
    name    bytea    NOT NULL,
    version bigint   NOT NULL,
    value   bytea    NOT NULL,
    PRIMARY KEY (kind, name)
);

-- What is above all subjects; NULL until something is. A step holds this table in a mode that only a change of it
-- conflicts with.
CREATE TABLE {s}.cutoffs (
    version bigint NOT NULL,
    value   bytea
);
INSERT INTO {s}.cutoffs VALUES (1, NULL);

-- The position of the newest event: one row, updated last in each transaction that has events, so that they are
-- committed in the order of their positions.
CREATE TABLE {s}.head (
    position bigint NOT NULL
);
INSERT INTO {s}.head VALUES (0);

-- The latest instant committed, in milliseconds.
CREATE TABLE {s}.latest (
    at bigint NOT NULL
);
INSERT INTO {s}.latest VALUES (0);

-- Which cluster, and which of its timelines, the rows are of; NULL where the server does not say.
CREATE TABLE {s}.origin (
    name text
);
INSERT INTO {s}.origin VALUES (NULL);
