//! Waiting for events with tokio: woken by a copy of the tracker's descriptor, which is taken out of the runtime and
//! closed with the value that waits.

use crate::error::Error;
use crate::event::Event;
use crate::ffi;
use crate::tracker::Tracker;
use crate::watching::readable;
use std::fmt;
use std::future::poll_fn;
use std::os::fd::OwnedFd;
#[cfg(feature = "stream")]
use std::pin::Pin;
use std::task::{ready, Context, Poll};
use tokio::io::unix::AsyncFd;
use trip_sys as sys;

/// The events of a tracker as they happen, with the feature `tokio`. It keeps the tracker alive.
///
/// Several may wait for the events of one tracker: each event goes to one of them. Dropped, it leaves nothing behind.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), trip::Error> {
/// # let tracker = trip::Tracker::new(&trip::Config::default())?;
/// # tracker.circuit("acme", "llm")?.trip()?;
/// let mut events = tracker.events()?;
/// tokio::select! {
///     event = events.next() => assert_eq!(event?.map(|event| event.kind), Some(trip::EventKind::Opened)),
///     () = std::future::pending() => {} // whatever else the task waits for
/// }
/// # Ok(())
/// # }
/// ```
pub struct Events {
    tracker: Tracker,
    readiness: AsyncFd<OwnedFd>,
    lost: u64,
    #[cfg(feature = "stream")]
    has_failed: bool,
}

impl Tracker {
    /// The events of this tracker as they happen, beginning with those that nobody has taken yet.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), trip::Error> {
    /// # let tracker = trip::Tracker::new(&trip::Config::default())?;
    /// let mut events = tracker.events()?;
    /// # let operator = tracker.clone();
    /// # tokio::spawn(async move {
    /// #     operator.circuit("acme", "llm").unwrap().trip().unwrap();
    /// #     operator.destroy().unwrap();
    /// # });
    /// while let Some(event) = events.next().await? {
    ///     println!("{event:?}");
    /// }
    /// assert_eq!(events.lost(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::System`]: the system gave no descriptor, or does not watch it. [`Error::Handle`]: the tracker is
    /// destroyed.
    ///
    /// # Panics
    /// Outside of a tokio runtime with IO enabled.
    pub fn events(&self) -> Result<Events, Error> {
        Ok(Events {
            tracker: self.clone(),
            readiness: readable(self.event_fd()?)?,
            lost: 0,
            #[cfg(feature = "stream")]
            has_failed: false,
        })
    }
}

impl Events {
    /// Waits for the next event; `None`: the tracker is destroyed, and there will be none.
    ///
    /// Cancel safe: a future that is dropped before it is ready has taken no event.
    ///
    /// # Errors
    /// [`Error::System`]: the runtime is shutting down.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// [`next`](Self::next) for those who poll by hand. The task that polled last is woken.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        loop {
            let mut readable = ready!(self.readiness.poll_read_ready(context)).map_err(|_| Error::System)?;
            let mut raw = [sys::trip_event::default()];
            let mut text = [0; ffi::EVENT_TEXT];
            let (count, lost) = match ffi::tracker_events(self.tracker.handle(), &mut raw, &mut text) {
                Err(Error::Handle) => return Poll::Ready(Ok(None)),
                answer => answer?,
            };
            self.lost = lost;
            if count != 0 {
                return Poll::Ready(Ok(Some(Event::new(&raw[0], &text))));
            }
            readable.clear_ready();
        }
    }

    /// How many events the tracker has ever lost, as far as was known at the last [`next`](Self::next): it keeps 4096
    /// that nobody has taken.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

/// With the feature `stream`, for combinators. It ends with the tracker, and after the first error.
///
/// ```
/// # use futures_core::Stream;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), trip::Error> {
/// # let tracker = trip::Tracker::new(&trip::Config::default())?;
/// # tracker.circuit("acme", "llm")?.trip()?;
/// fn take_over(events: impl Stream<Item = Result<trip::Event, trip::Error>>) {}
/// take_over(tracker.events()?);
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "stream")]
impl futures_core::Stream for Events {
    type Item = Result<Event, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let events = self.get_mut();
        if events.has_failed {
            return Poll::Ready(None);
        }
        let next = ready!(Events::poll_next(events, context)).transpose();
        events.has_failed = matches!(next, Some(Err(_)));
        Poll::Ready(next)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("tracker", &self.tracker).field("lost", &self.lost).finish_non_exhaustive()
    }
}
