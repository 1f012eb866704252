//! What the crates say of themselves agrees: their READMEs with their documentation, their versions with the library's.
//!
//! A README is made of the documentation of its crate: `TRIP_WRITE_READMES=1 cargo test -p trip --test packages` writes
//! it again.

use std::path::{Path, PathBuf};
use std::{env, fs};

const CRATES: [&str; 3] = ["trip-sys", "trip", "trip-tower"];

fn crates() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// As a page for people who do not have rustdoc: hidden lines are left out, blocks are marked as Rust, headings are
/// below the name of the crate, and links that only rustdoc can follow are none.
fn readme_of(name: &str) -> String {
    let source = fs::read_to_string(crates().join(name).join("src/lib.rs")).unwrap();
    let lines =
        source.lines().map_while(|line| line.strip_prefix("//!")).map(|line| line.strip_prefix(' ').unwrap_or(line));
    let (mut page, mut is_code) = (format!("# {name}\n\n"), false);
    for line in lines {
        if line.starts_with("```") {
            is_code = !is_code;
            page += if is_code && line == "```" { "```rust" } else { line };
        } else if is_code {
            if line == "#" || line.starts_with("# ") {
                continue;
            }
            page += line;
        } else if line.starts_with('#') {
            page.extend(["#", line]);
        } else {
            page += &without_links(line);
        }
        page.push('\n');
    }
    page
}

/// ``[`Name`](path::of::it)`` and ``[`Name`]`` become `` `Name` ``.
fn without_links(line: &str) -> String {
    let (mut text, mut rest) = (String::new(), line);
    while let Some((before, link)) = rest.split_once("[`") {
        let (name, after) = link.split_once("`]").unwrap();
        text.extend([before, "`", name, "`"]);
        rest = match after.strip_prefix('(') {
            Some(target) => target.split_once(')').unwrap().1,
            None => after,
        };
    }
    text + rest
}

#[test]
fn readmes_say_what_the_documentation_says() {
    for name in CRATES {
        let file: PathBuf = crates().join(name).join("README.md");
        let expected = readme_of(name);
        if env::var_os("TRIP_WRITE_READMES").is_some() {
            fs::write(&file, &expected).unwrap();
        }
        assert_eq!(fs::read_to_string(&file).unwrap_or_default(), expected, "{} is not current", file.display());
    }
}

#[test]
fn links_become_names() {
    assert_eq!(without_links("a [`B`], [`C::d`](crate::C::d) (e) and `f`"), "a `B`, `C::d` (e) and `f`");
}

#[test]
fn the_crates_have_the_version_of_the_library() {
    let build = fs::read_to_string(crates().join("../../meson.build")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(build.contains(&format!("version: '{version}',")), "meson.build has another version than {version}");
    assert_eq!(trip::version(), version);
    let (major, minor) = trip::abi_version();
    assert!(version.starts_with(&format!("{major}.{minor}.")));
    for name in &CRATES[1..] {
        let manifest = fs::read_to_string(crates().join(name).join("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("version = \"{major}.{minor}\"")), "{name} needs another version of ours");
    }
}
