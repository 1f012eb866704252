//! Classification and hints as Rust sees them: its types, and what is no text. What is told is the contract's.

use std::time::{Duration, SystemTime};
use std::{fmt, io};
use trip::classify::{self, Class};
use trip::{parse_retry_hint, InvalidHint};

/// 2026-11-21 18:04:13 UTC
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_284_253)
}

#[test]
fn a_response_tells_class_status_and_wait() {
    let outcome = classify::http(429_u16, r#"{"error":{"message":"Please try again in 20s.","type":"tokens"}}"#);
    assert_eq!((outcome.class, outcome.http_status), (Class::RateLimited, Some(429)));
    assert_eq!((outcome.retry_after, outcome.sys_errno), (Some(Duration::from_secs(20)), None));
    assert_eq!(classify::http(504_u32, []).retry_after, None);
    assert_eq!(classify::http(u32::MAX, "").class, Class::Unknown);
}

#[test]
fn an_io_error_is_classified_by_its_errno() {
    let error = io::Error::from_raw_os_error(111);
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    let outcome = classify::errno(error.raw_os_error().unwrap());
    assert_eq!((outcome.class, outcome.sys_errno, outcome.http_status), (Class::Network, Some(111), None));
    assert_eq!(classify::errno(0).class, Class::Unknown);
    assert_eq!(classify::errno(i32::MIN).sys_errno, Some(i32::MIN));
}

#[test]
fn any_bytes_are_read() {
    let quota = b"{\"error\":{\"message\":\"\xff\xfe\",\"code\":\"insufficient_quota\"}}\0\0";
    assert_eq!(classify::http(429_u16, quota).class, Class::Quota);
    assert_eq!(classify::http(429_u16, [0_u8; 1000]).class, Class::RateLimited);
    assert_eq!(classify::http(429_u16, vec![b'['; 10_000_000]).class, Class::RateLimited);
    assert_eq!(classify::text("\u{fffd} overloaded \0").class, Class::Overloaded);
    assert_eq!(classify::text("").class, Class::Unknown);
}

#[test]
fn a_class_of_a_later_library_is_kept() {
    assert_eq!(Class::from(99), Class::Other(99));
    assert_eq!(u32::from(Class::Other(99)), 99);
}

#[test]
fn a_hint_is_a_duration_or_nothing_or_refused() {
    assert_eq!(parse_retry_hint("retry-after-ms", "1500", now()), Ok(Some(Duration::from_millis(1500))));
    assert_eq!(parse_retry_hint("Retry-After", b"0", now()), Ok(Some(Duration::ZERO)));
    let date = "Sat, 21 Nov 2026 18:04:14 GMT";
    assert_eq!(parse_retry_hint("Retry-After", date, now()), Ok(Some(Duration::from_secs(1))));
    assert_eq!(parse_retry_hint("Date", date, now()), Ok(None));
    for wrong in ["Infinity", "-1", "1e99", "", "5\0", "Fri, 31 Dec 9999 23:59:59 GMT", "Sun, 06 Nov 1994 08:49:37 GMT"]
    {
        assert_eq!(parse_retry_hint("Retry-After", wrong, now()), Err(InvalidHint), "{wrong}");
    }
    assert_eq!(parse_retry_hint("x".repeat(256), "5", now()), Err(InvalidHint));
    assert_eq!(InvalidHint.to_string(), "the hint is no time to wait");
}

#[test]
fn a_clock_that_is_out_of_range_finds_every_date_absurd() {
    let date = "Sat, 21 Nov 2026 18:04:14 GMT";
    let century = Duration::from_secs(100 * 365 * 86400);
    for now in [SystemTime::UNIX_EPOCH - century, SystemTime::UNIX_EPOCH + 10 * century] {
        assert_eq!(parse_retry_hint("Retry-After", date, now), Err(InvalidHint));
        assert_eq!(parse_retry_hint("Retry-After", "5", now), Ok(Some(Duration::from_secs(5))));
    }
}

/// An error that says nothing, of one that does.
#[derive(Debug)]
struct Outer(io::Error);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it did not work")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn an_error_is_what_its_sources_are() {
    let class_of = |source| classify::error(&Outer(source)).class;
    assert_eq!(class_of(io::Error::from_raw_os_error(104)), Class::Network);
    assert_eq!(class_of(io::Error::from_raw_os_error(24)), Class::Unknown, "too many files are the caller's own");
    assert_eq!(class_of(io::Error::other("HTTP 529")), Class::Overloaded);
    assert_eq!(class_of(io::Error::other("who knows")), Class::ServerError);
    assert_eq!(classify::error(&fmt::Error).class, Class::ServerError);
}
