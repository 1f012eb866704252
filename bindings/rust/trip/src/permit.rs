//! Permits: the right to make one call, settled once.

use crate::error::Error;
use crate::ffi::{self, Settlement};
use std::mem;
use std::time::Duration;
use trip_sys as sys;

/// The right to make one call. Settle it by recording how the call went, on any thread; it is gone then.
///
/// Dropped unsettled, by a panic too, it counts as [`Config::on_drop`](crate::Config::on_drop) says: as a failure,
/// unless configured otherwise. It is nothing but a handle, and does not keep its tracker alive.
#[derive(Debug)]
#[must_use = "a permit that is dropped counts as a failure, unless the config says otherwise"]
pub struct Permit {
    handle: u64,
}

/// What became of a settlement. There is nothing that a caller has to do about it, so that it may be ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Counted by the circuit that granted the permit.
    Counted,
    /// Counted in the statistics, but the circuit has moved on and no state has changed.
    Stale,
    /// Not settled: [`Error::Consumed`], it was settled before, through its handle; [`Error::Handle`], its tracker is
    /// destroyed.
    Failed(Error),
}

/// A permit seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PermitInfo {
    /// This call decides whether the circuit closes; otherwise it is one of many.
    pub is_probe: bool,
    /// A probe must be settled or renewed within this. Zero for a permit that is no probe.
    pub lease_left: Duration,
}

impl Permit {
    /// The provider answered as it should.
    pub fn record_success(self) -> Settled {
        self.settle(Settlement::Success)
    }

    /// The provider failed.
    pub fn record_failure(self) -> Settled {
        self.settle(Settlement::Failure)
    }

    /// The call never told us anything about the provider: it was not made, or its caller gave up. Changes no failure
    /// count, and frees a probe.
    pub fn cancel(self) -> Settled {
        self.settle(Settlement::Cancel)
    }

    /// Nobody will record this permit: what dropping it does, with an answer.
    pub fn abandon(self) -> Settled {
        self.settle(Settlement::Drop)
    }

    /// Starts the lease of a probe again, for a call that takes long. Does nothing for a permit that is no probe.
    ///
    /// # Errors
    /// None of them is a reason to give up the call. [`Error::Stale`]: the circuit has moved on. [`Error::Capacity`]:
    /// the lease cannot be extended any further. [`Error::Consumed`], [`Error::Handle`]: the permit is gone.
    pub fn renew(&self) -> Result<(), Error> {
        ffi::permit_renew(self.handle)
    }

    /// Whether it is a probe, and how much of its lease is left, so that nobody need probe with their longest call.
    ///
    /// # Errors
    /// [`Error::Stale`]: the circuit has moved on. [`Error::Consumed`], [`Error::Handle`]: the permit is gone.
    pub fn inspect(&self) -> Result<PermitInfo, Error> {
        ffi::permit_inspect(self.handle).map(|raw| PermitInfo::from(&raw))
    }

    /// Gives the permit away, to others in this process: whoever has the handle settles it.
    #[must_use = "nobody else can settle this permit"]
    pub fn into_handle(self) -> u64 {
        let handle = self.handle;
        mem::forget(self);
        handle
    }

    /// Takes over a permit. Any value is legal; a wrong one gets [`Error::Handle`] or [`Error::Consumed`] when it is
    /// used.
    pub fn from_handle(handle: u64) -> Self {
        Permit { handle }
    }

    fn settle(self, settlement: Settlement) -> Settled {
        match ffi::permit_settle(self.into_handle(), settlement) {
            Ok(()) => Settled::Counted,
            Err(Error::Stale) => Settled::Stale,
            Err(error) => Settled::Failed(error),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // A destructor has nobody to tell, and a permit that cannot be settled any more needs nothing.
        let _ = ffi::permit_settle(self.handle, Settlement::Drop);
    }
}

impl From<&sys::trip_permit_info> for PermitInfo {
    fn from(raw: &sys::trip_permit_info) -> Self {
        PermitInfo { is_probe: raw.is_probe != 0, lease_left: Duration::from_nanos(raw.lease_left_ns) }
    }
}
