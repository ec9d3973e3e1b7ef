//! The ends log: without it a copy that is put back brings ended sessions back.

use super::Finding;
use crate::config::Config;
use symbolon_store::{EndsState, Store};

const WHAT: &str = "ends log";

pub(super) fn look(config: &Config) -> Option<Finding> {
    let path = config.store.file()?;
    if !path.exists() {
        return None;
    }
    let shown = format!("{}.ends", path.display());
    let next = "restart the authority: it makes a whole one from the database, as far back as that goes; \
                what put the file away will do it again";
    Some(match Store::ends_log_of_sqlite(path) {
        Ok(EndsState::NotYet) => {
            Finding::warn(WHAT, "there is none yet", "`symbolon serve` makes it at its first start")
        }
        Ok(EndsState::Gone) => Finding::bad(WHAT, format!("{shown} is gone"), next),
        Ok(EndsState::Empty) => Finding::bad(WHAT, format!("{shown} is empty"), next),
        Ok(EndsState::Sound { records, torn: 0 }) => {
            Finding::good(WHAT, format!("{records} records are as written"))
        }
        Ok(EndsState::Sound { records, torn }) => {
            let found = format!("{records} records, and {torn} bytes of one that is not whole");
            let next =
                "ask again: one may be being written now; if it stays, a restart cuts it off";
            Finding::warn(WHAT, found, next)
        }
        Err(refusal) => Finding::bad(
            WHAT,
            refusal.to_string(),
            "keep the file; see docs/runbook.md, \u{201c}the store is refused\u{201d}",
        ),
    })
}
