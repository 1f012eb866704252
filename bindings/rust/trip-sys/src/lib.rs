//! The C ABI of libtrip as it is: what `include/trip.h` declares, made from it by bindgen. The crate `trip` is the one
//! to use from Rust; this one is for those who need a declaration as C has it.
//!
//! Every function takes any value as a handle; the pointers must be what the header says.
#![no_std]

// The generator copies the header's comments, which are not written for rustdoc, and C's names.
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::undocumented_unsafe_blocks,
    missing_docs,
    non_camel_case_types,
    rustdoc::all,
    unused_qualifications
)]
mod bindings;

pub use bindings::*;
