//! All that the server is asked, in SQL. `{s}` stands for the schema.
//!
//! Names are qualified and nothing is kept on a session, so that it all works through a pooler too. Many rows
//! travel as arrays: one statement, one plan, however many.

use tokio_postgres::types::Type;

/// A statement with parameters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Ask {
    Load,
    OfSubject,
    OfSubjectWhole,
    Sessions,
    Cutoffs,
    Version,
    Head,
    Pulse,
    EventsAfter,
    Needed,
    Record,
    Records,
    PutFirst,
    PutNext,
    Imported,
    AreImported,
    Subjects,
    UpdatePlain,
    SawLatest,
    Place,
    LockSubjects,
    LockSessions,
    Numbers,
    Delete,
    Update,
    Create,
    MoveSubjects,
    Fence,
    Vacate,
    SetCutoffs,
    SetOrigin,
    Origin,
    Lose,
    LoseMore,
    Publish,
    Spend,
    Spent,
    Arrive,
    Know,
    ForgetEvents,
    ForgetSpent,
    ForgetImported,
    ListSubjects,
    ListSpent,
    ListImported,
}

const TEXT: Type = Type::TEXT;
const BYTES: Type = Type::BYTEA;
const INT: Type = Type::INT8;
const BYTES_MANY: Type = Type::BYTEA_ARRAY;
const INTS: Type = Type::INT8_ARRAY;
const BOOLS: Type = Type::BOOL_ARRAY;

impl Ask {
    /// Every statement.
    pub(super) const ALL: [Self; 45] = [
        Self::Load,
        Self::OfSubject,
        Self::OfSubjectWhole,
        Self::Sessions,
        Self::Cutoffs,
        Self::Version,
        Self::Head,
        Self::Pulse,
        Self::EventsAfter,
        Self::Needed,
        Self::Record,
        Self::Records,
        Self::PutFirst,
        Self::PutNext,
        Self::Imported,
        Self::AreImported,
        Self::Subjects,
        Self::UpdatePlain,
        Self::SawLatest,
        Self::Place,
        Self::LockSubjects,
        Self::LockSessions,
        Self::Numbers,
        Self::Delete,
        Self::Update,
        Self::Create,
        Self::MoveSubjects,
        Self::Fence,
        Self::Vacate,
        Self::SetCutoffs,
        Self::SetOrigin,
        Self::Origin,
        Self::Lose,
        Self::LoseMore,
        Self::Publish,
        Self::Spend,
        Self::Spent,
        Self::Arrive,
        Self::Know,
        Self::ForgetEvents,
        Self::ForgetSpent,
        Self::ForgetImported,
        Self::ListSubjects,
        Self::ListSpent,
        Self::ListImported,
    ];

    /// Those of the connections that read.
    pub(super) const READS: [Self; 7] = [
        Self::Load,
        Self::Head,
        Self::OfSubject,
        Self::Sessions,
        Self::EventsAfter,
        Self::Record,
        Self::Imported,
    ];

    /// Those of every other change than the usual step.
    pub(super) const WHOLE: [Self; 14] = [
        Self::Place,
        Self::LockSubjects,
        Self::LockSessions,
        Self::Numbers,
        Self::Version,
        Self::Delete,
        Self::Update,
        Self::Create,
        Self::MoveSubjects,
        Self::Fence,
        Self::Vacate,
        Self::SawLatest,
        Self::Publish,
        Self::Head,
    ];

