//! What is refused where, for every preset, and by which word: one table, which the test prints and holds.

mod stage;

use stage::{Row, Stage};
use std::time::Duration;
use tokio::time::Instant;

/// What happens, and how every door answers whoever comes after it. `—`: see [`WHY_NOT`].
const MATRIX: &str = "
preset           after            refresh           introspect  verify                     sidecar                    gateway                    me
dual-token       nothing          ok                ok          ok                         ok                         ok                         ok
dual-token       user banned      banned            inactive    revoked: banned            revoked: banned            revoked: banned            banned
dual-token       session ended    kicked            inactive    revoked: kicked            revoked: kicked            revoked: kicked            kicked
dual-token       displaced        displaced         inactive    revoked: displaced         revoked: displaced         revoked: displaced         displaced
dual-token       client disabled  client_disabled   inactive    stale                      stale                      stale                      client_disabled
dual-token       key revoked      ok                inactive    stale                      stale                      untrusted                  invalid-token
dual-token       epoch bumped     password_changed  inactive    revoked: password_changed  revoked: password_changed  revoked: password_changed  password_changed
gateway-session  nothing          —                 ok          ok                         ok                         ok                         ok
gateway-session  user banned      —                 inactive    revoked: banned            revoked: banned            revoked: banned            banned
gateway-session  session ended    —                 inactive    revoked: kicked            revoked: kicked            revoked: kicked            kicked
gateway-session  displaced        —                 inactive    revoked: displaced         revoked: displaced         revoked: displaced         displaced
gateway-session  client disabled  —                 inactive    stale                      revoked: client_disabled   revoked: client_disabled   client_disabled
gateway-session  key revoked      —                 inactive    stale                      ok                         ok                         invalid-token
gateway-session  epoch bumped     —                 inactive    revoked: password_changed  revoked: password_changed  revoked: password_changed  password_changed
sliding-session  nothing          —                 ok          ok                         ok                         ok                         ok
sliding-session  user banned      —                 inactive    revoked: banned            revoked: banned            revoked: banned            banned
sliding-session  session ended    —                 inactive    revoked: kicked            revoked: kicked            revoked: kicked            kicked
sliding-session  displaced        —                 inactive    revoked: displaced         revoked: displaced         revoked: displaced         displaced
sliding-session  client disabled  —                 inactive    stale                      stale                      stale                      client_disabled
sliding-session  key revoked      —                 inactive    stale                      stale                      untrusted                  invalid-token
sliding-session  epoch bumped     —                 inactive    revoked: password_changed  revoked: password_changed  revoked: password_changed  password_changed
opaque-session   nothing          —                 ok          ok                         ok                         ok                         ok
opaque-session   user banned      —                 inactive    revoked: banned            revoked: banned            revoked: banned            banned
opaque-session   session ended    —                 inactive    revoked: kicked            revoked: kicked            revoked: kicked            kicked
opaque-session   displaced        —                 inactive    revoked: displaced         revoked: displaced         revoked: displaced         displaced
opaque-session   client disabled  —                 inactive    revoked                    revoked                    stale                      client_disabled
opaque-session   key revoked      —                 ok          ok                         ok                         ok                         ok
opaque-session   epoch bumped     —                 inactive    revoked: password_changed  revoked: password_changed  revoked: password_changed  password_changed
service          nothing          ok                ok          ok                         ok                         ok                         —
service          user banned      —                 —           —                          —                          —                          —
service          session ended    —                 —           —                          —                          —                          —
service          displaced        —                 —           —                          —                          —                          —
service          client disabled  client_disabled   inactive    stale                      stale                      stale                      —
service          key revoked      ok                inactive    stale                      stale                      untrusted                  —
service          epoch bumped     —                 —           —                          —                          —                          —
";

/// Why a cell is `—`: by preset, and by the door or by what happens.
const WHY_NOT: [(&str, &str, &str); 8] = [
    ("gateway-session", "refresh", "the cookie never changes; what is behind it is renewed inside"),
    ("sliding-session", "refresh", "there is one token, and no other can be had"),
    ("opaque-session", "refresh", "there is one token, and no other can be had"),
    ("service", "me", "a service is no person"),
    ("service", "user banned", "a service is no person"),
    ("service", "session ended", "a service has no session"),
    ("service", "displaced", "a service has no device"),
    ("service", "epoch bumped", "a service is no person"),
];

/// The doors, in the order of their columns. `verify` is a verifier in this process, `sidecar` one that speaks HTTP.
const WAYS: [&str; 6] = ["refresh", "introspect", "verify", "sidecar", "gateway", "me"];

