//! Every row, page and record of the store: what a start, which looks at the ends alone, may miss.

use super::Finding;
use crate::config::Config;
use symbolon_store::{Examined, Store};

/// One finding for a sound store, else one for each damage.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    let Some(path) = config.store.file() else {
        let next = "ask the engine's own tools: `pg_amcheck`, `redis-check-aof`";
        let found = format!("it is {}, and not looked through", config.store.kind());
        return vec![Finding::warn("store, all of it", found, next)];
    };
    if !path.exists() {
        return Vec::new();
    }
    match Store::examine_sqlite(path) {
        Ok(Examined { rows, ends, damages }) if damages.is_empty() => {
            let found = format!("{rows} rows and {ends} records of the ends log are as written");
            vec![Finding::good("store, all of it", found)]
        }
        Ok(examined) => examined.damages.into_iter().map(damage).collect(),
        Err(refusal) => vec![damage(refusal.to_string())],
    }
}

fn damage(found: String) -> Finding {
    let next = "stop the authority, keep these files, and put the newest sound copy back beside the ends log";
    Finding::bad("store, all of it", found, next)
}
