//! The parts around a permit: retries, deduplicators, gates, routes.

use super::{answer, check_config, no_rejection, Status};
use crate::error::Error;
use std::ffi::c_char;
use std::os::fd::{FromRawFd, OwnedFd};
use trip_sys as sys;

/// Room that the first question for a value brings along, on the stack: a short one is copied once.
const SHORT_VALUE: usize = 1024;

/// The defaults of a struct; empty should the library refuse to give them, which no library of this major version does.
macro_rules! defaults {
    ($name:ident, $raw:ident, $init:ident) => {
        pub(crate) fn $name() -> sys::$raw {
            let mut config = empty!($raw);
            // SAFETY: the size is that of the struct.
            unsafe { sys::$init(&raw mut config, size_of::<sys::$raw>()) };
            config
        }
    };
}

defaults!(default_retry_config, trip_retry_config, trip_retry_config_init);
defaults!(default_dedup_config, trip_dedup_config, trip_dedup_config_init);
defaults!(default_gate_config, trip_gate_config, trip_gate_config_init);
defaults!(default_route_config, trip_route_config, trip_route_config_init);
defaults!(default_guard_config, trip_guard_config, trip_guard_config_init);

/// The handle of what was created by a config.
fn created(
    field_at: impl Fn(u32) -> Option<&'static str>,
    create: impl FnOnce(*mut u64, *mut sys::trip_error) -> i32,
) -> Result<u64, Error> {
    let mut handle = 0;
    let mut fault = empty!(trip_error);
    let status = create(&raw mut handle, &raw mut fault);
    check_config(status, &fault, field_at).map(|()| handle)
}

pub(crate) fn retry_create(
    tracker: u64,
    config: &sys::trip_retry_config,
    field_at: impl Fn(u32) -> Option<&'static str>,
) -> Result<u64, Error> {
    // SAFETY: any value is a legal handle; three valid structs, of which the library keeps no pointer.
    created(field_at, |out, fault| unsafe { sys::trip_retry_create(tracker, config, out, fault) })
}

pub(crate) fn retry_destroy(retry: u64) -> Result<(), Error> {
    // SAFETY: any value is a legal handle.
    Error::check(unsafe { sys::trip_retry_destroy(retry) })
}

pub(crate) fn retry_delay_for(retry: u64, attempt: u32) -> Result<u64, Error> {
    let mut delay = 0;
    // SAFETY: any value is a legal handle; the output is valid.
    Error::check(unsafe { sys::trip_retry_delay_for(retry, attempt, &raw mut delay) }).map(|()| delay)
}

pub(crate) fn retry_begin(retry: u64, provider: &[u8]) -> Result<u64, Error> {
    let mut began = 0;
    // SAFETY: any value is a legal handle; the length is that of the slice, which is never SIZE_MAX; the output is
    // valid.
    Error::check(unsafe { sys::trip_retry_begin(retry, provider.as_ptr().cast(), provider.len(), &raw mut began) })
        .map(|()| began)
}

/// The delay, or the status that says why there is to be no further attempt.
pub(crate) fn retry_next(
    retry: u64,
    provider: &[u8],
    attempt: u32,
    began_ns: u64,
    last_delay_ns: u64,
    outcome: &sys::trip_outcome,
) -> Result<u64, i32> {
    let mut delay = 0;
    // SAFETY: any value is a legal handle; the length is that of the slice, which is never SIZE_MAX; the outcome tells
    // its size, and the output is valid.
    let status = unsafe {
        sys::trip_retry_next(
            retry,
            provider.as_ptr().cast(),
            provider.len(),
            attempt,
            began_ns,
            last_delay_ns,
            outcome,
            &raw mut delay,
        )
    };
    if status == sys::TRIP_OK {
        Ok(delay)
    } else {
        Err(status)
    }
}

pub(crate) fn retry_inspect(retry: u64, provider: &[u8]) -> Result<sys::trip_retry_info, Error> {
    let mut info = empty!(trip_retry_info);
    // SAFETY: any value is a legal handle; the length is that of the slice, which is never SIZE_MAX; the output is
    // valid.
    Error::check(unsafe { sys::trip_retry_inspect(retry, provider.as_ptr().cast(), provider.len(), &raw mut info) })
        .map(|()| info)
}

/// What is known of a key.
pub(crate) enum Known {
    Nothing(u64),
    InProgress,
    Value(Vec<u8>),
}

