//! The one module that calls C. Every function here is safe for all arguments: handles may be any value, and the
//! pointers are made here. It translates statuses, and decides nothing.
#![allow(unsafe_code)]

/// A struct that the library writes: empty, and telling its size.
macro_rules! empty {
    ($name:ident) => {{
        const SIZE: usize = size_of::<sys::$name>();
        const { assert!(SIZE <= 4096) };
        #[allow(clippy::cast_possible_truncation)] // asserted above
        let struct_size = SIZE as u32;
        sys::$name { struct_size, ..Default::default() }
    }};
}

mod foreign;
mod operating;
mod policies;

use crate::error::{ConfigError, Error};
use crate::key::Key;
use std::ffi::CStr;
use std::sync::atomic::AtomicU64;
use trip_sys as sys;

pub(crate) use foreign::*;
pub(crate) use operating::*;
pub(crate) use policies::*;

/// Whether a circuit has a lane.
pub(crate) enum Lanes {
    Open(Express),
    /// Not now.
    Closed,
    /// Not under its policy.
    None,
}

/// A lane: what the word of its circuit must be, and the permit that admits its calls.
pub(crate) struct Express {
    pub(crate) word: &'static AtomicU64,
    pub(crate) value: u64,
    pub(crate) admit_mask: u64,
    pub(crate) permit: u64,
}

/// What the library said, in a register; it becomes an [`Error`] where somebody is to be told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status(i32);

impl Status {
    pub(crate) const OK: Status = Status(sys::TRIP_OK);
    pub(crate) const INVALID: Status = Status(sys::TRIP_E_INVALID);

    #[inline]
    pub(crate) fn check(self) -> Result<(), Error> {
        Error::check(self.0)
    }
}

pub(crate) fn abi_version() -> u32 {
    // SAFETY: takes nothing, returns a constant.
    unsafe { sys::trip_abi_version() }
}

pub(crate) fn version() -> &'static str {
    // SAFETY: a constant text that ends with a NUL and is never freed.
    let text = unsafe { CStr::from_ptr(sys::trip_version()) };
    text.to_str().unwrap_or_default()
}

pub(crate) fn status_name(status: i32) -> &'static str {
    // SAFETY: a constant text that ends with a NUL and is never freed.
    let text = unsafe { CStr::from_ptr(sys::trip_status_name(status)) };
    text.to_str().unwrap_or_default()
}

pub(crate) fn has_feature(feature: u32) -> bool {
    // SAFETY: any value is legal.
    unsafe { sys::trip_has_feature(feature) != 0 }
}

/// The library's defaults. Should it refuse to give them, which no library of this major version does, the config stays
/// empty, and no tracker can be created with that.
pub(crate) fn default_config() -> sys::trip_config {
    let mut config = empty!(trip_config);
    // SAFETY: the size is that of the struct.
    unsafe { sys::trip_config_init(&raw mut config, size_of::<sys::trip_config>()) };
    config
}

pub(crate) fn tracker_create(
    config: &sys::trip_config,
    field_at: impl Fn(u32) -> Option<&'static str>,
) -> Result<u64, Error> {
    let mut tracker = 0;
    let mut fault = empty!(trip_error);
    // SAFETY: three valid structs; the library keeps none of the pointers.
    let status = unsafe { sys::trip_tracker_create(config, &raw mut tracker, &raw mut fault) };
    check_config(status, &fault, field_at).map(|()| tracker)
}

/// The status of a function that was given a config.
fn check_config(
    status: i32,
    fault: &sys::trip_error,
    field_at: impl Fn(u32) -> Option<&'static str>,
) -> Result<(), Error> {
    if status == sys::TRIP_E_CONFIG {
        return Err(Error::Config(ConfigError { field: field_at(fault.field_offset), message: message(fault) }));
    }
    Error::check(status)
}

fn message(fault: &sys::trip_error) -> Box<str> {
    let bytes: Vec<u8> = fault.message.iter().map(|byte| byte.to_ne_bytes()[0]).take_while(|&byte| byte != 0).collect();
    String::from_utf8_lossy(&bytes).into()
}

pub(crate) fn tracker_destroy(tracker: u64) -> Result<(), Error> {
    // SAFETY: any value is a legal handle.
    Error::check(unsafe { sys::trip_tracker_destroy(tracker) })
}

