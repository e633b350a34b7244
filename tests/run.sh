#!/bin/sh
# Installs what the tests need where it is missing, then checks and tests everything. Needs a Rust toolchain, and Debian
# or Ubuntu. CHROMIUM names the browser, where it is none that is found by its usual names.
set -eu
cd "$(dirname "$0")/.."

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install() {
    echo "installing $*"
    if command -v apt-get >/dev/null; then
        as_root apt-get update -qq
        # The package would start a server of its own; the tests start theirs.
        as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    else
        echo "please install $* and run this again" >&2
        exit 1
    fi
}

# Where the browser is.
browser() {
    for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
        if command -v "$name"; then return; fi
    done
    return 1
}

command -v redis-server >/dev/null || install redis-server
command -v curl >/dev/null || install curl
command -v cc >/dev/null || install gcc libc6-dev
command -v systemd-analyze >/dev/null || install systemd
python3 -c 'import ensurepip, venv' 2>/dev/null || install python3 python3-venv

command -v node >/dev/null || install nodejs
command -v npm >/dev/null || install npm
# The package's name is the first in Debian and the second in Ubuntu.
browser >/dev/null || install chromium || install chromium-browser
CHROMIUM=$(browser)
export CHROMIUM

# Prometheus' own checker of rules, unpacked alone: the package would start a server.
if ! command -v promtool >/dev/null && [ ! -x target/prometheus/usr/bin/promtool ]; then
    echo "unpacking promtool"
    rm -rf target/prometheus && mkdir -p target/prometheus
    if (cd target/prometheus && apt-get download -qq prometheus && dpkg -x prometheus_*.deb .); then
        rm target/prometheus/*.deb target/prometheus/usr/bin/prometheus
    else
        echo "please install promtool and run this again" >&2
        exit 1
    fi
fi

command -v kubectl >/dev/null || echo "there is no kubectl: what it makes of the manifests is not checked"

# A browser's driver and a checker of accessibility, for the console.
if ! cmp -s tests/console/package-lock.json target/console/installed; then
    echo "installing the browser's driver"
    mkdir -p target/console
    cp tests/console/package.json tests/console/package-lock.json target/console/
    npm ci --prefix target/console --ignore-scripts --no-audit --no-fund --silent
    cp tests/console/package-lock.json target/console/installed
fi

# The driver wants Node 20, and Debian 12 has 18.
if ! node -e 'process.exit(+(parseInt(process.versions.node) < 20))'; then
    if [ ! -x target/node/node_modules/.bin/node ]; then
        echo "installing a newer Node"
        npm install --prefix target/node --no-audit --no-fund --silent node@22.23.3
    fi
    PATH="$PWD/target/node/node_modules/.bin:$PATH"
    export PATH
fi

# A Python gRPC client that knows the contract by reflection alone.
python=target/python
if ! cmp -s tests/python/requirements.txt "$python/installed" || ! "$python/bin/python" -c 'import grpc' 2>/dev/null; then
    echo "installing the Python gRPC client"
    python3 -m venv "$python"
    "$python/bin/pip" install --quiet --disable-pip-version-check -r tests/python/requirements.txt
    cp tests/python/requirements.txt "$python/installed"
fi

step() {
    printf '\n== %s\n' "$*"
    "$@"
}

step cargo fmt --all --check
step cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
RUSTDOCFLAGS="-D warnings" step cargo doc --workspace --no-deps --locked

# Unit, integration and documentation tests; the log is kept to close with one sum over all of them.
log=target/tests.log
printf '\n== cargo test --workspace\n'
failed=0
{ cargo test --workspace --locked --no-fail-fast 2>&1 || echo "cargo test failed"; } | tee "$log"
! grep -q '^cargo test failed$' "$log" || failed=1

awk '/^test result:/ { passed += $4; failed += $6; ignored += $8 }
     END { printf "\n%d passed, %d failed, %d ignored\n", passed, failed, ignored; exit !(passed > 0) }' "$log"
exit "$failed"
