//! Waiting with tokio for a call that somebody else is making: woken by a descriptor of its own, which is closed with
//! the future that waits.

use crate::dedup::{Checked, Dedup};
use crate::error::Error;
use std::os::fd::OwnedFd;
use tokio::io::unix::AsyncFd;
use tokio::io::Interest;

impl Dedup {
    /// As [`wait`](Self::wait) without a timeout, with the feature `tokio`: whoever wants one has tokio's. It never
    /// gives [`Checked::InProgress`].
    ///
    /// Cancel safe: a future that is dropped before it is ready has no ticket, and leaves nothing behind.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), trip::Error> {
    /// use trip::Checked;
    ///
    /// let dedup = trip::Dedup::new(&trip::DedupConfig::default())?;
    /// let Checked::New(ticket) = dedup.check("key")? else { panic!("nobody else is here") };
    /// let waiting = { let dedup = dedup.clone(); tokio::spawn(async move { dedup.wait_async("key").await }) };
    /// ticket.complete("42");
    /// assert!(matches!(waiting.await.unwrap()?, Checked::Cached(value) if value == b"42"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`check`](Self::check). [`Error::System`]: the system gave no descriptor, or does not watch it.
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO enabled, when it has to wait.
    pub async fn wait_async(&self, key: impl AsRef<[u8]>) -> Result<Checked, Error> {
        let key = key.as_ref();
        loop {
            match self.check(key)? {
                Checked::InProgress => self.ended(key).await?,
                known => return Ok(known),
            }
        }
    }

    /// The call of this key is over, or was: somebody else may have begun it anew.
    async fn ended(&self, key: &[u8]) -> Result<(), Error> {
        let readiness = readable(self.watch(key)?)?;
        readiness.readable().await.map(drop).map_err(|_| Error::System)
    }
}

/// A descriptor that is waited for until it can be read.
pub(crate) fn readable(descriptor: OwnedFd) -> Result<AsyncFd<OwnedFd>, Error> {
    // What took its place in 2026 is unsafe for the sake of descriptors that are not owned.
    #[allow(deprecated)]
    AsyncFd::with_interest(descriptor, Interest::READABLE).map_err(|_| Error::System)
}
