//! Permits: the right to make one call, settled once.

use crate::classify::{Class, Outcome};
use crate::error::Error;
use crate::ffi::{self, Status};
use crate::lane::{self, Sign};
use std::fmt;
use std::mem;
use std::time::Duration;
use trip_sys as sys;

/// The right to make one call. Settle it by recording how the call went, on any thread; it is gone then.
///
/// Dropped unsettled, by a panic too, it counts as [`Config::on_drop`](crate::Config::on_drop) says: as a failure,
/// unless configured otherwise. It does not keep its tracker alive.
///
/// ```
/// # let tracker = trip::Tracker::new(&trip::Config::default())?;
/// # let circuit = tracker.circuit("acme", "llm")?;
/// if let Some(permit) = circuit.admit().ok().flatten() {
///     permit.record_failure();
/// }
/// assert_eq!(circuit.inspect()?.failures, 1);
/// # Ok::<_, trip::Error>(())
/// ```
#[must_use = "a permit that is dropped counts as a failure, unless the config says otherwise"]
pub struct Permit {
    /// Up while a success teaches the circuit nothing. Of an ordinary permit: never.
    sign: Sign,
    /// That of a lane serves any number of calls; that it is used once for this one is this type's doing.
    handle: u64,
    /// Who granted it, as far as we know; else 0.
    circuit: u64,
}

