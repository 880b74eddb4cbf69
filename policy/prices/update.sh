#!/usr/bin/env bash
# Converts the price list anew from the current packages, in a temporary environment.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet genai-prices
"$work/venv/bin/pip" download --quiet --no-deps --dest "$work" litellm
wheel=$(ls "$work"/litellm-*.whl)
python3 -m zipfile -e "$wheel" "$work/litellm"
version() { "$work/venv/bin/python" -c "import importlib.metadata as m; print(m.version('$1'))"; }
litellm=$(basename "$wheel" | cut -d- -f2)
"$work/venv/bin/python" "$here/convert.py" \
    "$work/litellm/litellm/model_prices_and_context_window_backup.json" \
    "$(date -u +%F)" "$(version genai-prices)" "$litellm"
