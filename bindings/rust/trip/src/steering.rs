//! Steering: what an operator does to circuits while they run.

use crate::circuit::Circuit;
use crate::config::Config;
use crate::error::Error;
use crate::selector::{Mode, Scope};
use crate::time::nanoseconds;
use crate::tracker::Tracker;
use crate::{ffi, tally};
use std::time::Duration;

/// A policy of a tracker: the circuits that a [`Config`] is for. A circuit goes by the most specific one that was set,
/// whole: its own, else its tenant's, else its provider's, else the tracker's. Nothing is merged.
///
/// ```
/// # let tracker = trip::Tracker::new(&trip::Config::default())?;
/// let patient = trip::Config::default().failure_threshold(50);
/// tracker.configure(trip::Policy::provider("llm"), &patient)?;
/// tracker.withdraw(trip::Policy::provider("llm"))?;
/// # Ok::<_, trip::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy<'a> {
    scope: Scope,
    tenant: &'a [u8],
    provider: &'a [u8],
}

impl<'a> Policy<'a> {
    /// Of that scope, as an [`Event`](crate::Event) tells it: what does not belong to the scope is empty, or
    /// [`Error::Invalid`] when the policy is used.
    #[must_use]
    pub fn of(
        scope: Scope,
        tenant: &'a (impl AsRef<[u8]> + ?Sized),
        provider: &'a (impl AsRef<[u8]> + ?Sized),
    ) -> Self {
        Policy { scope, tenant: tenant.as_ref(), provider: provider.as_ref() }
    }

    /// Of all circuits that have no other.
    pub const TRACKER: Policy<'static> = Policy { scope: Scope::Tracker, tenant: b"", provider: b"" };

    /// Of the circuits of a provider.
    #[must_use]
    pub fn provider(provider: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Policy::of(Scope::Provider, "", provider)
    }

    /// Of the circuits of a tenant.
    #[must_use]
    pub fn tenant(tenant: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Policy::of(Scope::Tenant, tenant, "")
    }

    /// Of one circuit.
    #[must_use]
    pub fn circuit(tenant: &'a (impl AsRef<[u8]> + ?Sized), provider: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Policy::of(Scope::Circuit, tenant, provider)
    }
}

impl Tracker {
    /// Replaces a policy while calls run; it also holds for circuits that are made later. What circuits have counted
    /// stays, so do levels and deadlines: a lower threshold acts at the next failure, a new lease on probes that are out
    /// too, a new open period at the next opening. A window of another size begins empty. Takes time in proportion to
    /// the circuits of the tracker. May be called by any number of threads.
    ///
    /// # Errors
    /// The policy stays as it was. [`Error::Config`] names the field that is out of range, or cannot be changed while the
    /// tracker lives: [`clock`](Config::clock) and [`max_circuits`](Config::max_circuits) must be the tracker's, and more
    /// than 15 [`half_open_max_probes`](Config::half_open_max_probes) must have been from the beginning.
    /// [`Error::Invalid`]: no such policy, or a tenant or provider is longer than 255 bytes. [`Error::Capacity`]:
    /// `max_circuits` policies exist beside the tracker's. [`Error::Handle`]: the tracker is destroyed. [`Error::NoMemory`].
    pub fn configure(&self, policy: Policy<'_>, config: &Config) -> Result<(), Error> {
        self.set_policy(policy, Some(config))
    }

    /// Withdraws a policy: its circuits go by the next less specific one. The tracker's becomes what it was created with.
    ///
    /// # Errors
    /// [`Error::Invalid`]: no such policy, or a tenant or provider is longer than 255 bytes. [`Error::Handle`]: the tracker
    /// is destroyed. [`Error::NoMemory`].
    pub fn withdraw(&self, policy: Policy<'_>) -> Result<(), Error> {
        self.set_policy(policy, None)
    }

    fn set_policy(&self, policy: Policy<'_>, config: Option<&Config>) -> Result<(), Error> {
        let Policy { scope, tenant, provider } = policy;
        let raw = config.map(|config| config.to_raw());
        ffi::tracker_configure(self.handle(), scope.into(), tenant, provider, raw.as_ref(), Config::field_at)
    }
}

impl Circuit {
    /// Sets who decides about permits: from when this returns, on every thread. While it is forced a circuit keeps its
    /// state, and calls that were admitted before still count in it; what is granted by force is counted by the counters
    /// alone. Another mode, or [`Mode::Auto`], ends this one. A circuit in another mode is not evicted.
    ///
    /// `ttl`: after this the mode is [`Mode::Auto`] again; at most a year; `None`: until it is set again. `reason`: for
    /// people, told by [`explain`](Self::explain) and in the [`Event`](crate::Event); any bytes, at most 255.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let tracker = trip::Tracker::new(&trip::Config::default())?;
    /// # let circuit = tracker.circuit("acme", "llm")?;
    /// circuit.set_mode(trip::Mode::ForcedOpen, Some(Duration::from_secs(600)), "key rotation")?;
    /// let Err(trip::PermitError::Rejected(rejected)) = circuit.permit() else { panic!("it is forced open") };
    /// assert_eq!(rejected.reason, trip::Reason::Forced);
    /// # Ok::<_, trip::Error>(())
    /// ```
    ///
    /// # Errors
    /// Nothing has changed. [`Error::Invalid`]: no such mode, a `ttl` of zero or of more than a year, a reason that is too
    /// long. [`Error::Handle`]: the tracker is destroyed. [`Error::NoMemory`].
    pub fn set_mode(&self, mode: Mode, ttl: Option<Duration>, reason: impl AsRef<[u8]>) -> Result<(), Error> {
        let ttl_ns = ttl.map_or(0, nanoseconds);
        if ttl.is_some() && ttl_ns == 0 {
            return Err(Error::Invalid); // to the library it is no end at all
        }
        self.ask(|circuit| ffi::circuit_set_mode(circuit, mode.into(), ttl_ns, reason.as_ref()))
    }

    /// Opens the circuit now, for the period of its level: the first one if it is closed, else that of the one that goes
    /// on or went before. One that goes on is not shortened. The mode stays as it is. Permits that are out become stale.
    ///
    /// # Errors
    /// [`Error::Handle`]: the tracker is destroyed.
    pub fn trip(&self) -> Result<(), Error> {
        self.ask(ffi::circuit_trip)
    }

    /// Closes the circuit and lets it forget its failures: in a row, in its windows, its level, and what its provider
    /// asked to wait. The counters go on, its mode stays as it is. Permits that are out become stale.
    ///
    /// # Errors
    /// [`Error::Handle`]: the tracker is destroyed.
    pub fn reset(&self) -> Result<(), Error> {
        self.ask(ffi::circuit_reset)
    }

    /// Removes the circuit, such as that of a tenant who is gone; its permits settle as stale. Whoever uses it again, by
    /// this value too, finds it under its key, closed and without history. A policy that was set for it stays.
    ///
    /// # Errors
    /// [`Error::Handle`]: it was removed or evicted before, or the tracker is destroyed.
    pub fn remove(&self) -> Result<(), Error> {
        // The totals of the metrics keep what it has counted.
        tally::hand_in(self.handle());
        ffi::circuit_remove(self.handle())
    }
}
