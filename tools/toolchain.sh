# shellcheck shell=bash disable=SC2016,SC1091  # the dollars in single quotes are for apt-get; os-release is Debian's
# The tools that the project is built with: those on PATH where they are new enough, else Debian's; Python's packages in
# a virtual environment of the project's own. Sourced by x at the root of the tree. Nothing else installs anything.

readonly packages=(
    gcc g++ clang-14 libclang-rt-14-dev libc6-dev meson ninja-build pkg-config uthash-dev libjsmn-dev libffi-dev
    check libjansson-dev libcurl4-openssl-dev
    abigail-tools binutils clang-format-14 shellcheck
    python3 python3-venv ca-certificates git
)
readonly packaging=(cmake debhelper dpkg-dev lintian)
readonly browser=(chromium fonts-dejavu-core fonts-liberation)
readonly requirements=(
    bindings/generate/requirements.txt bindings/python/requirements-dev.txt bindings/python/requirements-http.txt
    demo/requirements.txt tests/metrics/requirements.txt tests/dist/requirements.txt docs/site/requirements.txt
)

# at_least HAVE WANT: version HAVE is not older than WANT.
at_least() {
    [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]
}

# highest FILE EXPRESSION: the highest version that our own packages ask for in their files of this name.
highest() {
    find bindings demo -name "$1" -not -path '*/target/*' -exec sed -nE "$2" {} + | sort -V | tail -n 1
}

wanted_go() {
    highest go.mod 's/^go ([0-9.]+)$/\1/p'
}

# What the crates need; and 1.90, whose cargo packages crates together that need each other.
wanted_rust() {
    { highest Cargo.toml 's/^rust-version = "([0-9.]+)".*/\1/p' && echo 1.90; } | sort -V | tail -n 1
}

has_go() {
    local have
    have=$(go env GOVERSION 2>/dev/null) && at_least "${have#go}" "$(wanted_go)"
}

# With clippy and rustfmt, without which the tests cannot run.
has_rust() {
    local have
    have=$(rustc --version 2>/dev/null | cut -d ' ' -f 2)
    [ -n "$have" ] && at_least "$have" "$(wanted_rust)" &&
        cargo clippy --version >/dev/null 2>&1 && cargo fmt --version >/dev/null 2>&1
}

# A JDK with records, and what fetches resilience4j.
has_java() {
    local have
    have=$(javac -version 2>&1 | cut -d ' ' -f 2) && at_least "$have" 17 && command -v mvn >/dev/null
}

