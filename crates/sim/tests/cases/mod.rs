//! How many histories are played.

use proptest::prelude::ProptestConfig;

/// So many in a normal run; what `PROPTEST_CASES` says if it says anything.
pub(crate) fn cases(normal: u32) -> u32 {
    const PROPTESTS_OWN: u32 = 256;
    match ProptestConfig::default().cases {
        PROPTESTS_OWN => normal,
        asked => asked,
    }
}