/// What became of the settlement of a permit, a [`Ticket`](crate::Ticket) or a [`Token`](crate::Token). There is
/// nothing that a caller has to do about it, so that it may be ignored.
///
/// ```
/// # let tracker = trip::Tracker::new(&trip::Config::default())?;
/// # let circuit = tracker.circuit("acme", "llm")?;
/// let late = circuit.admit().ok().flatten().expect("a new circuit is closed");
/// circuit.trip()?;
/// assert_eq!(late.record_success(), trip::Settled::Stale); // which closes nothing
/// # Ok::<_, trip::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Counted by who granted it.
    Counted,
    /// It came too late, and nothing has changed: the circuit of the permit has moved on, which counts it in its
    /// statistics all the same; the lease of the ticket is over; the token was acquired before a fork, by the parent.
    Stale,
    /// Not settled: [`Error::Consumed`], it was settled before, through its handle; [`Error::Handle`], its tracker,
    /// deduplicator or gate is destroyed. [`Error::Invalid`]: the outcome was of no class, and the permit was dropped;
    /// or there is no such effect, and the token was released as by dropping it. [`Error::NoMemory`]: the value of the
    /// ticket could not be kept, and it was settled as by [`Ticket::fail`](crate::Ticket::fail).
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
    #[inline]
    pub fn record_success(self) -> Settled {
        if self.sign.is_up() && lane::count_success(self.circuit) {
            mem::forget(self);
            return Settled::Counted;
        }
        let circuit = self.circuit;
        self.settle(|handle| {
            let status = ffi::permit_record_success(handle);
            if circuit != 0 && status == Status::OK {
                lane::consider(circuit);
            }
            status
        })
    }

    /// The call went so. What that counts as, [`Config::on_auth`](crate::Config::on_auth) and so on say of its class.
    /// What the provider asks to wait, with a class that counts as a failure, keeps the circuit open at least as long.
    ///
    /// ```
    /// # let tracker = trip::Tracker::new(&trip::Config::default())?;
    /// # let circuit = tracker.circuit("acme", "llm")?;
    /// # if let Ok(permit) = circuit.permit() {
    /// permit.record(trip::classify::http(401_u16, "")); // a wrong key: the provider is up
    /// # }
    /// assert_eq!(circuit.inspect()?.successes, 1);
    /// # Ok::<_, trip::Error>(())
    /// ```
    pub fn record(self, outcome: impl Into<Outcome>) -> Settled {
        let outcome = outcome.into();
        let succeeds = outcome.class == Class::Success;
        if succeeds && self.sign.is_up() {
            return self.record_success(); // while there is a lane nobody asks for how long calls take
        }
        let (circuit, raw) = (self.circuit, outcome.to_raw());
        self.settle(|handle| {
            let status = ffi::permit_record(handle, &raw);
            if status == Status::INVALID {
                ffi::permit_drop(handle);
            }
            if succeeds && circuit != 0 && status == Status::OK {
                lane::consider(circuit);
            }
            status
        })
    }

    /// The provider failed.
    #[inline]
    pub fn record_failure(self) -> Settled {
        self.settle(ffi::permit_record_failure)
    }

    /// The call never told us anything about the provider: it was not made, or its caller gave up. Changes no failure
    /// count, and frees a probe.
    #[inline]
    pub fn cancel(self) -> Settled {
        self.settle(ffi::permit_cancel)
    }

    /// Nobody will record this permit: what dropping it does, with an answer.
    #[inline]
    pub fn abandon(self) -> Settled {
        self.settle(ffi::permit_drop)
    }

    /// Starts the lease of a probe again, for a call that takes long. Does nothing for a permit that is no probe.
    ///
    /// # Errors
    /// None of them is a reason to give up the call. [`Error::Stale`]: the circuit has moved on. [`Error::Capacity`]:
    /// the lease cannot be extended any further. [`Error::Consumed`], [`Error::Handle`]: the permit is gone.
    pub fn renew(&self) -> Result<(), Error> {
        ffi::permit_renew(self.handle)
    }

    /// A long response goes on: at its first token, and as often after it as the caller likes. A probe whose response
    /// has begun counts as a success at once and frees its place.
    ///
    /// # Errors
    /// None of them is a reason to give up the call. [`Error::Stale`]: the circuit has moved on, or the stream was
    /// silent for longer than [`Config::stall`](crate::Config::stall). [`Error::Consumed`], [`Error::Handle`]: the
    /// permit is gone.
    pub fn progress(&self) -> Result<(), Error> {
        ffi::permit_progress(self.handle)
    }

    /// Whether it is a probe, and how much of its lease is left, so that nobody need probe with their longest call.
    ///
    /// # Errors
    /// [`Error::Stale`]: the circuit has moved on. [`Error::Consumed`], [`Error::Handle`]: the permit is gone.
    pub fn inspect(&self) -> Result<PermitInfo, Error> {
        ffi::permit_inspect(self.handle).map(|raw| PermitInfo::from(&raw))
    }

    /// Gives the permit away, to others in this process: whoever has the handle settles it.
    ///
    /// When the circuit has moved on since the permit was granted, the handle may settle as stale more than once, each
    /// time being counted: it is then that of all calls which the circuit admitted in its last healthy days.
    #[must_use = "nobody else can settle this permit"]
    pub fn into_handle(self) -> u64 {
        let handle = if self.sign.is_of_a_lane() { self.exchange() } else { self.handle };
        mem::forget(self);
        handle
    }

    /// Takes over a permit. Any value is legal; a wrong one gets [`Error::Handle`] or [`Error::Consumed`] when it is
    /// used.
    pub fn from_handle(handle: u64) -> Self {
        Permit::ordinary(handle, 0)
    }

    #[inline]
    pub(crate) fn express(sign: Sign, handle: u64, circuit: u64) -> Self {
        Permit { sign, handle, circuit }
    }

    pub(crate) fn ordinary(handle: u64, circuit: u64) -> Self {
        Permit { sign: Sign::none(), handle, circuit }
    }

    /// A handle for this call alone instead of the lane's, which counts for itself from now on as any other does.
    fn exchange(&self) -> u64 {
        let own = self.permit_like_this();
        lane::take_back_permit(self.circuit);
        own.unwrap_or(self.handle)
    }

    /// One of the same epoch, that is granted while the lane's is current, before and after. One of another epoch would
    /// be no match: ours is stale then.
    fn permit_like_this(&self) -> Option<u64> {
        self.renew().ok()?;
        let own = ffi::circuit_permit(self.circuit, &mut ffi::no_rejection()).ok()??;
        if self.renew().is_err() {
            ffi::permit_cancel(own);
            return None;
        }
        Some(own)
    }

    #[inline]
    fn settle(self, tell: impl FnOnce(u64) -> Status) -> Settled {
        let Permit { sign, handle, circuit } = self;
        mem::forget(self);
        Settled::of(settle(sign, handle, circuit, tell))
    }
}

impl Settled {
    #[inline]
    pub(crate) fn of(status: Status) -> Self {
        match status.check() {
            Ok(()) => Settled::Counted,
            Err(Error::Stale) => Settled::Stale,
            Err(error) => Settled::Failed(error),
        }
    }
}

/// Tells the library. By parts and with a plain status, all in registers: a permit whose address is taken would lie in
/// memory on the lane too.
#[inline(never)]
fn settle(sign: Sign, handle: u64, circuit: u64, tell: impl FnOnce(u64) -> Status) -> Status {
    let status = tell(handle);
    if sign.is_of_a_lane() {
        lane::take_back_permit(circuit);
    }
    status
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        // A destructor has nobody to tell, and a permit that cannot be settled any more needs nothing.
        settle(self.sign, self.handle, self.circuit, ffi::permit_drop);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("handle", &format_args!("{:#x}", self.handle)).finish_non_exhaustive()
    }
}

impl From<&sys::trip_permit_info> for PermitInfo {
    fn from(raw: &sys::trip_permit_info) -> Self {
        PermitInfo { is_probe: raw.is_probe != 0, lease_left: Duration::from_nanos(raw.lease_left_ns) }
    }
}
