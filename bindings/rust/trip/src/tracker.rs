//! Trackers: who owns the circuits of one config and one clock.

use crate::circuit::Circuit;
use crate::config::{nanoseconds, Config};
use crate::error::Error;
use crate::ffi::{self, Key};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A set of circuits with one config and one clock.
///
/// Clones are the same tracker. It is destroyed with the last of them and of the circuits got from it; permits do not
/// keep it alive.
#[derive(Clone)]
pub struct Tracker(Arc<Shared>);

type Reporter = Box<dyn Fn(&Circuit, &Error) + Send + Sync>;

struct Shared {
    handle: u64,
    is_owned: bool,
    reporter: Option<Reporter>,
}

impl Tracker {
    /// Creates a tracker.
    ///
    /// # Errors
    /// [`Error::Config`] names the field that is out of range; [`Error::Capacity`], [`Error::NoMemory`] and
    /// [`Error::System`] are the machine's.
    pub fn new(config: &Config) -> Result<Self, Error> {
        Self::create(config, None)
    }

    /// Creates a tracker whose library errors are told to `reporter`: those that [`Circuit::call`] and its kin pass
    /// over because they must not keep a call from being made. It is called on the thread that met the error, and must
    /// hold no circuit of this tracker: the two would keep each other alive for ever.
    ///
    /// # Errors
    /// As [`Tracker::new`].
    pub fn with_reporter(
        config: &Config,
        reporter: impl Fn(&Circuit, &Error) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        Self::create(config, Some(Box::new(reporter)))
    }

    fn create(config: &Config, reporter: Option<Reporter>) -> Result<Self, Error> {
        let handle = ffi::tracker_create(&config.to_raw(), Config::field_at)?;
        Ok(Tracker(Arc::new(Shared { handle, is_owned: true, reporter })))
    }

    /// The tracker that somebody else in this process created, in whatever language. It stays theirs: dropping this one
    /// does not destroy it. Any value is legal; a wrong one gets [`Error::Handle`] when it is used.
    #[must_use]
    pub fn from_handle(handle: u64) -> Self {
        Tracker(Arc::new(Shared { handle, is_owned: false, reporter: None }))
    }

    /// The handle, for others in this process. It is good for as long as the tracker lives.
    #[must_use]
    pub fn handle(&self) -> u64 {
        self.0.handle
    }

    /// The circuit of (tenant, provider), made when it does not exist. Texts are any bytes, at most 255.
    ///
    /// # Errors
    /// [`Error::Invalid`]: a text is too long. [`Error::Capacity`]: the tracker is full of circuits that are open or
    /// probing. [`Error::Handle`]: the tracker is destroyed. [`Error::NoMemory`].
    pub fn circuit(&self, tenant: impl AsRef<[u8]>, provider: impl AsRef<[u8]>) -> Result<Circuit, Error> {
        let key = Key { tenant: tenant.as_ref().into(), provider: provider.as_ref().into() };
        let handle = ffi::tracker_circuit(self.0.handle, &key)?;
        Ok(Circuit::new(Some(self.clone()), handle, key))
    }

    /// Moves a manual clock forward. It stops at five years.
    ///
    /// # Errors
    /// [`Error::Unsupported`]: the clock is not manual. [`Error::Handle`]: the tracker is destroyed.
    pub fn advance(&self, by: Duration) -> Result<(), Error> {
        ffi::tracker_advance(self.0.handle, nanoseconds(by))
    }

    /// Destroys the tracker now, though clones of it or circuits may be left: they get [`Error::Handle`] from then on.
    ///
    /// # Errors
    /// [`Error::Handle`]: it was destroyed before.
    pub fn destroy(&self) -> Result<(), Error> {
        ffi::tracker_destroy(self.0.handle)
    }

    pub(crate) fn report(&self, circuit: &Circuit, error: &Error) {
        if let Some(reporter) = &self.0.reporter {
            reporter(circuit, error);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.is_owned {
            // It may be destroyed already, by `destroy`; then there is nothing left to do.
            let _ = ffi::tracker_destroy(self.handle);
        }
    }
}

impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker")
            .field("handle", &format_args!("{:#x}", self.0.handle))
            .field("is_owned", &self.0.is_owned)
            .finish_non_exhaustive()
    }
}