pub(crate) fn tracker_circuit(tracker: u64, tenant: &[u8], provider: &[u8]) -> Result<u64, Error> {
    let mut circuit = 0;
    // SAFETY: each pointer comes with the length of its slice, which is never SIZE_MAX; the library copies the bytes.
    Error::check(unsafe {
        sys::trip_tracker_circuit(
            tracker,
            tenant.as_ptr().cast(),
            tenant.len(),
            provider.as_ptr().cast(),
            provider.len(),
            &raw mut circuit,
        )
    })
    .map(|()| circuit)
}

pub(crate) fn tracker_advance(tracker: u64, ns: u64) -> Result<(), Error> {
    // SAFETY: any value is a legal handle.
    Error::check(unsafe { sys::trip_tracker_advance(tracker, ns) })
}

pub(crate) fn no_rejection() -> sys::trip_rejection {
    empty!(trip_rejection)
}

/// A permit, or `None`, and a rejection. That stays where the library writes it: to move it along with the answer, in
/// wider steps than it was written in, would take longer than the rest.
#[inline]
pub(crate) fn circuit_permit(circuit: u64, out_rejection: &mut sys::trip_rejection) -> Result<Option<u64>, Error> {
    let mut permit = 0;
    // SAFETY: any value is a legal handle; both outputs are valid.
    let status = unsafe { sys::trip_circuit_permit(circuit, &raw mut permit, out_rejection) };
    answer(status, permit, out_rejection)
}

/// As [`circuit_permit`], without the permit.
pub(crate) fn circuit_peek(circuit: u64, out_rejection: &mut sys::trip_rejection) -> Result<Option<()>, Error> {
    // SAFETY: any value is a legal handle; the output is valid.
    let status = unsafe { sys::trip_circuit_peek(circuit, out_rejection) };
    answer(status, (), out_rejection)
}

/// Every positive status is an answer other than yes, those too that a later library may add.
#[inline]
fn answer<T>(status: i32, granted: T, out_rejection: &mut sys::trip_rejection) -> Result<Option<T>, Error> {
    if status > sys::TRIP_OK {
        out_rejection.status = status;
        return Ok(None);
    }
    Error::check(status).map(|()| Some(granted))
}

pub(crate) fn circuit_inspect(circuit: u64) -> Result<sys::trip_circuit_info, Error> {
    let mut info = empty!(trip_circuit_info);
    // SAFETY: any value is a legal handle; the output is valid.
    Error::check(unsafe { sys::trip_circuit_inspect(circuit, &raw mut info) }).map(|()| info)
}

pub(crate) fn circuit_key(circuit: u64) -> Result<Key, Error> {
    let mut text = [0_u8; 510];
    let (mut tenant, mut provider) = (0, 0);
    // SAFETY: any value is a legal handle; the capacity is that of the array.
    Error::check(unsafe {
        sys::trip_circuit_key(circuit, text.as_mut_ptr().cast(), text.len(), &raw mut tenant, &raw mut provider)
    })?;
    let (tenant, rest) = text.split_at(tenant);
    Ok(Key::new(tenant, &rest[..provider]))
}

/// The lane of a circuit, if it has one that this crate knows how to use. A mask for successes that leaves bits out
/// would cost every call another step, and no library has one.
pub(crate) fn circuit_express(circuit: u64) -> Lanes {
    let mut express = empty!(trip_express);
    // SAFETY: any value is a legal handle; the output is valid.
    let status = unsafe { sys::trip_circuit_express(circuit, &raw mut express) };
    if status == sys::TRIP_OK && express.layout != sys::TRIP_EXPRESS_LAYOUT_WORD {
        return Lanes::None;
    }
    if status != sys::TRIP_OK || express.mask != u64::MAX {
        return Lanes::Closed;
    }
    // SAFETY: an aligned word in the library's own memory, which stays there while the library is loaded, that is for
    // ever: it cannot be unloaded. All access to it is atomic.
    let word = unsafe { AtomicU64::from_ptr(express.word.cast_mut()) };
    Lanes::Open(Express { word, value: express.value, admit_mask: express.admit_mask, permit: express.permit })
}

