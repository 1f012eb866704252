//! Finds the installed libtrip through pkg-config. Builds nothing: two copies of the library in one process would not
//! share circuits.

fn main() {
    if let Err(error) = pkg_config::Config::new().atleast_version("1.4").probe("libtrip") {
        eprintln!(
            "trip-sys needs libtrip 1.4 or later, and pkg-config does not find it.\n\
             Install libtrip, or name the folder of its libtrip.pc (in development of libtrip itself: \
             BUILD/meson-uninstalled) in PKG_CONFIG_PATH.\n\n{error}"
        );
        std::process::exit(1);
    }
}