pub(crate) fn dedup_create(
    tracker: u64,
    config: &sys::trip_dedup_config,
    field_at: impl Fn(u32) -> Option<&'static str>,
) -> Result<u64, Error> {
    // SAFETY: any value is a legal handle; three valid structs, of which the library keeps no pointer.
    created(field_at, |out, fault| unsafe { sys::trip_dedup_create(tracker, config, out, fault) })
}

pub(crate) fn dedup_destroy(dedup: u64) -> Result<(), Error> {
    // SAFETY: any value is a legal handle.
    Error::check(unsafe { sys::trip_dedup_destroy(dedup) })
}

pub(crate) fn dedup_check(dedup: u64, key: &[u8]) -> Result<Known, Error> {
    known(|out_ticket, out_value, capacity, out_len| {
        // SAFETY: any value is a legal handle; the length is that of the slice, which is never SIZE_MAX; `known` gives
        // room and its size.
        unsafe {
            sys::trip_dedup_check(dedup, key.as_ptr().cast(), key.len(), out_ticket, out_value, capacity, out_len)
        }
    })
}

/// `timeout_ns` says how long is left, each time that the library is asked.
pub(crate) fn dedup_wait(dedup: u64, key: &[u8], timeout_ns: impl Fn() -> u64) -> Result<Known, Error> {
    known(|out_ticket, out_value, capacity, out_len| {
        // SAFETY: as in `dedup_check`.
        unsafe {
            sys::trip_dedup_wait(
                dedup,
                key.as_ptr().cast(),
                key.len(),
                timeout_ns(),
                out_ticket,
                out_value,
                capacity,
                out_len,
            )
        }
    })
}

/// Asks again with more room while the value has too little, unless something else is said meanwhile.
fn known(ask: impl Fn(*mut u64, *mut c_char, usize, *mut usize) -> i32) -> Result<Known, Error> {
    let (mut ticket, mut length) = (0, 0);
    let mut short = [0_u8; SHORT_VALUE];
    let mut status = ask(&raw mut ticket, short.as_mut_ptr().cast(), short.len(), &raw mut length);
    if status == sys::TRIP_CACHED && length <= short.len() {
        return Ok(Known::Value(short[..length].to_vec()));
    }
    while status == sys::TRIP_CACHED {
        let mut room = vec![0_u8; length];
        status = ask(&raw mut ticket, room.as_mut_ptr().cast(), room.len(), &raw mut length);
        if status == sys::TRIP_CACHED && length <= room.len() {
            room.truncate(length);
            return Ok(Known::Value(room));
        }
    }
    match status {
        sys::TRIP_IN_PROGRESS => Ok(Known::InProgress),
        status => Error::check(status).map(|()| Known::Nothing(ticket)),
    }
}

