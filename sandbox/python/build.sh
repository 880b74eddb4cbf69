#!/usr/bin/env bash
# Builds the wheel, with the launcher in it: build.sh [LAUNCHER [maturin's options...]]
# Without a LAUNCHER it is built here, too. Needs maturin.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
launcher=${1:-}
shift || true
if [ -z "$launcher" ]; then
    cargo build --locked --release --manifest-path "$here/../../Cargo.toml" -p iron_sandbox
    target=$(cargo metadata --no-deps --format-version 1 --manifest-path "$here/../../Cargo.toml" |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
    launcher=$target/release/iron-sandbox
    set -- --release "$@"
fi
install -D -m 755 "$launcher" "$here/iron_cage_sandbox.data/scripts/iron-sandbox"
exec maturin build --manifest-path "$here/Cargo.toml" --locked "$@"
