//! The C ABI of libtrip as it is: what `include/trip.h` declares, made from it by bindgen. The crate `trip` is the one
//! to use from Rust; this one is for those who need a declaration as C has it.
//!
//! ```
//! // SAFETY: a constant text.
//! let version = unsafe { std::ffi::CStr::from_ptr(trip_sys::trip_version()) };
//! println!("libtrip {}", version.to_string_lossy());
//! # assert!(version.to_bytes().starts_with(b"1."));
//! ```
//!
//! Every function takes any value as a handle; the pointers must be what the header says.
//!
//! # Which library
//!
//! The build script asks pkg-config for an installed libtrip, of this crate's minor version or a later one. Where there
//! is none it compiles the copy that the packaged crate carries, with the C compiler that the crate `cc` finds, and links
//! it in; nothing of the copy is exported from what it becomes a part of. The installed library comes first because two
//! copies in one process do not share circuits: a Python extension and a Rust library in one program do, by the
//! installed one.
//!
//! | what is set | what is linked |
//! | --- | --- |
//! | nothing | the installed library, else the copy |
//! | the feature `bundled` | the copy, else (in a checkout of the sources, which has none) the installed library |
//! | `TRIP_SYS_BUNDLED=1` | the copy, or the build fails |
//! | `TRIP_SYS_BUNDLED=0` | the installed library, or the build fails, whatever the features: for distributions |
//! | `DOCS_RS` | nothing: documentation needs no library |
//!
//! The copy has no guards around C functions, which need libffi: `trip_has_feature` says so.
//!
//! Whoever compiles C against the same library finds the folder of `trip.h` in `DEP_TRIP_INCLUDE`, in the build script
//! of a crate that depends on this one directly.
//!
//! # Cross-compiling
//!
//! pkg-config is not asked when the target is another machine, unless `PKG_CONFIG_ALLOW_CROSS=1` and the `PKG_CONFIG_*`
//! variables lead it to the target's libraries; the copy is compiled instead, by the compiler in `CC_<target>`. It is made
//! for Linux, and needs gcc or clang.
//!
//! # Versions
//!
//! This crate has the version of the library that it was made with. The ABI is stable: a later 1.x of the library runs
//! with it. The crate needs Rust 1.85; a later Rust is asked for by a minor version only.
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
