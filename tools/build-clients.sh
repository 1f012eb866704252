#!/usr/bin/env bash
# Builds the demo's clients in the compiled languages into build/demo, where demo/run.py finds them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cargo build --release --locked --manifest-path demo/clients/rust/Cargo.toml --target-dir build/demo/rust
go build -C demo/clients/go -o "$PWD/build/demo/client-go" .
curl_host() {
    local program=$1 packages=$2
    shift 2
    # shellcheck disable=SC2046 # the flags are several words
    cc -std=c11 -Wall -Wextra -Wpedantic -Werror -O2 "${@/#/demo/clients/curl-host/}" -o "build/demo/$program" \
        $(pkg-config --cflags --libs "$packages")
}
curl_host curl-host libcurl host.c
curl_host curl-host-guarded "libcurl libtrip" host.c guarded.c
