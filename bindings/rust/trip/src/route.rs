//! Routes: the providers that a tenant's calls may go to, and who of them is called now.

use crate::circuit::Circuit;
use crate::error::Error;
use crate::ffi;
use crate::fields::config;
use crate::key::Key;
use crate::part::{part, Part};
use crate::permit::Permit;
use crate::rejection::{PermitError, Rejected};
use crate::selector::{Fallback, Order};
use crate::tracker::Tracker;
use std::array;
use std::sync::{Arc, OnceLock};

/// So many providers a route has at most: as many as [`Route::permit`] can be told to avoid.
const PROVIDERS: usize = 64;

config! {
    /// How a route chooses. Begins with the library's defaults; change what you want changed.
    ///
    /// ```
    /// let config = trip::RouteConfig::default().order(trip::Order::Weighted);
    /// assert_eq!(config.fallback, trip::Fallback::Refuse);
    /// ```
    RouteConfig: trip_route_config = ffi::default_route_config {
        /// Which provider comes first: as they are listed, by default.
        order: Order = order,
        /// What becomes of a call that all refuse: it is refused, by default.
        fallback: Fallback = fallback,
        /// Of what is drawn. 0, the default: another in each process.
        seed: u64 = seed,
    }
}

/// The providers that a tenant's calls may go to.
///
/// Clones are the same route. It is destroyed with the last of them; it keeps its tracker alive.
///
/// ```
/// # let tracker = trip::Tracker::new(&trip::Config::default().failure_threshold(1))?;
/// let route = tracker.route("acme", &trip::RouteConfig::default())?;
/// route.add("openai", 1)?;
/// route.add("anthropic", 1)?;
/// tracker.circuit("acme", "openai")?.trip()?;
///
/// let Ok(routed) = route.permit("", 0) else { panic!("one of them is there") };
/// assert_eq!(routed.index, 1);
/// routed.permit.record_success();
/// # Ok::<_, trip::Error>(())
/// ```
#[derive(Clone)]
pub struct Route {
    part: Arc<Part>,
    names: Arc<Names>,
}

part!(Route, "route");

/// What has been asked for once: it never changes.
struct Names {
    tenant: OnceLock<Arc<[u8]>>,
    providers: [OnceLock<Arc<[u8]>>; PROVIDERS],
}

/// A permit, and whose.
#[derive(Debug)]
#[must_use = "the permit is dropped with this, and counts as a failure unless the config says otherwise"]
#[non_exhaustive]
pub struct Routed {
    /// The right to make one call.
    pub permit: Permit,
    /// To whom: 0 for the provider that was added first.
    pub index: u32,
}

impl Tracker {
    /// A route of a tenant, without providers yet, which asks the circuits of this tracker.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the tenant is longer than 255 bytes. [`Error::Config`] names the field that is out of range;
    /// [`Error::Handle`]: the tracker is destroyed. [`Error::Capacity`], [`Error::NoMemory`] and [`Error::System`] are
    /// the machine's.
    pub fn route(&self, tenant: impl AsRef<[u8]>, config: &RouteConfig) -> Result<Route, Error> {
        let tenant = tenant.as_ref();
        let handle = ffi::route_create(self.handle(), tenant, &config.to_raw(), RouteConfig::field_at)?;
        let names = Names::new(OnceLock::from(Arc::from(tenant)));
        Ok(Route { part: Arc::new(Part::own(handle, ffi::route_destroy, Some(self))), names })
    }
}

impl Route {
    /// The route that somebody else in this process created, in whatever language. It stays theirs. Any value is legal;
    /// a wrong one gets [`Error::Handle`] when it is used.
    #[must_use]
    pub fn from_handle(handle: u64) -> Self {
        Route { part: Arc::new(Part::borrow(handle, ffi::route_destroy)), names: Names::new(OnceLock::new()) }
    }

    /// Adds a provider, behind those that are there. Its weight is its share of the calls, to those of the others,
    /// where providers are drawn or sessions are spread over them.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the weight is not from 1 to 1000000, the provider is longer than 255 bytes, or is on the
    /// route already. [`Error::Capacity`]: 64 providers are. [`Error::Handle`]: the route is destroyed.
    /// [`Error::NoMemory`].
    pub fn add(&self, provider: impl AsRef<[u8]>, weight: u32) -> Result<(), Error> {
        ffi::route_add(self.handle(), provider.as_ref(), weight)
    }

    /// A permit of the first provider whose circuit admits the call. Calls of a session go to the same provider as long
    /// as it admits them, in every process and on every machine, whatever the order is; an empty session keeps nothing
    /// together. Providers of which `avoid` has the bit, `1 << index`, are asked last.
    ///
    /// # Errors
    /// [`PermitError::Rejected`]: all refuse, and this is what the circuit says that will admit a call soonest; its
    /// [`provider`](Rejected::provider) is empty. [`PermitError::Failed`]: [`Error::Invalid`], the session is longer
    /// than 255 bytes, or the route has no providers; [`Error::Handle`], the route or its tracker is destroyed;
    /// [`Error::Capacity`], 1048576 permits are out, or no circuit could be made; [`Error::NoMemory`].
    pub fn permit(&self, session: impl AsRef<[u8]>, avoid: u64) -> Result<Routed, PermitError> {
        match ffi::route_permit(self.handle(), session.as_ref(), avoid)? {
            Ok((permit, index)) => Ok(Routed { permit: Permit::ordinary(permit, 0), index }),
            Err(rejection) => {
                let tenant = self.tenant().unwrap_or_default();
                Err(PermitError::Rejected(Rejected::of_route(&Key::new(&tenant, b""), &rejection)))
            }
        }
    }

    /// The circuit of a provider: 0 for the one that was added first.
    ///
    /// # Errors
    /// [`Error::Invalid`]: so many are not on the route. [`Error::Handle`]: the route or its tracker is destroyed.
    /// [`Error::Capacity`]: no circuit could be made. [`Error::NoMemory`].
    pub fn circuit(&self, index: u32) -> Result<Circuit, Error> {
        let handle = ffi::route_circuit(self.handle(), index)?;
        let keeper = self.part.tracker().map(|tracker| Arc::clone(tracker.keeper()));
        Ok(Circuit::new(keeper, handle, ffi::circuit_key(handle)?))
    }

    /// The name of a provider: 0 for the one that was added first.
    ///
    /// # Errors
    /// As [`circuit`](Self::circuit).
    pub fn provider(&self, index: u32) -> Result<Arc<[u8]>, Error> {
        let place = usize::try_from(index).ok().and_then(|index| self.names.providers.get(index));
        let place = place.ok_or(Error::Invalid)?;
        if let Some(name) = place.get() {
            return Ok(Arc::clone(name));
        }
        let circuit = self.circuit(index)?;
        Ok(Arc::clone(place.get_or_init(|| circuit.provider().into())))
    }

    fn tenant(&self) -> Result<Arc<[u8]>, Error> {
        if let Some(tenant) = self.names.tenant.get() {
            return Ok(Arc::clone(tenant));
        }
        let circuit = self.circuit(0)?;
        Ok(Arc::clone(self.names.tenant.get_or_init(|| circuit.tenant().into())))
    }
}

impl Names {
    fn new(tenant: OnceLock<Arc<[u8]>>) -> Arc<Self> {
        Arc::new(Names { tenant, providers: array::from_fn(|_| OnceLock::new()) })
    }
}
