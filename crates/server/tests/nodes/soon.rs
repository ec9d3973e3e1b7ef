//! Waiting for what should happen soon, and letting time pass.

use std::future::Future;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How long anything that should happen soon may take on a machine that is busy with other things.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Asks again and again until the answer is there.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let mut tick = interval(Duration::from_millis(10));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let asking = async {
        loop {
            tick.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    let Ok(answer) = timeout(SOON + SOON, asking).await else { panic!("not soon: {what}") };
    answer
}

/// Lets time pass: what is tested is what happens meanwhile.
pub(crate) async fn pass(time: Duration) {
    let mut tick = interval(time.max(Duration::from_millis(1)));
    tick.tick().await;
    tick.tick().await;
}
