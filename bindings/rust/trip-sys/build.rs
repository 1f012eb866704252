//! Finds the installed libtrip through pkg-config; only where there is none, or where it was asked for, compiles the copy
//! that a packaged crate carries in `bundled/`. The installed one comes first because two copies of the library in one
//! process do not share circuits.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What makes the library: put there when the crate is packaged, never part of the sources.
const BUNDLED: &str = "bundled";

/// What `TRIP_SYS_BUNDLED` and the feature `bundled` ask for.
#[derive(PartialEq)]
enum Wish {
    /// Nothing: whichever there is, the installed one first.
    Either,
    /// The copy first. A checkout of the sources has none, and takes the installed one.
    BundledFirst,
    BundledOnly,
    SystemOnly,
}

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=TRIP_SYS_BUNDLED");
    println!("cargo::rerun-if-env-changed=DOCS_RS");
    if env::var_os("DOCS_RS").is_some() {
        return ExitCode::SUCCESS; // documentation is not linked
    }
    match find(&wish()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn wish() -> Wish {
    match env::var("TRIP_SYS_BUNDLED").as_deref() {
        Ok("1") => Wish::BundledOnly,
        Ok("0") => Wish::SystemOnly,
        _ if env::var_os("CARGO_FEATURE_BUNDLED").is_some() => Wish::BundledFirst,
        _ => Wish::Either,
    }
}

fn find(wish: &Wish) -> Result<(), String> {
    let copy = bundled();
    match (wish, &copy) {
        (Wish::BundledOnly | Wish::BundledFirst, Some(copy)) => return compile(copy),
        (Wish::BundledOnly, None) => {
            return Err("TRIP_SYS_BUNDLED=1 asks for the copy of libtrip in a packaged crate, and this is a checkout \
                        of its sources, which has none."
                .into())
        }
        _ => {}
    }
    match (installed(), copy) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(copy)) if *wish != Wish::SystemOnly => compile(&copy),
        (Err(error), _) => Err(missing(&error)),
    }
}

/// The folder of trip.c and trip.h.
fn bundled() -> Option<PathBuf> {
    let folder = Path::new(&env::var_os("CARGO_MANIFEST_DIR")?).join(BUNDLED);
    folder.join("trip.c").is_file().then_some(folder)
}

/// Not older than this crate, whose version is that of the library it was made with.
fn installed() -> Result<(), pkg_config::Error> {
    let (major, minor) = version();
    let library = pkg_config::Config::new()
        .range_version(format!("{major}.{minor}").as_str()..(major + 1).to_string().as_str())
        .probe("libtrip")?;
    let mut places = library.include_paths;
    places.extend(pkg_config::get_variable("libtrip", "includedir").map(PathBuf::from)); // not told where it is usual
    if let Some(place) = places.iter().find(|place| place.join("trip.h").is_file()) {
        tell_include(place);
    }
    Ok(())
}

fn version() -> (u32, u32) {
    let part = |name| env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or_default();
    (part("CARGO_PKG_VERSION_MAJOR"), part("CARGO_PKG_VERSION_MINOR"))
}

/// Into whatever this crate becomes a part of, which exports none of it.
fn compile(folder: &Path) -> Result<(), String> {
    println!("cargo::rerun-if-changed={}", folder.display());
    tell_include(folder);
    cc::Build::new()
        .file(folder.join("trip.c"))
        .include(folder)
        .std("gnu11")
        .flag("-fvisibility=hidden")
        .define("TRIP_API", "")
        .warnings(false)
        .try_compile("trip")
        .map_err(|error| format!("trip-sys could not compile its copy of libtrip: {error}"))?;
    println!("cargo::rustc-link-lib=pthread"); // part of libc since glibc 2.34, and elsewhere
    Ok(())
}

/// For build scripts of crates that depend on this one: `DEP_TRIP_INCLUDE`.
fn tell_include(folder: &Path) {
    println!("cargo::metadata=include={}", folder.display());
}

fn missing(error: &pkg_config::Error) -> String {
    let (major, minor) = version();
    format!(
        "trip-sys needs libtrip {major}.{minor} or a later {major}, and pkg-config does not find it.\n\
         Install libtrip, or name the folder of its libtrip.pc (in development of libtrip itself: \
         BUILD/meson-uninstalled) in PKG_CONFIG_PATH.\n\n{error}"
    )
}