pub(crate) fn dedup_watch(dedup: u64, key: &[u8]) -> Result<OwnedFd, Error> {
    let mut fd = -1;
    // SAFETY: any value is a legal handle; the length is that of the slice, which is never SIZE_MAX; the output is
    // valid.
    Error::check(unsafe { sys::trip_dedup_watch(dedup, key.as_ptr().cast(), key.len(), &raw mut fd) })?;
    if fd < 0 {
        return Err(Error::System);
    }
    // SAFETY: the library has opened it for its caller, who closes it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

pub(crate) fn dedup_forget(dedup: u64, key: &[u8]) -> Result<(), Error> {
    // SAFETY: any value is a legal handle; the length is that of the slice, which is never SIZE_MAX.
    Error::check(unsafe { sys::trip_dedup_forget(dedup, key.as_ptr().cast(), key.len()) })
}

pub(crate) fn dedup_inspect(dedup: u64) -> Result<sys::trip_dedup_info, Error> {
    let mut info = empty!(trip_dedup_info);
    // SAFETY: any value is a legal handle; the output is valid.
    Error::check(unsafe { sys::trip_dedup_inspect(dedup, &raw mut info) }).map(|()| info)
}

pub(crate) fn ticket_complete(ticket: u64, value: &[u8]) -> Status {
    // SAFETY: any value is a legal handle; the length is that of the slice.
    Status(unsafe { sys::trip_ticket_complete(ticket, value.as_ptr().cast(), value.len()) })
}

pub(crate) fn ticket_fail(ticket: u64) -> Status {
    // SAFETY: any value is a legal handle.
    Status(unsafe { sys::trip_ticket_fail(ticket) })
}

pub(crate) fn ticket_drop(ticket: u64) -> Status {
    // SAFETY: any value is a legal handle.
    Status(unsafe { sys::trip_ticket_drop(ticket) })
}

pub(crate) fn ticket_renew(ticket: u64) -> Result<(), Error> {
    // SAFETY: any value is a legal handle.
    Error::check(unsafe { sys::trip_ticket_renew(ticket) })
}

pub(crate) fn gate_create(
    tracker: u64,
    name: &[u8],
    config: &sys::trip_gate_config,
    field_at: impl Fn(u32) -> Option<&'static str>,
) -> Result<u64, Error> {
    created(field_at, |out, fault| {
        // SAFETY: any value is a legal handle; the length is that of the slice, which is never SIZE_MAX; three valid
        // structs, of which the library keeps no pointer.
        unsafe { sys::trip_gate_create(tracker, name.as_ptr().cast(), name.len(), config, out, fault) }
    })
}

pub(crate) fn gate_destroy(gate: u64) -> Result<(), Error> {
    // SAFETY: any value is a legal handle.
    Error::check(unsafe { sys::trip_gate_destroy(gate) })
}

/// A token, or how full the gate is.
pub(crate) fn gate_acquire(gate: u64) -> Result<Result<u64, sys::trip_shed>, Error> {
    let mut token = 0;
    let mut shed = empty!(trip_shed);
    // SAFETY: any value is a legal handle; both outputs are valid.
    let status = unsafe { sys::trip_gate_acquire(gate, &raw mut token, &raw mut shed) };
    if status > sys::TRIP_OK {
        return Ok(Err(shed));
    }
    Error::check(status).map(|()| Ok(token))
}

pub(crate) fn token_release(token: u64, effect: u32) -> Status {
    // SAFETY: any value is a legal handle.
    Status(unsafe { sys::trip_token_release(token, effect) })
}

pub(crate) fn gate_inspect(gate: u64) -> Result<sys::trip_gate_info, Error> {
    let mut info = empty!(trip_gate_info);
    // SAFETY: any value is a legal handle; the output is valid.
    Error::check(unsafe { sys::trip_gate_inspect(gate, &raw mut info) }).map(|()| info)
}

pub(crate) fn route_create(
    tracker: u64,
    tenant: &[u8],
    config: &sys::trip_route_config,
    field_at: impl Fn(u32) -> Option<&'static str>,
) -> Result<u64, Error> {
    created(field_at, |out, fault| {
        // SAFETY: any value is a legal handle; the length is that of the slice, which is never SIZE_MAX; three valid
        // structs, of which the library keeps no pointer.
        unsafe { sys::trip_route_create(tracker, tenant.as_ptr().cast(), tenant.len(), config, out, fault) }
    })
}

pub(crate) fn route_destroy(route: u64) -> Result<(), Error> {
    // SAFETY: any value is a legal handle.
    Error::check(unsafe { sys::trip_route_destroy(route) })
}

pub(crate) fn route_add(route: u64, provider: &[u8], weight: u32) -> Result<(), Error> {
    // SAFETY: any value is a legal handle; the length is that of the slice, which is never SIZE_MAX.
    Error::check(unsafe { sys::trip_route_add(route, provider.as_ptr().cast(), provider.len(), weight) })
}

/// A permit and whose it is, or the rejection.
pub(crate) fn route_permit(
    route: u64,
    session: &[u8],
    avoid: u64,
) -> Result<Result<(u64, u32), sys::trip_rejection>, Error> {
    let (mut permit, mut index) = (0, 0);
    let mut rejection = no_rejection();
    // SAFETY: any value is a legal handle; the length is that of the slice, which is never SIZE_MAX; the outputs are
    // valid.
    let status = unsafe {
        sys::trip_route_permit(
            route,
            session.as_ptr().cast(),
            session.len(),
            avoid,
            &raw mut permit,
            &raw mut index,
            &raw mut rejection,
        )
    };
    answer(status, (permit, index), &mut rejection).map(|granted| granted.ok_or(rejection))
}

pub(crate) fn route_circuit(route: u64, index: u32) -> Result<u64, Error> {
    let mut circuit = 0;
    // SAFETY: any value is a legal handle; the output is valid.
    Error::check(unsafe { sys::trip_route_circuit(route, index, &raw mut circuit) }).map(|()| circuit)
}
