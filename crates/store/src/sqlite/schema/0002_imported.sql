-- Refresh tokens of other systems whose sessions were imported: by a keyed digest, each with the name of
-- the session that it belongs to, sealed like what was spent. A row outlives its session's end, until the
-- day is over on which its token would have expired, so that the same file brings nothing back.
CREATE TABLE imported (
    digest BLOB PRIMARY KEY NOT NULL,
    until  INTEGER NOT NULL,
    sid    BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX imported_until ON imported (until);
