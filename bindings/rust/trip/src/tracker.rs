//! Trackers: who owns the circuits of one config and one clock.

use crate::circuit::Circuit;
use crate::config::Config;
use crate::error::Error;
use crate::key::Key;
use crate::time::nanoseconds;
use crate::{ffi, seat};
use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

/// A set of circuits with one config and one clock.
///
/// Clones are the same tracker. It is destroyed with the last of them and of the circuits got from it; permits do not
/// keep it alive.
///
/// ```
/// let tracker = trip::Tracker::new(&trip::Config::default().failure_threshold(3))?;
/// let same = tracker.clone();
/// same.circuit("acme", "llm")?.trip()?;
/// assert!(tracker.circuit("acme", "llm")?.peek().is_err());
/// # Ok::<_, trip::Error>(())
/// ```
#[derive(Clone)]
pub struct Tracker(Arc<[Arc<Keeper>; KEEPERS]>);

const KEEPERS: usize = 8;

type Reporter = Box<dyn Fn(&Circuit, &Error) + Send + Sync>;

/// What a circuit keeps its tracker alive by. There are several to a tracker, so that threads that look circuits up do
/// not all count their references in one place.
#[repr(align(64))]
pub(crate) struct Keeper(Arc<Kept>);

struct Kept {
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
        Ok(Tracker::keep(Kept { handle, is_owned: true, reporter }))
    }

    /// The tracker that somebody else in this process created, in whatever language. It stays theirs: dropping this one
    /// does not destroy it. Any value is legal; a wrong one gets [`Error::Handle`] when it is used.
    #[must_use]
    pub fn from_handle(handle: u64) -> Self {
        Tracker::keep(Kept { handle, is_owned: false, reporter: None })
    }

    /// The handle, for others in this process. It is good for as long as the tracker lives.
    #[must_use]
    pub fn handle(&self) -> u64 {
        self.kept().handle
    }

    /// The circuit of (tenant, provider), made when it does not exist. Texts are any bytes, at most 255.
    ///
    /// # Errors
    /// [`Error::Invalid`]: a text is too long. [`Error::Capacity`]: the tracker is full of circuits that are open or
    /// probing. [`Error::Handle`]: the tracker is destroyed. [`Error::NoMemory`].
    #[inline]
    pub fn circuit(&self, tenant: impl AsRef<[u8]>, provider: impl AsRef<[u8]>) -> Result<Circuit, Error> {
        let (tenant, provider) = (tenant.as_ref(), provider.as_ref());
        // The key is built first: it is moved along below, and by then what was written in small steps has settled.
        let key = Key::new(tenant, provider);
        let keeper = self.keeper();
        let handle = keeper.find(tenant, provider)?;
        Ok(Circuit::new(Some(Arc::clone(keeper)), handle, key))
    }

    /// Moves a manual clock forward. It stops at five years.
    ///
    /// # Errors
    /// [`Error::Unsupported`]: the clock is not manual. [`Error::Handle`]: the tracker is destroyed.
    pub fn advance(&self, by: Duration) -> Result<(), Error> {
        ffi::tracker_advance(self.handle(), nanoseconds(by))
    }

    /// Destroys the tracker now, though clones of it or circuits may be left: they get [`Error::Handle`] from then on.
    ///
    /// # Errors
    /// [`Error::Handle`]: it was destroyed before.
    pub fn destroy(&self) -> Result<(), Error> {
        ffi::tracker_destroy(self.handle())
    }

    fn keep(kept: Kept) -> Self {
        let kept = Arc::new(kept);
        Tracker(Arc::new(std::array::from_fn(|_| Arc::new(Keeper(Arc::clone(&kept))))))
    }

    /// That of this thread.
    #[inline]
    pub(crate) fn keeper(&self) -> &Arc<Keeper> {
        &self.0[number_of_thread() % KEEPERS]
    }

    fn kept(&self) -> &Kept {
        &self.0[0].0
    }
}

impl Keeper {
    /// The circuit of (tenant, provider), made when it does not exist.
    pub(crate) fn find(&self, tenant: &[u8], provider: &[u8]) -> Result<u64, Error> {
        ffi::tracker_circuit(self.0.handle, tenant, provider)
    }

    pub(crate) fn report(&self, circuit: &Circuit, error: &Error) {
        if let Some(reporter) = &self.0.reporter {
            reporter(circuit, error);
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.is_owned {
            // It may be destroyed already, by `destroy`; then there is nothing left to do.
            let _ = ffi::tracker_destroy(self.handle);
        } else {
            // Its owner goes on looking at it, and sees what we have counted.
            seat::hand_in();
        }
    }
}

/// Threads are numbered as they come.
fn number_of_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
    }
    NUMBER.get().unwrap_or_else(|| {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        NUMBER.set(Some(number));
        number
    })
}

impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker")
            .field("handle", &format_args!("{:#x}", self.handle()))
            .field("is_owned", &self.kept().is_owned)
            .finish_non_exhaustive()
    }
}
