//! What kind of success or failure a call was: by the status and body of a response, by an errno, or by the text of an
//! error. The same answers in every language; docs/classification.md of libtrip has the tables.
//!
//! ```
//! use trip::classify::{self, Class};
//!
//! let body = r#"{"error": {"message": "Please try again in 20s.", "code": "rate_limit_exceeded"}}"#;
//! let outcome = classify::http(429_u16, body);
//! assert_eq!(outcome.class, Class::RateLimited);
//! assert_eq!(outcome.retry_after, Some(std::time::Duration::from_secs(20)));
//!
//! assert_eq!(classify::text("max_tokens must be <= 500").class, Class::Unknown);
//! ```

use crate::ffi;
pub use crate::selector::Class;
use crate::time::nanoseconds;
use std::error::Error;
use std::time::Duration;
use std::{io, iter};
use trip_sys as sys;

/// How a call went: what a classification tells, or what a program knows by itself.
///
/// ```
/// use std::time::Duration;
/// use trip::classify::{self, Class, Outcome};
///
/// let slow = Outcome::new(Class::Success).duration(Duration::from_secs(40));
/// let limited = classify::http(429_u16, "").retry_after(Duration::from_secs(20));
/// assert_eq!((slow.class, limited.class), (Class::Success, Class::RateLimited));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// What kind of success or failure it was.
    pub class: Class,
    /// The status of the response, or the one that a text names.
    pub http_status: Option<u32>,
    /// The error of the system or, negative, of the resolver.
    pub sys_errno: Option<i32>,
    /// What the provider asks to wait, where the body or the text says so.
    pub retry_after: Option<Duration>,
    /// How long the call took; no classification knows that.
    pub duration: Option<Duration>,
}

impl Outcome {
    /// One of which nothing is known but its class.
    #[must_use]
    pub const fn new(class: Class) -> Self {
        Outcome { class, http_status: None, sys_errno: None, retry_after: None, duration: None }
    }

    /// With what the provider asks to wait, where a header says it: see [`parse_retry_hint`](crate::parse_retry_hint).
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// With how long the call took. Without, the library takes the time since the permit.
    #[must_use]
    pub const fn duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    pub(crate) fn to_raw(self) -> sys::trip_outcome {
        let mut raw = ffi::no_outcome();
        raw.status_class = self.class.into();
        raw.http_status = self.http_status.unwrap_or(0);
        raw.sys_errno = self.sys_errno.unwrap_or(0);
        raw.retry_after_ns = self.retry_after.map_or(0, nanoseconds);
        raw.duration_ns = self.duration.map_or(0, nanoseconds);
        raw
    }

    fn of(told: Option<sys::trip_outcome>) -> Self {
        let told = told.unwrap_or(sys::trip_outcome { status_class: sys::TRIP_CLASS_UNKNOWN, ..Default::default() });
        Outcome {
            class: Class::from(told.status_class),
            http_status: (told.http_status != 0).then_some(told.http_status),
            sys_errno: (told.sys_errno != 0).then_some(told.sys_errno),
            retry_after: (told.retry_after_ns != 0).then(|| Duration::from_nanos(told.retry_after_ns)),
            duration: None,
        }
    }
}

impl From<Class> for Outcome {
    fn from(class: Class) -> Self {
        Outcome::new(class)
    }
}

impl From<&Outcome> for Outcome {
    fn from(outcome: &Outcome) -> Self {
        *outcome
    }
}

/// The class of a response, by its status and by the error in its body, as much of it as there is.
///
/// A status of 200 to 299 is a success unless the body is an error object or an event stream with one. Where nobody
/// knows the status it is 0, and the body alone decides: as for the error of a single event.
///
/// ```
/// use trip::classify::{http, Class};
///
/// assert_eq!(http(529_u16, "").class, Class::Overloaded);
/// assert_eq!(http(200_u16, r#"{"error": {"type": "overloaded_error"}}"#).class, Class::Overloaded);
/// assert_eq!(http(429_u16, r#"{"error": {"code": "insufficient_quota"}}"#).class, Class::Quota);
/// ```
#[must_use]
pub fn http(status: impl Into<u32>, body: impl AsRef<[u8]>) -> Outcome {
    Outcome::of(ffi::classify_http(status.into(), body.as_ref()))
}

/// The class of an error of the system, such as [`std::io::Error::raw_os_error`] gives, or of the resolver: one of the
/// `EAI_*` values, negative as they are.
///
/// 0 and errors of the caller's own machine, such as `EMFILE`, are [`Class::Unknown`]: the provider was not asked.
///
/// ```
/// let refused = std::io::Error::from_raw_os_error(111); // ECONNREFUSED, on Linux
/// let outcome = trip::classify::errno(refused.raw_os_error().unwrap_or(0));
/// assert_eq!(outcome.class, trip::classify::Class::Network);
/// ```
#[must_use]
pub fn errno(sys_errno: i32) -> Outcome {
    Outcome::of(ffi::classify_errno(sys_errno))
}

/// The class of a call of which nothing is left but the text of its error: the last resort.
///
/// Whole words are compared, and a number counts as an HTTP status only where the words around it say that it is one.
///
/// ```
/// let outcome = trip::classify::text("the request timed out");
/// assert_eq!(outcome.class, trip::classify::Class::Timeout);
/// ```
#[must_use]
pub fn text(text: impl AsRef<[u8]>) -> Outcome {
    Outcome::of(ffi::classify_text(text.as_ref()))
}

/// The class of an error of Rust's, by the first error of the system among its sources, or else by its texts, from the
/// outermost to the innermost. One of which neither tells anything is [`Class::ServerError`], as every error of
/// [`Circuit::call`](crate::Circuit::call) is: the call has failed, and nobody knows why.
///
/// ```
/// use std::io;
/// use trip::classify::{self, Class};
///
/// assert_eq!(classify::error(&io::Error::from_raw_os_error(111)).class, Class::Network); // refused, on Linux
/// assert_eq!(classify::error(&io::Error::from(io::ErrorKind::TimedOut)).class, Class::Timeout);
/// assert_eq!(classify::error(&io::Error::other("HTTP 529")).class, Class::Overloaded);
/// assert_eq!(classify::error(&io::Error::other("something else")).class, Class::ServerError);
/// ```
#[must_use]
pub fn error(error: &(dyn Error + 'static)) -> Outcome {
    let sources = || iter::successors(Some(error), |&error| error.source());
    let of_system = |error: &(dyn Error + 'static)| error.downcast_ref::<io::Error>()?.raw_os_error();
    if let Some(number) = sources().find_map(of_system) {
        return errno(number);
    }
    let told = sources().map(|error| text(error.to_string())).find(|told| told.class != Class::Unknown);
    told.unwrap_or(Class::ServerError.into())
}
