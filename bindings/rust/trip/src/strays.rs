//! Calls that express lanes admitted and that are out, as far as no thread's tally has them: its thread has ended, counts
//! for another circuit now, or is not the one that settled the call. The library is never told of these: it counts what
//! it settles, and what ended well it hears of when it has ended.
#![allow(unsafe_code)]

use crate::ffi;
use crate::lock::Lock;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// What is out of one circuit. Never freed; used anew once it is 0, or its circuit gone. Only the holder of the lock
/// looks at it, so that the order of memory is the lock's.
struct Stray {
    circuit: AtomicU64,
    out: AtomicU64,
    next: AtomicPtr<Stray>,
}

static LISTS: [AtomicPtr<Stray>; 64] = [const { AtomicPtr::new(ptr::null_mut()) }; 64];

/// A fork leaves at worst one number behind that is one step old.
static LOCK: Lock = Lock::new();

/// More calls of a circuit are out, or fewer: `count` wraps below 0.
pub(crate) fn add(circuit: u64, count: u64) {
    if count == 0 {
        return;
    }
    LOCK.held(|| {
        let list = list_of(circuit);
        let known = all(list).find(|stray| stray.circuit.load(Ordering::Relaxed) == circuit);
        if let Some(stray) = known.or_else(|| all(list).find(|stray| stray.is_free())).or_else(|| make(list)) {
            if known.is_none() {
                stray.out.store(0, Ordering::Relaxed);
                stray.circuit.store(circuit, Ordering::Relaxed);
            }
            stray.out.store(stray.out.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
        }
    });
}

/// How many calls of a circuit are out beside those in tallies; wraps below 0, for a part of the sum.
pub(crate) fn of(circuit: u64) -> u64 {
    LOCK.held(|| {
        let known = all(list_of(circuit)).find(|stray| stray.circuit.load(Ordering::Relaxed) == circuit);
        known.map_or(0, |stray| stray.out.load(Ordering::Relaxed))
    })
}

/// The handles of circuits that were made one after the other differ in their low bits.
fn list_of(circuit: u64) -> &'static AtomicPtr<Stray> {
    #[allow(clippy::cast_possible_truncation)] // the low bits are what is wanted
    let low = circuit as usize;
    &LISTS[low % LISTS.len()]
}

impl Stray {
    fn is_free(&self) -> bool {
        self.out.load(Ordering::Relaxed) == 0 || ffi::circuit_count(self.circuit.load(Ordering::Relaxed), 0, 0).is_err()
    }
}

fn at(place: &AtomicPtr<Stray>) -> Option<&'static Stray> {
    // SAFETY: null, or leaked before it was put there.
    unsafe { place.load(Ordering::Acquire).as_ref() }
}

fn all(list: &AtomicPtr<Stray>) -> impl Iterator<Item = &'static Stray> {
    std::iter::successors(at(list), |stray| at(&stray.next))
}

/// `None`: out of memory, and a call that is out is not told of.
fn make(list: &AtomicPtr<Stray>) -> Option<&'static Stray> {
    let mut room = Vec::new();
    room.try_reserve_exact(1).ok()?;
    let next = AtomicPtr::new(list.load(Ordering::Relaxed));
    room.push(Stray { circuit: AtomicU64::new(0), out: AtomicU64::new(0), next });
    let stray = &mut room.leak()[0];
    list.store(stray, Ordering::Release);
    Some(stray)
}
