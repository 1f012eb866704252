//! Deduplication: of all who want the same call made at once one makes it, and what it brought is remembered.

use crate::error::Error;
use crate::ffi::{self, Known};
use crate::fields::config;
use crate::part::{part, Part};
use crate::permit::Settled;
use crate::time::nanoseconds;
use crate::tracker::Tracker;
use std::fmt;
use std::mem;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

config! {
    /// How long calls are remembered. Begins with the library's defaults; change what you want changed.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let config = trip::DedupConfig::default().ttl(Duration::ZERO);
    /// assert_eq!(config.lease, Duration::from_secs(600));
    /// ```
    DedupConfig: trip_dedup_config = ffi::default_dedup_config {
        /// Calls in progress and values that are kept: 1 to 16777216, 65536 by default.
        max_entries: u32 = max_entries,
        /// Bytes of keys and values that are kept: at least 1, 64 MiB by default.
        max_bytes: u64 = max_bytes,
        /// A call is in progress for so long at most, then its key is free: above zero, at most one year, 600 s by
        /// default.
        lease: Duration = lease_ns,
        /// A value is kept for so long: at most one year, 300 s by default. Zero: never.
        ttl: Duration = ttl_ns,
    }
}

/// A memory of which calls are being made and what the last ones brought.
///
/// Clones are the same memory. It is destroyed with the last of them; tickets do not keep it alive.
///
/// ```
/// use trip::Checked;
///
/// let dedup = trip::Dedup::new(&trip::DedupConfig::default())?;
/// # let ask = |_: &str| b"42".to_vec();
/// let answer = match dedup.wait("what is it?", None)? {
///     Checked::New(ticket) => {
///         let answer = ask("what is it?");
///         ticket.complete(&answer); // dropped, it would leave the call to the next one
///         answer
///     }
///     Checked::Cached(answer) => answer,
///     Checked::InProgress => unreachable!("it waits as long as it takes"),
/// };
/// assert!(matches!(dedup.check("what is it?")?, Checked::Cached(same) if same == answer));
/// # Ok::<_, trip::Error>(())
/// ```
#[derive(Clone)]
pub struct Dedup {
    part: Arc<Part>,
}

part!(Dedup, "deduplicator", ffi::dedup_destroy);

/// What is known of a call.
#[derive(Debug)]
#[must_use = "the ticket of a new call is dropped with this, and the call left to the next one"]
pub enum Checked {
    /// Nobody has made it: make it, and settle the ticket.
    New(Ticket),
    /// Somebody is making it.
    InProgress,
    /// It has been made, and brought this.
    Cached(Vec<u8>),
}

/// The duty to make a call that others wait for. Settle it, on any thread; it is gone then. Dropped, it says that the
/// call was given up: its key is free at once, and one of those who wait gets the next ticket.
#[must_use = "a ticket that is dropped leaves the call to the next one"]
pub struct Ticket(u64);

/// A deduplicator seen from outside: `started = completed + failed + expired + in_progress`. What has ended by itself
/// may count as before until somebody comes by; each call sees to a few.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DedupInfo {
    /// Tickets out.
    pub in_progress: u32,
    /// Values kept.
    pub cached: u32,
    /// Callers in [`Dedup::wait`].
    pub waiting: u32,
    /// Bytes of keys, those of calls in progress too, and of values.
    pub bytes: u64,
    /// Tickets given.
    pub started: u64,
    /// Answers that were [`Checked::Cached`].
    pub hits: u64,
    /// Answers that were [`Checked::InProgress`].
    pub joined: u64,
    /// Tickets settled with a value.
    pub completed: u64,
    /// Tickets settled without one, or left behind by a fork.
    pub failed: u64,
    /// Tickets whose lease ran out.
    pub expired: u64,
    /// Values that went before their time, to make room.
    pub evicted: u64,
}

impl Tracker {
    /// A deduplicator that goes by the clock of this tracker, and keeps it alive.
    ///
    /// # Errors
    /// As [`Dedup::new`]; [`Error::Handle`]: the tracker is destroyed.
    pub fn dedup(&self, config: &DedupConfig) -> Result<Dedup, Error> {
        Dedup::create(Some(self), config)
    }
}

impl Dedup {
    /// A deduplicator that goes by the machine's clock.
    ///
    /// # Errors
    /// [`Error::Config`] names the field that is out of range; [`Error::Capacity`], [`Error::NoMemory`] and
    /// [`Error::System`] are the machine's.
    pub fn new(config: &DedupConfig) -> Result<Self, Error> {
        Self::create(None, config)
    }

    fn create(tracker: Option<&Tracker>, config: &DedupConfig) -> Result<Self, Error> {
        let clock = tracker.map_or(0, Tracker::handle);
        let handle = ffi::dedup_create(clock, &config.to_raw(), DedupConfig::field_at)?;
        Ok(Dedup { part: Arc::new(Part::own(handle, ffi::dedup_destroy, tracker)) })
    }