has_python() {
    python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# Where a toolchain on PATH is too old, Debian's goes before it.
prefer_debian() {
    has_go || PATH=/usr/lib/go/bin:$PATH
    has_rust && has_python || PATH=/usr/bin:$PATH
}

# not_installed PACKAGE...: those of them that Debian does not have installed here.
not_installed() {
    local package
    for package; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

# The packages that are missing, and those that stand for a missing Go, Rust or Java.
missing_packages() {
    not_installed "${packages[@]}"
    has_go || echo golang-go
    has_rust || rust_packages
    has_java || printf '%s\n' default-jdk-headless maven
}

# Debian 12 keeps a second, newer Rust for its browsers; later releases need none.
rust_packages() {
    if [ -n "$(apt-cache madison rustc-web 2>/dev/null)" ]; then
        printf '%s\n' rustc-web cargo-web rust-web-clippy rustfmt-web
    else
        printf '%s\n' rustc cargo rust-clippy rustfmt
    fi
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# A mirror may fail once.
apt_get() {
    local command=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends "$@")
    as_root "${command[@]}" || as_root "${command[@]}"
}

# offers_go: the release that apt knows has a Go that is new enough.
offers_go() {
    at_least "$(apt-cache policy golang-go | sed -n 's/^ *Candidate: [0-9]*:\([0-9.]*\).*/\1/p')" "$(wanted_go)"
}

# The backports suite, from the mirror that serves the release.
add_backports() {
    local release=$1 mirror
    ! apt-get indextargets --format '$(RELEASE)' | grep -qx "$release-backports" || return 0
    mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' | sed -n "s/^$release //p" | head -n 1)
    echo "deb $mirror $release-backports main" |
        as_root tee "/etc/apt/sources.list.d/$release-backports.list" >/dev/null
    apt_get update
}

install_go_from_backports() {
    local release
    release=$(. /etc/os-release && echo "$VERSION_CODENAME")
    add_backports "$release"
    apt_get install -t "$release-backports" golang-go
}

install_packages() {
    local missing
    mapfile -t missing < <(missing_packages)
    [ ${#missing[@]} -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null || ! as_root true 2>/dev/null; then
        echo "x: missing: ${missing[*]}" >&2
        echo "x: run './x install' as root on a Debian, or install them in your own way" >&2
        return 1
    fi
    echo "x: installing ${missing[*]}"
    apt_get update
    has_go || offers_go || install_go_from_backports
    mapfile -t missing < <(missing_packages) # again: only now does apt know what there is
    [ ${#missing[@]} -eq 0 ] || apt_get install "${missing[@]}"
}

# What was installed must be enough: an old release of Debian has nothing that would do.
check_toolchain() {
    local tool
    for tool in go rust python java; do
        "has_$tool" || { echo "x: neither PATH nor Debian has a $tool that is new enough" >&2; return 1; }
    done
}

# The profiler, for who asks for a profile.
install_perf() {
    command -v perf >/dev/null || { apt_get update && apt_get install linux-perf; }
}

# install_more PACKAGE...: those of them that are missing.
install_more() {
    local missing
    mapfile -t missing < <(not_installed "$@")
    [ ${#missing[@]} -eq 0 ] || { apt_get update && apt_get install "${missing[@]}"; }
}

# What the tests look at the documentation with.
install_browser() {
    install_more "${browser[@]}"
}

# What makes Debian's packages and judges them; CMake, whose users the packages are tried by; and what makes the Python
# packages, half a gigabyte, most of it a compiler and the C libraries that it knows.
install_packaging() {
    install_more "${packaging[@]}"
    install_venv .venv-dist tools/dist/requirements.txt
}

has_prometheus() {
    [ -x .prometheus/usr/bin/promtool ] || { command -v prometheus && command -v promtool; } >/dev/null
}

# The package's file, into this folder, by whoever runs this: root's apt would have another user write it, who may not.
download() {
    apt-get -q -o APT::Sandbox::User="$(id -un)" download "$1"
}

# Debian's Prometheus, unpacked and not installed: the tests start one of their own, and nobody asked for its service.
unpack_prometheus() {
    ! has_prometheus || return 0
    if ! command -v apt-get >/dev/null; then
        echo "x: missing: prometheus and promtool" >&2
        return 1
    fi
    echo "x: unpacking prometheus into .prometheus"
    rm -rf .prometheus && mkdir .prometheus
    (
        cd .prometheus || exit
        download prometheus || { apt_get update && download prometheus; }
        dpkg-deb --extract prometheus_*.deb .
        rm prometheus_*.deb
    )
}

# install_venv FOLDER FILE...: a virtual environment of the packages that requirements files name, and of nothing else.
install_venv() {
    local folder=$1 stamp=$1/requirements.sha256 current
    shift
    current=$({ python3 --version && cat "$@"; } | sha256sum)
    [ "$(cat "$stamp" 2>/dev/null)" != "$current" ] || return 0
    echo "x: installing Python's packages into $folder"
    rm -rf "$folder"
    python3 -m venv "$folder"
    "$folder/bin/python" -m pip install --disable-pip-version-check "${@/#/--requirement=}"
    echo "$current" >"$stamp"
}

install_toolchain() {
    prefer_debian
    install_packages
    prefer_debian
    check_toolchain
    install_venv .venv "${requirements[@]}"
}