    /// Its text, and the types of its parameters.
    pub(super) const fn template(self) -> (&'static str, &'static [Type]) {
        match self {
            Self::Load => (LOAD, &[BYTES_MANY, INT]),
            Self::OfSubject => (OF_SUBJECT, &[BYTES, BYTES, BYTES, INT]),
            Self::OfSubjectWhole => (OF_SUBJECT_WHOLE, &[BYTES, BYTES, BYTES, INT]),
            Self::Sessions => (SESSIONS, &[BYTES, BYTES, INT, INT]),
            Self::Cutoffs => ("SELECT version, value FROM {s}.cutoffs", &[]),
            Self::Version => ("SELECT version FROM {s}.cutoffs", &[]),
            Self::Head => ("SELECT position FROM {s}.head", &[]),
            Self::Pulse => (PULSE, &[INT]),
            Self::EventsAfter => (EVENTS_AFTER, &[INT, INT]),
            Self::Needed => (NEEDED, &[INT, INT, INT]),
            Self::Record => (RECORD, &[Type::INT2, BYTES]),
            Self::Records => (RECORDS, &[Type::INT2]),
            Self::PutFirst => (PUT_FIRST, &[Type::INT2, BYTES, INT, BYTES]),
            Self::PutNext => (PUT_NEXT, &[Type::INT2, BYTES, INT, BYTES]),
            Self::Imported => ("SELECT until, sid FROM {s}.imported WHERE digest = $1", &[BYTES]),
            Self::AreImported => (ARE_IMPORTED, &[BYTES_MANY]),
            Self::Subjects => (SUBJECTS, &[BYTES_MANY]),
            Self::UpdatePlain => (UPDATE_PLAIN, &[BYTES_MANY, INTS, INTS, BYTES_MANY, INT]),
            Self::SawLatest => ("UPDATE {s}.latest SET at = $1 WHERE at < $1", &[INT]),
            Self::Place => (
                "INSERT INTO {s}.subjects (subject, moves, fence) SELECT t.subject, 0, 0 \
                 FROM unnest($1) AS t(subject) ORDER BY t.subject ON CONFLICT (subject) DO NOTHING",
                &[BYTES_MANY],
            ),
            Self::LockSubjects => (
                "SELECT subject, moves, fence FROM {s}.subjects \
                 WHERE subject = ANY($1) ORDER BY subject FOR UPDATE",
                &[BYTES_MANY],
            ),
            Self::LockSessions => (LOCK_SESSIONS, &[BYTES_MANY, BYTES_MANY]),
            Self::Numbers => ("SELECT nextval('{s}.moves') FROM generate_series(1, $1)", &[INT]),
            Self::Delete => ("DELETE FROM {s}.sessions WHERE sid = ANY($1)", &[BYTES_MANY]),
            Self::Update => (UPDATE, &[BYTES_MANY, BOOLS, BYTES_MANY]),
            Self::Create => (CREATE, &[BYTES_MANY, INTS, BYTES_MANY, BYTES_MANY]),
            Self::MoveSubjects => (MOVE_SUBJECTS, &[BYTES_MANY, INTS, INTS, BYTES_MANY]),
            Self::Fence => (FENCE, &[BYTES_MANY, INTS]),
            Self::Vacate => (VACATE, &[BYTES_MANY]),
            Self::SetCutoffs => ("UPDATE {s}.cutoffs SET version = $1, value = $2", &[INT, BYTES]),
            Self::SetOrigin => ("UPDATE {s}.origin SET name = $1", &[TEXT]),
            Self::Origin => ("SELECT name FROM {s}.origin", &[]),
            Self::Lose => (LOSE, &[INT, INT]),
            Self::LoseMore => (LOSE_MORE, &[INT, INT]),
            Self::Publish => (PUBLISH, &[INTS, BYTES_MANY, TEXT]),
            Self::Spend => (SPEND, &[BYTES_MANY, INTS, BYTES_MANY, INTS]),
            Self::Spent => {
                ("SELECT digest, until, value FROM {s}.spent WHERE digest = ANY($1)", &[BYTES_MANY])
            }
            Self::Arrive => (ARRIVE, &[BYTES_MANY, INTS, BYTES_MANY, BYTES_MANY]),
            Self::Know => (KNOW, &[BYTES_MANY, INTS, BYTES_MANY]),
            Self::ForgetEvents => (FORGET_EVENTS, &[INT, INT, INT, INT, INT]),
            Self::ForgetSpent => (FORGET_SPENT, &[INT, INT]),
            Self::ForgetImported => (FORGET_IMPORTED, &[INT, INT]),
            Self::ListSubjects => (LIST_SUBJECTS, &[BYTES, INT]),
            Self::ListSpent => (LIST_SPENT, &[BYTES, INT]),
            Self::ListImported => (LIST_IMPORTED, &[BYTES, INT]),
        }
    }
}

// The cut-offs come along only if they are not those that the asker knows. A living session of a subject without
// a state has fence 0, so that the subject is not looked for.
const LOAD: &str = "SELECT s.sid, s.version, s.subject, s.body, s.fence, \
     CASE WHEN s.fence <> 0 OR s.ended THEN \
         (SELECT u.body FROM {s}.subjects u WHERE u.subject = s.subject) END, \
     c.version, CASE WHEN c.version <> $2 THEN c.value END \
     FROM {s}.cutoffs c, {s}.sessions s WHERE s.sid = ANY($1)";

const SESSIONS: &str = "SELECT s.sid, s.version, s.subject, s.body, s.fence, \
     CASE WHEN s.fence <> 0 OR s.ended THEN \
         (SELECT u.body FROM {s}.subjects u WHERE u.subject = s.subject) END, \
     c.version, CASE WHEN c.version <> $4 THEN c.value END \
     FROM {s}.cutoffs c, {s}.sessions s WHERE $1 < s.sid AND s.sid <= $2 ORDER BY s.sid LIMIT $3";

