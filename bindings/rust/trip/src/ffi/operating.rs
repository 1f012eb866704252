//! What operators call: steering, seeing, snapshots.

use super::{check_config, message};
use crate::error::Error;
use std::os::fd::{BorrowedFd, OwnedFd};
use trip_sys as sys;

/// The bytes that the texts of one event have at most.
pub(crate) const EVENT_TEXT: usize = 765;

pub(crate) fn circuit_set_mode(circuit: u64, mode: u32, ttl_ns: u64, reason: &[u8]) -> Result<(), Error> {
    // SAFETY: any value is a legal handle; the length is that of the slice, which is never SIZE_MAX.
    Error::check(unsafe { sys::trip_circuit_set_mode(circuit, mode, ttl_ns, reason.as_ptr().cast(), reason.len()) })
}

pub(crate) fn circuit_trip(circuit: u64) -> Result<(), Error> {
    // SAFETY: any value is a legal handle.
    Error::check(unsafe { sys::trip_circuit_trip(circuit) })
}

pub(crate) fn circuit_reset(circuit: u64) -> Result<(), Error> {
    // SAFETY: any value is a legal handle.
    Error::check(unsafe { sys::trip_circuit_reset(circuit) })
}

pub(crate) fn circuit_remove(circuit: u64) -> Result<(), Error> {
    // SAFETY: any value is a legal handle.
    Error::check(unsafe { sys::trip_circuit_remove(circuit) })
}

/// Without a config the policy is withdrawn.
pub(crate) fn tracker_configure(
    tracker: u64,
    scope: u32,
    tenant: &[u8],
    provider: &[u8],
    config: Option<&sys::trip_config>,
    field_at: impl Fn(u32) -> Option<&'static str>,
) -> Result<(), Error> {
    let mut fault = empty!(trip_error);
    // SAFETY: each pointer comes with the length of its slice, which is never SIZE_MAX; the config is null or a valid
    // struct, the output is one; the library keeps none of the pointers.
    let status = unsafe {
        sys::trip_tracker_configure(
            tracker,
            scope,
            tenant.as_ptr().cast(),
            tenant.len(),
            provider.as_ptr().cast(),
            provider.len(),
            config.map_or(std::ptr::null(), std::ptr::from_ref),
            &raw mut fault,
        )
    };
    check_config(status, &fault, field_at)
}

/// How many handles of circuits behind `after` were written.
pub(crate) fn tracker_circuits(tracker: u64, after: u64, out_circuits: &mut [u64]) -> Result<usize, Error> {
    let mut count = 0;
    let info_size = size_of::<sys::trip_circuit_info>();
    // SAFETY: any values are legal handles; the capacity is that of the slice; there is no room for infos.
    Error::check(unsafe {
        sys::trip_tracker_circuits(
            tracker,
            after,
            out_circuits.as_mut_ptr(),
            std::ptr::null_mut(),
            info_size,
            out_circuits.len(),
            &raw mut count,
        )
    })
    .map(|()| count)
}

pub(crate) fn circuit_explain(circuit: u64) -> Result<Vec<u8>, Error> {
    written(4096, |out, capacity, out_len| {
        // SAFETY: any value is a legal handle; `written` gives room and its size.
        unsafe { sys::trip_circuit_explain(circuit, out, capacity, out_len) }
    })
}

/// How many events were written, and how many the tracker has ever lost.
pub(crate) fn tracker_events(
    tracker: u64,
    out_events: &mut [sys::trip_event],
    out_text: &mut [u8],
) -> Result<(usize, u64), Error> {
    let (mut count, mut lost) = (0, 0);
    // SAFETY: any value is a legal handle; the capacities are those of the slices.
    Error::check(unsafe {
        sys::trip_tracker_events(
            tracker,
            out_events.as_mut_ptr(),
            size_of::<sys::trip_event>(),
            out_events.len(),
            out_text.as_mut_ptr().cast(),
            out_text.len(),
            &raw mut count,
            &raw mut lost,
        )
    })
    .map(|()| (count, lost))
}

/// A copy of the tracker's descriptor.
pub(crate) fn tracker_event_fd(tracker: u64) -> Result<OwnedFd, Error> {
    let fd = event_fd(tracker)?;
    // SAFETY: it was open a moment ago. Whoever destroys the tracker now closes it, and its number may become somebody
    // else's: then it is theirs that was copied, the tracker is found to be gone below, and the copy is closed unused.
    let copy = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned();
    event_fd(tracker)?;
    copy.map_err(|_| Error::System)
}

fn event_fd(tracker: u64) -> Result<i32, Error> {
    let mut fd = -1;
    // SAFETY: any value is a legal handle; the output is valid.
    Error::check(unsafe { sys::trip_tracker_event_fd(tracker, &raw mut fd) })?;
    if fd < 0 {
        return Err(Error::System);
    }
    Ok(fd)
}

pub(crate) fn tracker_metrics(tracker: u64, labels: u32, max_series: u64) -> Result<Vec<u8>, Error> {
    written(16 << 10, |out, capacity, out_len| {
        // SAFETY: any value is a legal handle; `written` gives room and its size.
        unsafe { sys::trip_tracker_metrics(tracker, labels, max_series, out, capacity, out_len) }
    })
}

pub(crate) fn tracker_snapshot(tracker: u64, now_unix_ns: u64) -> Result<Vec<u8>, Error> {
    written(16 << 10, |out, capacity, out_len| {
        // SAFETY: any value is a legal handle; `written` gives room and its size.
        unsafe { sys::trip_tracker_snapshot(tracker, now_unix_ns, out, capacity, out_len) }
    })
}

pub(crate) fn tracker_restore(tracker: u64, now_unix_ns: u64, bytes: &[u8]) -> Result<(), Error> {
    let mut fault = empty!(trip_error);
    // SAFETY: any value is a legal handle; the length is that of the slice; the output is a valid struct.
    let status =
        unsafe { sys::trip_tracker_restore(tracker, now_unix_ns, bytes.as_ptr().cast(), bytes.len(), &raw mut fault) };
    match Error::check(status) {
        Err(Error::Invalid) => Err(Error::Snapshot(message(&fault))),
        answer => answer,
    }
}

/// What the library writes, however long: asked for again with more room while it has too little.
fn written(guess: usize, ask: impl Fn(*mut i8, usize, *mut usize) -> i32) -> Result<Vec<u8>, Error> {
    let mut room = vec![0_u8; guess];
    loop {
        let mut length = 0;
        let status = ask(room.as_mut_ptr().cast(), room.len(), &raw mut length);
        if status != sys::TRIP_E_CAPACITY || length <= room.len() {
            room.truncate(length);
            return Error::check(status).map(|()| room);
        }
        // It may have grown by the next time.
        room = vec![0; length + length / 8];
    }
}
