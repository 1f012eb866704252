//! Runs every contract vector through the public API, as tests/contract/README.md of the repository says, and shows
//! that the runner itself refuses what it does not understand. `cargo test --test contract -- --count` prints how many
//! vectors there are.
//!
//! `TRIP_CONTRACT` names another folder of vectors.

mod configs;
mod expectation;
mod fields;
mod functions;
mod operating;
mod policies;
mod refusals;
mod said;
mod stage;
mod vector;

use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

fn main() -> ExitCode {
    let vectors = match vector::load(&folder()) {
        Ok(vectors) => vectors,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    if std::env::args().any(|argument| argument == "--count") {
        println!("{}", vectors.len());
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::from_args();
    let run = Arc::new(AtomicUsize::new(0));
    let mut trials = refusals::trials();
    trials.extend(vectors.into_iter().map(|vector| {
        let run = Arc::clone(&run);
        Trial::test(vector.name.clone(), move || {
            run.fetch_add(1, Ordering::Relaxed);
            vector.play().map_err(Failed::from)
        })
    }));
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        println!("contract vectors: {} run", run.load(Ordering::Relaxed));
    }
    conclusion.exit_code()
}

fn folder() -> PathBuf {
    std::env::var_os("TRIP_CONTRACT")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/contract"), PathBuf::from)
}