const OF_SUBJECT: &str = "SELECT u.moves, u.body, c.version, CASE WHEN c.version <> $4 THEN c.value END, \
     s.sid, s.version, s.body FROM {s}.cutoffs c \
     LEFT JOIN {s}.subjects u ON u.subject = $1 \
     LEFT JOIN {s}.sessions s ON s.subject = $1 AND NOT s.ended AND $2 <= s.sid AND s.sid <= $3 \
     ORDER BY s.sid";

const OF_SUBJECT_WHOLE: &str = "SELECT u.moves, u.body, c.version, CASE WHEN c.version <> $4 THEN c.value END, \
     s.sid, s.version, s.body FROM {s}.cutoffs c \
     LEFT JOIN {s}.subjects u ON u.subject = $1 \
     LEFT JOIN {s}.sessions s ON s.subject = $1 AND $2 <= s.sid AND s.sid <= $3 \
     ORDER BY s.sid";

const PULSE: &str = "SELECT h.position, l.at, c.version, CASE WHEN c.version <> $1 THEN c.value END, \
     pg_is_in_recovery(), (SELECT coalesce(sum(o.told - o.head), 0)::bigint FROM {s}.lost o) \
     FROM {s}.head h, {s}.latest l, {s}.cutoffs c";

// $1: the epoch that is opened; $2: the head that this process was told before.
const LOSE: &str = "INSERT INTO {s}.lost (epoch, head, told) \
     SELECT $1, h.position, greatest(h.position, $2) FROM {s}.head h";
// $1: the epoch in which this process was told of $2. Those that were opened later lost nothing of that.
const LOSE_MORE: &str = "UPDATE {s}.lost SET told = $2 \
     WHERE told < $2 AND epoch = (SELECT min(o.epoch) FROM {s}.lost o WHERE $1 < o.epoch)";

const EVENTS_AFTER: &str =
    "SELECT position, body FROM {s}.events WHERE $1 < position ORDER BY position LIMIT $2";

const NEEDED: &str = "SELECT position, body FROM {s}.events \
     WHERE $1 < position AND position <= $2 AND $3 <= keep_until ORDER BY position";

const RECORD: &str = "SELECT name, version, value FROM {s}.records WHERE kind = $1 AND name = $2";
const RECORDS: &str = "SELECT name, version, value FROM {s}.records WHERE kind = $1 ORDER BY name";
const PUT_FIRST: &str = "INSERT INTO {s}.records (kind, name, version, value) \
     VALUES ($1, $2, $3 + 1, $4) ON CONFLICT (kind, name) DO NOTHING RETURNING version";
const PUT_NEXT: &str = "UPDATE {s}.records SET version = $3 + 1, value = $4 \
     WHERE kind = $1 AND name = $2 AND version = $3 RETURNING version";

const ARE_IMPORTED: &str = "SELECT digest FROM {s}.imported WHERE digest = ANY($1)";

const SUBJECTS: &str = "SELECT c.version, c.value, u.subject, u.moves, u.body FROM {s}.cutoffs c \
     LEFT JOIN {s}.subjects u ON u.subject = ANY($1)";

// Its rows come in the order of their names, and so are locked in it: two nodes cannot wait for each other. The
// head is asked for in the same breath: it covers all that the decisions saw.
const UPDATE_PLAIN: &str = "UPDATE {s}.sessions s SET version = t.version + 1, body = t.body \
     FROM unnest($1, $2, $3, $4) WITH ORDINALITY AS t(sid, version, fence, body, at) \
     WHERE s.sid = t.sid AND s.version = t.version AND s.fence = t.fence \
     AND $5 = (SELECT c.version FROM {s}.cutoffs c) \
     RETURNING t.at, (SELECT h.position FROM {s}.head h)";

const LOCK_SESSIONS: &str = "SELECT s.sid, s.version, s.fence FROM {s}.sessions s WHERE s.sid IN \
     (SELECT unnest($1) UNION SELECT o.sid FROM {s}.sessions o WHERE o.subject = ANY($2) AND NOT o.ended) \
     ORDER BY s.sid FOR UPDATE";

const UPDATE: &str = "UPDATE {s}.sessions s SET version = s.version + 1, ended = t.ended, body = t.body \
     FROM unnest($1, $2, $3) AS t(sid, ended, body) WHERE s.sid = t.sid";

const CREATE: &str = "INSERT INTO {s}.sessions (sid, version, fence, ended, subject, body) \
     SELECT t.sid, 1, t.fence, false, t.subject, t.body \
     FROM unnest($1, $2, $3, $4) AS t(sid, fence, subject, body)";