pub(crate) fn circuit_count(circuit: u64, permits: u64, successes: u64) -> Result<(), Error> {
    // SAFETY: any value is a legal handle.
    Error::check(unsafe { sys::trip_circuit_count(circuit, permits, successes) })
}

pub(crate) fn permit_record_success(permit: u64) -> Status {
    // SAFETY: any value is a legal handle.
    Status(unsafe { sys::trip_permit_record_success(permit) })
}

pub(crate) fn permit_record_failure(permit: u64) -> Status {
    // SAFETY: any value is a legal handle.
    Status(unsafe { sys::trip_permit_record_failure(permit) })
}

pub(crate) fn no_outcome() -> sys::trip_outcome {
    empty!(trip_outcome)
}

pub(crate) fn permit_record(permit: u64, outcome: &sys::trip_outcome) -> Status {
    // SAFETY: any value is a legal handle; the outcome tells its size.
    Status(unsafe { sys::trip_permit_record(permit, outcome) })
}

pub(crate) fn permit_progress(permit: u64) -> Result<(), Error> {
    // SAFETY: any value is a legal handle.
    Error::check(unsafe { sys::trip_permit_progress(permit) })
}

pub(crate) fn permit_drop(permit: u64) -> Status {
    // SAFETY: any value is a legal handle.
    Status(unsafe { sys::trip_permit_drop(permit) })
}

pub(crate) fn permit_cancel(permit: u64) -> Status {
    // SAFETY: any value is a legal handle.
    Status(unsafe { sys::trip_permit_cancel(permit) })
}

pub(crate) fn permit_inspect(permit: u64) -> Result<sys::trip_permit_info, Error> {
    let mut info = empty!(trip_permit_info);
    // SAFETY: any value is a legal handle; the output is valid.
    Error::check(unsafe { sys::trip_permit_inspect(permit, &raw mut info) }).map(|()| info)
}

pub(crate) fn permit_renew(permit: u64) -> Result<(), Error> {
    // SAFETY: any value is a legal handle.
    Error::check(unsafe { sys::trip_permit_renew(permit) })
}

/// The class of a response; `None` where the library gives none, which it always does.
pub(crate) fn classify_http(http_status: u32, body: &[u8]) -> Option<sys::trip_outcome> {
    let mut outcome = no_outcome();
    // SAFETY: the length is that of the slice, which is never SIZE_MAX; the output is valid.
    let status = unsafe { sys::trip_classify_http(http_status, body.as_ptr().cast(), body.len(), &raw mut outcome) };
    (status == sys::TRIP_OK).then_some(outcome)
}

/// As [`classify_http`], of an errno.
pub(crate) fn classify_errno(sys_errno: i32) -> Option<sys::trip_outcome> {
    let mut outcome = no_outcome();
    // SAFETY: any number is legal; the output is valid.
    let status = unsafe { sys::trip_classify_errno(sys_errno, &raw mut outcome) };
    (status == sys::TRIP_OK).then_some(outcome)
}

/// As [`classify_http`], of a text.
pub(crate) fn classify_text(text: &[u8]) -> Option<sys::trip_outcome> {
    let mut outcome = no_outcome();
    // SAFETY: the length is that of the slice, which is never SIZE_MAX; the output is valid.
    let status = unsafe { sys::trip_classify_text(text.as_ptr().cast(), text.len(), &raw mut outcome) };
    (status == sys::TRIP_OK).then_some(outcome)
}

/// Nanoseconds to wait, or `None` where nothing is said about it.
pub(crate) fn parse_retry_hint(name: &[u8], value: &[u8], now_unix_ns: u64) -> Result<Option<u64>, Error> {
    let mut wait = 0;
    // SAFETY: each pointer comes with the length of its slice, which is never SIZE_MAX; the output is valid.
    let status = unsafe {
        sys::trip_parse_retry_hint(
            name.as_ptr().cast(),
            name.len(),
            value.as_ptr().cast(),
            value.len(),
            now_unix_ns,
            &raw mut wait,
        )
    };
    match status {
        sys::TRIP_OK => Ok(Some(wait)),
        answer if answer > sys::TRIP_OK => Ok(None),
        error => Error::check(error).map(|()| None),
    }
}
