//! What retries, deduplicators, gates, routes, pipelines and guards have in common: a handle, who destroys it, and the
//! tracker whose clock it goes by.

use crate::error::Error;
use crate::tracker::Tracker;
use std::fmt;

/// Destroyed with the last value that has it, unless it is somebody else's.
pub(crate) struct Part {
    handle: u64,
    destroy: fn(u64) -> Result<(), Error>,
    is_owned: bool,
    /// Kept alive.
    tracker: Option<Tracker>,
}

impl Part {
    pub(crate) fn own(handle: u64, destroy: fn(u64) -> Result<(), Error>, tracker: Option<&Tracker>) -> Self {
        Part { handle, destroy, is_owned: true, tracker: tracker.cloned() }
    }

    pub(crate) fn borrow(handle: u64, destroy: fn(u64) -> Result<(), Error>) -> Self {
        Part { handle, destroy, is_owned: false, tracker: None }
    }

    pub(crate) fn handle(&self) -> u64 {
        self.handle
    }

    pub(crate) fn destroy(&self) -> Result<(), Error> {
        (self.destroy)(self.handle)
    }

    pub(crate) fn tracker(&self) -> Option<&Tracker> {
        self.tracker.as_ref()
    }

    pub(crate) fn show(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("handle", &format_args!("{:#x}", self.handle))
            .field("is_owned", &self.is_owned)
            .finish_non_exhaustive()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.is_owned {
            // It may be destroyed already, by `destroy`; then there is nothing left to do.
            let _ = self.destroy();
        }
    }
}

/// What every type with a `part` can do; and, for those that have nothing else, how it is made of somebody else's
/// handle.
macro_rules! part {
    ($name:ident, $noun:literal, $destroy:path) => {
        $crate::part::part!($name, $noun);

        impl $name {
            #[doc = concat!("The ", $noun, " that somebody else in this process created, in whatever language.")]
            /// It stays theirs. Any value is legal; a wrong one gets [`Error::Handle`](crate::Error::Handle) when it is
            /// used.
            #[must_use]
            pub fn from_handle(handle: u64) -> Self {
                $name { part: std::sync::Arc::new($crate::part::Part::borrow(handle, $destroy)) }
            }
        }
    };

    ($name:ident, $noun:literal) => {
        impl $name {
            #[doc = concat!("The handle, for others in this process. It is good while the ", $noun, " lives.")]
            #[must_use]
            pub fn handle(&self) -> u64 {
                self.part.handle()
            }

            #[doc = concat!("Destroys the ", $noun, " now, though clones of it may be left: they get")]
            /// [`Error::Handle`](crate::Error::Handle) from then on. Safe while others use it.
            ///
            /// # Errors
            /// [`Error::Handle`](crate::Error::Handle): it was destroyed before.
            pub fn destroy(&self) -> Result<(), $crate::error::Error> {
                self.part.destroy()
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.part.show(stringify!($name), f)
            }
        }
    };
}

pub(crate) use part;
