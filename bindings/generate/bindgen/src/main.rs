//! Prints the Rust declarations of a C header, as bindgen sees it: `trip-bindgen HEADER [CLANG ARGUMENT]...`.
//! It decides nothing about the ABI; generate/rust.py runs it and names the constants' types.

use std::env;
use std::process::ExitCode;

/// Rust 1.77 is the first compiler with `core::mem::offset_of!`, by which bindgen states the layout as constants
/// that the compiler checks, and not as tests that somebody has to run.
const OLDEST_RUST_MINOR: u64 = 77;

/// Writes the comments of the header the way rustdoc reads them: a unit in brackets would be a link, and `@` nothing.
#[derive(Debug)]
struct Rustdoc;

impl bindgen::callbacks::ParseCallbacks for Rustdoc {
    fn process_comment(&self, comment: &str) -> Option<String> {
        let text = comment.strip_prefix('<').unwrap_or(comment);
        let escaped = text.replace('[', "\\[").replace(']', "\\]");
        let tagged = escaped.replace("\n \\[since", "\n\n \\[since");
        Some(tagged.replace("@param ", "- ").replace("@return ", "- returns "))
    }
}

fn declarations(header: &str, clang_args: &[String]) -> Result<String, String> {
    let rust = bindgen::RustTarget::stable(OLDEST_RUST_MINOR, 0).map_err(|error| error.to_string())?;
    bindgen::Builder::default()
        .header(header)
        .clang_args(clang_args)
        .rust_target(rust)
        .rust_edition(bindgen::RustEdition::Edition2021)
        .allowlist_item("(trip|TRIP)_.*")
        .use_core()
        .size_t_is_usize(true)
        .default_enum_style(bindgen::EnumVariation::Consts)
        .prepend_enum_name(false)
        .translate_enum_integer_types(true)
        .derive_default(true)
        .layout_tests(true)
        .generate_comments(true)
        .parse_callbacks(Box::new(Rustdoc))
        .merge_extern_blocks(true)
        .disable_header_comment()
        .formatter(bindgen::Formatter::Prettyplease)
        .generate()
        .map(|bindings| bindings.to_string())
        .map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some((header, clang_args)) = arguments.split_first() else {
        eprintln!("usage: trip-bindgen HEADER [CLANG ARGUMENT]...");
        return ExitCode::from(2);
    };
    match declarations(header, clang_args) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{header}: {error}");
            ExitCode::FAILURE
        }
    }
}
