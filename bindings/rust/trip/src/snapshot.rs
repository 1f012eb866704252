//! Snapshots: circuits that outlive their process.

use crate::error::Error;
use crate::time::unix_nanoseconds;
use crate::tracker::Tracker;
use crate::{ffi, tally};
use std::time::SystemTime;

/// To the library: the system's.
const TODAY: u64 = 0;

impl Tracker {
    /// Everything that the circuits know and that outlives their process: states, failures in a row, levels, how long
    /// they stay open, counters, modes with their reasons. Not their policies, windows and permits. The bytes begin with
    /// the version of their layout, are the same on every machine, and end with a checksum.
    ///
    /// ```
    /// # let config = trip::Config::default();
    /// # let tracker = trip::Tracker::new(&config)?;
    /// # tracker.circuit("acme", "llm")?.trip()?;
    /// let bytes = tracker.snapshot()?;
    /// let restarted = trip::Tracker::new(&config)?;
    /// restarted.restore(&bytes)?;
    /// assert_eq!(restarted.circuit("acme", "llm")?.inspect()?.state, trip::State::Open);
    /// # Ok::<_, trip::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Handle`]: the tracker is destroyed.
    pub fn snapshot(&self) -> Result<Vec<u8>, Error> {
        self.take_snapshot(TODAY)
    }

    /// [`snapshot`](Self::snapshot) with a time of day of the caller's, which the bytes keep.
    ///
    /// # Errors
    /// As [`snapshot`](Self::snapshot).
    pub fn snapshot_at(&self, now: SystemTime) -> Result<Vec<u8>, Error> {
        self.take_snapshot(time_of_day(now))
    }

    /// Brings the circuits of a snapshot into this tracker, as if they had been there all the time: open ones stay open
    /// for what is left of their period by the time of day, half-open ones may be probed at once, modes end when they
    /// would have. A circuit that is there already becomes what the snapshot says, and its counters grow by what it had
    /// counted; others stay as they are. Either all of it happens, or nothing.
    ///
    /// # Errors
    /// Nothing has changed. [`Error::Snapshot`]: the bytes are damaged, cut off, or no snapshot. [`Error::TooNew`]: a later
    /// library has written them. [`Error::Capacity`]: with them there would be more than
    /// [`max_circuits`](crate::Config::max_circuits). [`Error::Handle`]: the tracker is destroyed. [`Error::NoMemory`].
    pub fn restore(&self, bytes: &[u8]) -> Result<(), Error> {
        ffi::tracker_restore(self.handle(), TODAY, bytes)
    }

    /// [`restore`](Self::restore) with a time of day of the caller's. Where it is before that of the snapshot no time has
    /// passed.
    ///
    /// # Errors
    /// As [`restore`](Self::restore).
    pub fn restore_at(&self, bytes: &[u8], now: SystemTime) -> Result<(), Error> {
        ffi::tracker_restore(self.handle(), time_of_day(now), bytes)
    }

    fn take_snapshot(&self, now_unix_ns: u64) -> Result<Vec<u8>, Error> {
        tally::hand_in_all();
        ffi::tracker_snapshot(self.handle(), now_unix_ns)
    }
}

/// No time of day of the caller's means the system's.
fn time_of_day(now: SystemTime) -> u64 {
    unix_nanoseconds(now).max(TODAY + 1)
}
