# Everything a newcomer needs is `make run` and `make test`.
.DEFAULT_GOAL := help
SHELL := bash
# One heavy thing at a time: the builds use every core themselves.
.NOTPARALLEL:

export CARGO_TERM_COLOR ?= auto
TARGET := $(or $(CARGO_TARGET_DIR),target)
# The Python binding is no member of the workspace: whoever builds the proxy needs no PyO3.
BINDING := sandbox/python/Cargo.toml
NEXTEST := $(shell cargo nextest --version >/dev/null 2>&1 && echo yes)

.PHONY: help run demo build test test-clients lint fmt bench bench-redact bench-panel wheel doc prices clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: ## Start the proxy; a simulated provider answers when no provider key is set
	@$(MAKE) --no-print-directory build
	@$(TARGET)/release/iron up --simulate=auto

demo: ## Tell the whole story on a simulated provider
	@cargo run --release -p iron_cli --bin iron -- demo

build: ## Build the release binaries, iron and iron-sandbox
	cargo build --release -p iron_cli -p iron_sandbox --bins

test: ## Run every test; installs what they need
	tests/tools/prepare.sh
	cargo build --locked -p iron_cli -p iron_sandbox --bins
ifeq ($(NEXTEST),yes)
	cargo nextest run --locked --workspace
else
	cargo test --locked --workspace
endif

test-clients: ## Run the coding agents too, in networks of their own (over 1 GB of npm; docs/clients.md)
	tests/tools/prepare.sh
	cargo build --locked -p iron_cli -p iron_sandbox --bins
ifeq ($(NEXTEST),yes)
	cargo nextest run --locked -p iron_tests --run-ignored all clients::
else
	cargo test --locked -p iron_tests --test stories -- --include-ignored clients::
endif

lint: ## Check formatting, clippy, licences and sources
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo fmt --manifest-path $(BINDING) --check
ifeq ($(shell uname -s),Linux)
	cargo clippy --locked --manifest-path $(BINDING) --target-dir $(TARGET)/python -- -D warnings
endif
	@if cargo deny --version >/dev/null 2>&1; then \
		cargo deny --log-level error check licenses bans sources && \
		cargo deny --log-level error --manifest-path $(BINDING) check --config deny.toml licenses bans sources; \
	else echo 'lint: cargo-deny is not installed, licences were not checked (cargo install cargo-deny)'; fi

fmt: ## Format the code
	cargo fmt --all
	cargo fmt --manifest-path $(BINDING)

bench: ## Compare direct, nginx and Iron Cage in one run (needs wrk and nginx; see docs/benchmarks.md)
	tests/bench/run.sh

bench-redact: ## Measure detection: recall, precision, false alarms, speed (see docs/redaction.md)
	cargo build --release -p iron_cli --bin iron
	cargo build --release -p iron_policy --example scan_speed
	python3 tests/redact/make.py --check
	cargo bench -p iron_policy --bench redact
	python3 tests/bench/redact.py --target $(TARGET)/release --show $(TARGET)/redact/findings.tsv --write docs/redaction.md

CALLS ?= 10000000
bench-panel: ## Measure the panel on PostgreSQL: the first screen over CALLS calls, ingest (see docs/benchmarks.md)
	cargo run --release -p iron_panel --features testing --example panel_bench -- $(CALLS)

wheel: ## Build the Python binding's wheel, with the launcher in it (needs maturin and Linux)
	sandbox/python/build.sh

bench-sandbox: ## Measure what a sandbox costs, beside unshare and bubblewrap (see docs/benchmarks.md)
	cargo build --release -p iron_sandbox
	python3 tests/bench/sandbox.py --target $(TARGET)/release

doc: ## Build the crates' documentation
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps

prices: ## Convert the vendored price list anew from its sources
	policy/prices/update.sh

clean: ## Remove what was built
	cargo clean

FUZZ_TARGETS := redact_text redact_json restore_stream outline json_reader sse_relay
TIME ?= 60

.PHONY: fuzz
# Without a sanitizer: there is no unsafe code for one to watch, and so the stable toolchain does.
fuzz: ## Run each fuzz target for TIME seconds (TIME=60); TARGETS="a b" chooses
	@cargo fuzz --version >/dev/null 2>&1 || { echo 'fuzz: needs cargo-fuzz (cargo install cargo-fuzz)'; exit 1; }
	@command -v c++ >/dev/null || { echo 'fuzz: needs a C++ compiler for libFuzzer'; exit 1; }
	@cd policy/fuzz && for target in $(or $(TARGETS),$(FUZZ_TARGETS)); do \
		echo "fuzz: $$target for $(TIME) s"; mkdir -p corpus/$$target; \
		cargo fuzz run --sanitizer none $$target corpus/$$target seeds/$$target -- \
			-max_total_time=$(TIME) -max_len=4096 -timeout=20 -dict=words.txt -verbosity=0 -print_funcs=0 || exit 1; \
	done
