#!/usr/bin/env bash
# Builds the demo's clients in the compiled languages into build/demo, where demo/run.py finds them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cargo build --release --locked --manifest-path demo/clients/rust/Cargo.toml --target-dir build/demo/rust
go build -C demo/clients/go -o "$PWD/build/demo/client-go" .
