# What is done often, by name. `just` alone lists it.

_list:
    @just --list

# Three simulated networks, visitors, conversions and deliveries on this machine
demo *options:
    cargo run --release -- demo {{options}}

# Format, lints, documentation and all tests
test:
    sh tests/run.sh

# Format and lint
lint:
    cargo fmt --all
    cargo clippy --workspace --all-targets --all-features -- -D warnings

# Licences, sources and who may depend on what; `test` leaves it out, and it asks for no advisories (needs cargo-deny)
deny:
    cargo deny check licenses bans sources

# The documentation, opened
doc:
    cargo doc --workspace --no-deps --open

# The hub and its store broken under load, and an audit of what the networks counted
faults *options:
    cargo run --release -p postback-tests --bin faults -- {{options}}

# The hub beside peers that do the same work: rates, CPU time per request, latencies, memory
bench *options:
    cargo run --release -p postback-bench -- {{options}}
