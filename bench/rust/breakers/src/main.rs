//! The stand of the small breakers, libtrip among them.

mod failsafe;
mod libtrip;
mod recloser;
mod tower;
mod tower_limit;

const LOCK: &str = include_str!("../Cargo.lock");

fn version(package: &str) -> String {
    stand::locked_version(LOCK, package)
}

fn main() {
    stand::serve(&[
        libtrip::peer(),
        libtrip::two_empty_calls(),
        failsafe::peer(),
        recloser::peer(),
        tower::peer(),
        tower_limit::peer(),
    ]);
}