    /// Asks whether a call must be made. Of all who ask for a key at once, one gets the ticket.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the key is longer than 65536 bytes. [`Error::Capacity`]:
    /// [`max_entries`](DedupConfig::max_entries) calls are in progress, or their keys with this one are more than
    /// [`max_bytes`](DedupConfig::max_bytes), or 1048576 tickets are out in the process. [`Error::Handle`]: the
    /// deduplicator or its tracker is destroyed. [`Error::NoMemory`].
    pub fn check(&self, key: impl AsRef<[u8]>) -> Result<Checked, Error> {
        ffi::dedup_check(self.handle(), key.as_ref()).map(Checked::from)
    }

    /// As [`check`](Self::check), but while somebody else is making the call, waits for its end: at most so long, by
    /// the machine's clock; `None`: as long as it takes. When that brings nothing, who has waited longest gets the next
    /// ticket. Blocks the thread.
    ///
    /// # Errors
    /// As [`check`](Self::check); [`Error::Handle`], too, when the deduplicator is destroyed meanwhile.
    pub fn wait(&self, key: impl AsRef<[u8]>, timeout: Option<Duration>) -> Result<Checked, Error> {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let left = || until.map_or(u64::MAX, |until| nanoseconds(until.saturating_duration_since(Instant::now())));
        ffi::dedup_wait(self.handle(), key.as_ref(), left).map(Checked::from)
    }

    /// A descriptor that is readable once [`check`](Self::check) has something else to say of a key than
    /// [`Checked::InProgress`], for poll, epoll and what is built on them. Do not read it; check again. To close it is
    /// all that giving up takes. With the feature `tokio`, `wait_async` waits for it.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the key is longer than 65536 bytes. [`Error::System`]: the system gave no descriptor.
    /// [`Error::Handle`]: the deduplicator or its tracker is destroyed.
    pub fn watch(&self, key: impl AsRef<[u8]>) -> Result<OwnedFd, Error> {
        ffi::dedup_watch(self.handle(), key.as_ref())
    }

    /// Forgets the value of a key. A call in progress goes on.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the key is longer than 65536 bytes. [`Error::Handle`]: the deduplicator is destroyed.
    pub fn forget(&self, key: impl AsRef<[u8]>) -> Result<(), Error> {
        ffi::dedup_forget(self.handle(), key.as_ref())
    }

    /// What it holds, and its counters.
    ///
    /// # Errors
    /// [`Error::Handle`]: the deduplicator is destroyed.
    pub fn inspect(&self) -> Result<DedupInfo, Error> {
        let raw = ffi::dedup_inspect(self.handle())?;
        Ok(DedupInfo {
            in_progress: raw.in_progress,
            cached: raw.cached,
            waiting: raw.waiting,
            bytes: raw.bytes,
            started: raw.started,
            hits: raw.hits,
            joined: raw.joined,
            completed: raw.completed,
            failed: raw.failed,
            expired: raw.expired,
            evicted: raw.evicted,
        })
    }
}

impl From<Known> for Checked {
    fn from(known: Known) -> Self {
        match known {
            Known::Nothing(ticket) => Checked::New(Ticket(ticket)),
            Known::InProgress => Checked::InProgress,
            Known::Value(bytes) => Checked::Cached(bytes),
        }
    }
}

impl Ticket {
    /// The call has brought a value, which is copied: whoever waits for it gets it, and so does who asks within
    /// [`ttl`](DedupConfig::ttl). With a `ttl` of zero, or when [`max_bytes`](DedupConfig::max_bytes) has no room for
    /// it beside its key and those of the calls in progress, nobody gets it, and those who wait get the next ticket.
    pub fn complete(self, value: impl AsRef<[u8]>) -> Settled {
        Settled::of(ffi::ticket_complete(self.into_handle(), value.as_ref()))
    }

    /// The call has failed: its key is free at once, and one of those who wait gets the next ticket.
    pub fn fail(self) -> Settled {
        Settled::of(ffi::ticket_fail(self.into_handle()))
    }

    /// Nobody will settle this ticket: what dropping it does, with an answer.
    pub fn abandon(self) -> Settled {
        Settled::of(ffi::ticket_drop(self.into_handle()))
    }

    /// The call takes longer: its lease begins again.
    ///
    /// # Errors
    /// None of them is a reason to give up the call. [`Error::Stale`]: the lease is over. [`Error::Consumed`],
    /// [`Error::Handle`]: the ticket is gone.
    pub fn renew(&self) -> Result<(), Error> {
        ffi::ticket_renew(self.0)
    }

    /// Gives the ticket away, to others in this process: whoever has the handle settles it.
    #[must_use = "nobody else can settle this ticket"]
    pub fn into_handle(self) -> u64 {
        let Ticket(handle) = self;
        mem::forget(self);
        handle
    }

    /// Takes over a ticket. Any value is legal; a wrong one gets [`Error::Handle`] or [`Error::Consumed`] when it is
    /// used.
    pub fn from_handle(handle: u64) -> Self {
        Ticket(handle)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // A destructor has nobody to tell, and a ticket that cannot be settled any more keeps nobody waiting.
        ffi::ticket_drop(self.0);
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ticket").field(&format_args!("{:#x}", self.0)).finish()
    }
}
