//! Which circuit a request goes through: one for all of them, or that of its tenant and provider.

use std::fmt;
use trip::{Circuit, Error};

/// Which circuit a request goes through. [`Circuit`] is one for all requests, and [`ByRequest`] asks a function.
///
/// ```
/// use trip::{Circuit, Error, Tracker};
/// use trip_tower::Choose;
///
/// /// The circuit of the tenant that a question is from.
/// #[derive(Debug)]
/// struct ByTenant(Tracker);
///
/// impl Choose<(String, u32)> for ByTenant {
///     fn choose(&self, (tenant, _): &(String, u32)) -> Result<Circuit, Error> {
///         self.0.circuit(tenant, "llm")
///     }
/// }
///
/// let by_tenant = ByTenant(Tracker::new(&trip::Config::default())?);
/// assert_eq!(by_tenant.choose(&("acme".into(), 42))?.tenant(), b"acme");
/// # Ok::<_, trip::Error>(())
/// ```
pub trait Choose<Request> {
    /// The circuit of this request.
    ///
    /// # Errors
    /// The library could not say. The request is then made without a permit, and the error told to the function of
    /// [`CircuitLayer::on_error`](crate::CircuitLayer::on_error).
    fn choose(&self, request: &Request) -> Result<Circuit, Error>;
}

impl<Request> Choose<Request> for Circuit {
    fn choose(&self, _: &Request) -> Result<Circuit, Error> {
        Ok(self.clone())
    }
}

/// Asks a function which circuit a request goes through: see [`CircuitLayer::by`](crate::CircuitLayer::by).
#[derive(Clone, Copy)]
pub struct ByRequest<F>(pub(crate) F);

impl<Request, F: Fn(&Request) -> Result<Circuit, Error>> Choose<Request> for ByRequest<F> {
    fn choose(&self, request: &Request) -> Result<Circuit, Error> {
        (self.0)(request)
    }
}

impl<F> fmt::Debug for ByRequest<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByRequest").finish_non_exhaustive()
    }
}
