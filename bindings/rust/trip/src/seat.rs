//! The seats of a thread: where it keeps the lanes that it knows and counts for their circuits. They are in nobody's
//! stack, so that others can read the counts whatever becomes of the thread; the next thread takes them over.
#![allow(unsafe_code)]

use crate::lane::Lane;
use crate::lock::Lock;
use crate::tally::Tally;
use std::alloc::{alloc_zeroed, Layout};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

/// Circuits that a thread counts for at once. What it never uses of this is never touched, and costs no memory.
const SEATS: usize = 1024;

/// A lane, and what its thread has counted for its circuit: one line of the processor's cache.
#[repr(C, align(64))]
pub(crate) struct Seat {
    pub(crate) tally: Tally,
    pub(crate) lane: Lane,
}

const _: () = assert!(size_of::<Seat>() == 64);

/// The seats of one thread. Good when all its bytes are 0.
#[repr(C)]
pub(crate) struct Block {
    seats: [Seat; SEATS],
    is_taken: AtomicBool,
    /// Held while counts of these seats are on their way.
    pub(crate) moving: Lock,
    /// The block that was made before this one; never changes once this one can be found.
    next: AtomicPtr<Block>,
}

/// The last block that was made. Blocks are never freed.
static NEWEST: AtomicPtr<Block> = AtomicPtr::new(ptr::null_mut());

/// That of threads which have none of their own, not yet or not any more. Never written, so that nobody is seated here.
static NOBODYS: Block = Block {
    seats: [const { Seat { tally: Tally::new(), lane: Lane::new() } }; SEATS],
    is_taken: AtomicBool::new(true),
    moving: Lock::new(),
    next: AtomicPtr::new(ptr::null_mut()),
};

/// A thread's hold on its block: what it counted is handed in when it ends.
struct Held;

thread_local! {
    /// Its block, or nobody's. No reference: in a constant Rust 1.85 allows none to what may change.
    static OWN: Cell<*const Block> = const { Cell::new(&raw const NOBODYS) };
    static HELD: Held = const { Held };
}

impl Block {
    pub(crate) fn all() -> impl Iterator<Item = &'static Block> {
        std::iter::successors(Block::at(&NEWEST), |block| Block::at(&block.next))
    }

    /// The handles of circuits that were made one after the other differ in their low bits.
    #[inline]
    pub(crate) fn seat(&self, circuit: u64) -> &Seat {
        #[allow(clippy::cast_possible_truncation)] // the low bits are what is wanted
        let low = circuit as usize;
        &self.seats[low % SEATS]
    }

    /// The seats that have a circuit.
    pub(crate) fn taken(&self) -> impl Iterator<Item = &Seat> {
        self.seats.iter().filter(|seat| seat.tally.circuit() != 0)
    }

    fn at(place: &AtomicPtr<Block>) -> Option<&'static Block> {
        // SAFETY: null, or a block that is never freed and was whole before it was published.
        unsafe { place.load(Ordering::Acquire).as_ref() }
    }

    fn take() -> Option<&'static Block> {
        let is_free =
            |block: &&Block| block.is_taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok();
        Block::all().find(is_free).or_else(Block::make)
    }

    /// `None`: out of memory.
    fn make() -> Option<&'static Block> {
        let room = room()?;
        // SAFETY: large enough, aligned, nobody else's, never freed, and all of it atomic numbers, which may be 0.
        let block = unsafe { &*room };
        block.is_taken.store(true, Ordering::Relaxed);
        let published = NEWEST.fetch_update(Ordering::Release, Ordering::Relaxed, |newest| {
            block.next.store(newest, Ordering::Relaxed);
            Some(room)
        });
        debug_assert!(published.is_ok());
        Some(block)
    }
}

/// Zeros for a block. Allocators give zeros of ordinary alignment without writing them; so the edge is found by hand.
fn room() -> Option<*mut Block> {
    let layout = Layout::from_size_align(size_of::<Block>() + align_of::<Block>(), align_of::<u128>()).ok()?;
    // SAFETY: the size is not 0.
    let room = unsafe { alloc_zeroed(layout) };
    if room.is_null() {
        return None;
    }
    // SAFETY: by less than the alignment, for which there is room.
    let aligned = unsafe { room.add(room.align_offset(align_of::<Block>())) };
    #[allow(clippy::cast_ptr_alignment)] // just seen to
    Some(aligned.cast())
}

/// Where this thread has the lane of a circuit, if it has: for looking alone.
#[inline]
pub(crate) fn of(circuit: u64) -> &'static Seat {
    block().seat(circuit)
}

/// The same for writing. `None`: the thread is ending, or out of memory.
pub(crate) fn own(circuit: u64) -> Option<&'static Seat> {
    HELD.try_with(|_| {
        if ptr::eq(block(), &raw const NOBODYS) {
            OWN.set(Block::take()?);
        }
        Some(of(circuit))
    })
    .ok()?
}

/// The seats of this thread.
#[inline]
pub(crate) fn block() -> &'static Block {
    // SAFETY: nobody's, or a block that is never freed.
    unsafe { &*OWN.get() }
}

/// Hands in all that this thread has counted.
pub(crate) fn hand_in() {
    block().taken().for_each(|seat| seat.tally.hand_in());
}

impl Drop for Held {
    fn drop(&mut self) {
        let block = block();
        if !ptr::eq(block, &raw const NOBODYS) {
            block.taken().for_each(|seat| seat.tally.give_to(0));
            OWN.set(&raw const NOBODYS);
            block.is_taken.store(false, Ordering::Release);
        }
    }
}