const HAPPENINGS: [&str; 7] = [
    "nothing",
    "user banned",
    "session ended",
    "displaced",
    "client disabled",
    "key revoked",
    "epoch bumped",
];

const PRESETS: [&str; 5] =
    ["dual-token", "gateway-session", "sliding-session", "opaque-session", "service"];

const NONE: &str = "—";

/// Asked again after that long, where a door learns what happened from the feed.
const AGAIN: Duration = Duration::from_millis(2);

/// How often at the most. Inclusive; then what it says is shown as it is.
const TRIES_MAX: u32 = 5_000;

/// The cells that the table wants for a row.
fn wanted(preset: &str, what: &str) -> Vec<&'static str> {
    let cells = |line: &'static str| -> Vec<_> {
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
    };
    let row = MATRIX.lines().map(cells).find(|cells| cells.starts_with(&[preset, what]));
    row.unwrap_or_else(|| panic!("no row for {preset}, {what}")).split_off(2)
}

fn is_excused(preset: &str, way: &str, what: &str) -> bool {
    WHY_NOT.iter().any(|(own, where_or_what, _)| {
        *own == preset && (*where_or_what == way || *where_or_what == what)
    })
}

/// One line of the table, with the widths that it has.
fn line(cells: &[String]) -> String {
    let widths = [17, 17, 18, 12, 27, 27, 27, 0];
    let padded: String =
        cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
    padded.trim_end().to_owned()
}

/// What all doors say of a row after something happened to it, and how long the slowest took to say so.
async fn cells(stage: &Stage, row: &Row, what: &str) -> (Vec<String>, Duration) {
    let (began, mut slowest) = (Instant::now(), Duration::ZERO);
    let mut cells = vec![row.preset.to_owned(), what.to_owned()];
    for (way, wanted) in WAYS.iter().zip(wanted(row.preset, what)) {
        let cell = settled(stage, (way, row), wanted).await;
        if ["verify", "sidecar"].contains(way) {
            slowest = slowest.max(began.elapsed());
        }
        cells.push(cell);
    }
    (cells, slowest)
}

/// What a door says: at once where the authority itself answers, and where the feed tells, once it has told.
async fn settled(stage: &Stage, (way, row): (&str, &Row), wanted: &str) -> String {
    let follows = ["verify", "sidecar"].contains(&way);
    let mut again = tokio::time::interval(AGAIN);
    let mut tries = 0;
    loop {
        again.tick().await;
        let cell = stage.cell(way, row).await;
        tries += 1;
        if cell == wanted || !follows || tries == TRIES_MAX {
            return cell;
        }
    }
}

#[tokio::test]
async fn every_preset_refuses_everywhere_what_has_happened_to_it() {
    let (mut lines, mut slowest) = (Vec::new(), Duration::ZERO);
    for what in HAPPENINGS {
        let stage = Stage::set().await;
        let rows = stage.rows().await;
        for row in &rows {
            for way in WAYS {
                let before = stage.cell(way, row).await;
                let wanted = if is_excused(row.preset, way, "nothing") { NONE } else { "ok" };
                assert_eq!(before, wanted, "{} {way}", row.preset);
            }
        }
        // A revoked key is one for all of them.
        if what == "key revoked" {
            assert!(stage.happen(what, &rows[0]).await);
        }
        for row in &rows {
            let happened = what == "key revoked" || stage.happen(what, row).await;
            let (cells, took) = match happened {
                true => cells(&stage, row, what).await,
                false => {
                    let head = [row.preset, what].into_iter();
                    let cells = head.chain(WAYS.map(|_| NONE)).map(str::to_owned).collect();
                    (cells, Duration::ZERO)
                }
            };
            for (way, cell) in WAYS.iter().zip(&cells[2..]) {
                let excused = is_excused(row.preset, way, what);
                assert_eq!(cell == NONE, excused, "{} {way} after {what}: {cell}", row.preset);
            }
            slowest = slowest.max(took);
            lines.push(cells);
        }
    }
    let of = |preset: &'static str| lines.iter().filter(move |cells| cells[0] == preset);
    let said: Vec<_> = PRESETS.iter().flat_map(|preset| of(preset)).map(|row| line(row)).collect();
    let head = MATRIX.lines().nth(1).unwrap();
    let said = format!("{head}\n{}", said.join("\n"));
    println!("{said}");
    WHY_NOT.iter().for_each(|(preset, cell, why)| println!("— {preset}, {cell}: {why}"));
    println!("verifiers that follow the feed refused after {slowest:?} at the latest");
    assert_eq!(said, MATRIX.trim(), "\n{said}\n");
}