const MOVE_SUBJECTS: &str = "UPDATE {s}.subjects u SET moves = t.moves, fence = t.fence, \
     body = coalesce(t.body, u.body) \
     FROM unnest($1, $2, $3, $4) AS t(subject, moves, fence, body) WHERE u.subject = t.subject";

const FENCE: &str = "UPDATE {s}.sessions s SET fence = t.fence \
     FROM unnest($1, $2) AS t(subject, fence) WHERE s.subject = t.subject AND NOT s.ended";

const VACATE: &str = "DELETE FROM {s}.subjects u WHERE u.subject = ANY($1) AND u.body IS NULL \
     AND NOT EXISTS (SELECT 1 FROM {s}.sessions s WHERE s.subject = u.subject)";

const PUBLISH: &str = "WITH place AS \
     (UPDATE {s}.head SET position = position + cardinality($1) RETURNING position), \
     put AS (INSERT INTO {s}.events (position, keep_until, body) \
         SELECT place.position - cardinality($1) + t.at, t.keep_until, t.body \
         FROM place, unnest($1, $2) WITH ORDINALITY AS t(keep_until, body, at)) \
     SELECT place.position, pg_notify($3, '') FROM place";

const SPEND: &str = "INSERT INTO {s}.spent AS old (digest, until, value) \
     SELECT t.digest, t.until, t.value FROM unnest($1, $2, $3) AS t(digest, until, value) ORDER BY t.digest \
     ON CONFLICT (digest) DO UPDATE SET until = excluded.until, value = excluded.value \
     WHERE old.until <= (SELECT t.at FROM unnest($1, $4) AS t(digest, at) WHERE t.digest = excluded.digest) \
     RETURNING digest";

const ARRIVE: &str = "INSERT INTO {s}.sessions (sid, version, fence, ended, subject, body) \
     SELECT t.sid, 1, t.fence, false, t.subject, t.body \
     FROM unnest($1, $2, $3, $4) WITH ORDINALITY AS t(sid, fence, subject, body, at) ORDER BY t.sid, t.at \
     ON CONFLICT (sid) DO NOTHING RETURNING sid";

const KNOW: &str = "INSERT INTO {s}.imported (digest, until, sid) \
     SELECT t.digest, t.until, t.sid FROM unnest($1, $2, $3) AS t(digest, until, sid) ORDER BY t.digest \
     ON CONFLICT (digest) DO NOTHING";

// $1: how many are looked at, from the oldest on; $2: what was needed until before is too old; $3: what was needed
// until before is needed no more; $4: up to here they are too many; $5: from here on they stay.
const FORGET_EVENTS: &str = "WITH oldest AS \
         (SELECT position, keep_until FROM {s}.events ORDER BY position LIMIT $1), \
     kept AS (SELECT position FROM oldest WHERE $5 <= position OR \
         CASE WHEN position <= $4 THEN $3 ELSE $2 END <= keep_until ORDER BY position LIMIT 1) \
     DELETE FROM {s}.events WHERE position < \
         coalesce((SELECT position FROM kept), (SELECT max(position) FROM oldest)) RETURNING 1";

const FORGET_SPENT: &str = "DELETE FROM {s}.spent WHERE digest IN \
     (SELECT digest FROM {s}.spent WHERE until <= $1 ORDER BY until LIMIT $2) RETURNING 1";
const FORGET_IMPORTED: &str = "DELETE FROM {s}.imported WHERE digest IN \
     (SELECT digest FROM {s}.imported WHERE until <= $1 ORDER BY until LIMIT $2) RETURNING 1";

const LIST_SUBJECTS: &str = "SELECT subject, body FROM {s}.subjects \
     WHERE $1 < subject AND body IS NOT NULL ORDER BY subject LIMIT $2";
const LIST_SPENT: &str =
    "SELECT digest, until, value FROM {s}.spent WHERE $1 < digest ORDER BY digest LIMIT $2";
const LIST_IMPORTED: &str =
    "SELECT digest, until, sid FROM {s}.imported WHERE $1 < digest ORDER BY digest LIMIT $2";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_statement_is_found_by_its_number_and_has_its_parameters() {
        for (at, ask) in Ask::ALL.into_iter().enumerate() {
            let (text, types) = ask.template();
            assert_eq!(ask as usize, at, "{ask:?}");
            let used = |number: usize| text.contains(&format!("${number}"));
            assert!((1..=types.len()).all(used) && !used(types.len() + 1), "{ask:?}");
        }
    }
}
