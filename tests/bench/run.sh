#!/usr/bin/env bash
# Builds what is measured and measures it. Arguments go to both programs: --rounds N --seconds N.
set -euo pipefail
cd "$(dirname "$0")/../.."
for tool in wrk h2load nginx openssl taskset python3; do
    command -v "$tool" >/dev/null || [ -x "/usr/sbin/$tool" ] || {
        echo "please install $tool (Debian: apt-get install wrk nghttp2-client nginx-light openssl util-linux)" >&2
        exit 1
    }
done
[ "$(nproc)" -ge 2 ] || { echo "two cores are needed: one for the proxy, one for the load" >&2; exit 1; }
cargo build --release -p iron_cli -p iron_tests
python3 tests/bench/run.py --target "${CARGO_TARGET_DIR:-target}/release" "$@"
python3 tests/bench/wire.py --target "${CARGO_TARGET_DIR:-target}/release" "$@"
