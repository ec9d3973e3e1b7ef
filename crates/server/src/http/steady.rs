//! A connection whose other side must read: one that takes nothing for a while is ended, whatever is sent.

use super::serve::Stop;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Duration, Interval, MissedTickBehavior, interval};

/// How long the other side may read nothing of what it is sent. Exclusive.
pub const STALL_MAX: Duration = Duration::from_secs(30);

/// The same once the process was told to stop. Exclusive.
pub const STALL_MAX_STOPPING: Duration = Duration::from_secs(2);

/// How often a stalled connection is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A stream that fails when writing to it makes no progress.
pub struct Steady<S> {
    stream: S,
    stop: Stop,
    stalled: Option<(Interval, u32)>,
}

impl<S> Steady<S> {
    /// Watches over a stream.
    pub fn new(stream: S, stop: Stop) -> Self {
        Self { stream, stop, stalled: None }
    }

    /// Passes on what came of a write, unless it has come to nothing for too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, came: Poll<Result<T>>) -> Poll<Result<T>> {
        if came.is_ready() {
            self.stalled = None;
            return came;
        }
        let (look, looked) = self.stalled.get_or_insert_with(|| {
            let mut look = interval(LOOK);
            look.set_missed_tick_behavior(MissedTickBehavior::Delay);
            (look, 0)
        });
        while look.poll_tick(context).is_ready() {
            // The first tick comes at once.
            *looked += 1;
            let max = if *self.stop.borrow() { STALL_MAX_STOPPING } else { STALL_MAX };
            if max < LOOK * *looked {
                return Poll::Ready(Err(Error::from(ErrorKind::TimedOut)));
            }
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Steady<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Steady<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let came = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, came)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let came = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.watch(context, came)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let came = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, came)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let came = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, came)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::sync::watch;

    #[tokio::test]
    async fn who_reads_nothing_once_we_stop_is_let_go_and_who_reads_is_not() {
        let (tell, stop) = watch::channel(true);
        let (near, mut far) = duplex(64);
        let mut steady = Steady::new(near, stop);
        let reading = tokio::spawn(async move {
            let mut all = vec![0; 1000];
            far.read_exact(&mut all).await.map(|_| far)
        });
        steady.write_all(&[7; 1000]).await.unwrap();
        let _silent = reading.await.unwrap().unwrap();
        let refused = steady.write_all(&[7; 1000]).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TimedOut);
        drop(tell);
    }
}
