# One door to every chore. `just check` is what CI runs, no more and no less.

# List the recipes.
default:
    @just --list

# Format, lints, tests, docs, the demo: exactly what CI runs.
check:
    .ci/run

# The tests.
test:
    cargo test

# The interface on the built-in demo model.
demo:
    cargo run --release -- demo

# Kernels, decoding, streaming: figures for the README's table.
bench:
    cargo bench

# Kernels beside memcpy on one core, in turns: the table of docs/performance.md.
ratios *names:
    cargo bench --bench ratios -- {{names}}

# The suite of kernels on 64-bit ARM, emulated: needs the target, a cross-linker and qemu-user.
kernels-arm:
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu" \
    cargo test --test kernels --target aarch64-unknown-linux-gnu

# Keys to the screen with 100 000 tensors, idle and beside an export and a scan: the tables of docs/performance.md.
latency:
    cargo bench --bench latency

# Instructions of some commands under callgrind, held to benches/instructions.tsv; `--write` takes new figures.
instructions *arguments:
    benches/instructions.sh {{arguments}}

# Exports beside llama-quantize, in turns: `just bench-peer LLAMA_QUANTIZE MODEL.gguf [IMATRIX] [--runs N]`.
bench-peer +arguments:
    cargo bench --bench peer -- {{arguments}}

# One model opened and scanned: index, reading, each method, all of them: `just scan MODEL.gguf [FORMAT] [--runs N]`.
scan +arguments:
    cargo bench --bench scan -- {{arguments}}

# Each method's memory, scaling over threads, and equal bytes: `just scaling MODEL.gguf… [--runs N]`.
scaling +arguments:
    cargo bench --bench scaling -- {{arguments}}

# Licences, advisories and sources of the dependencies; needs cargo-deny.
deny:
    cargo deny check

# A screenshot of a tmux pane as SVG: `just shoot PANE assets/screenshots/NAME.svg`.
shoot pane out:
    tmux capture-pane -e -p -t {{pane}} | python3 assets/shoot.py > {{out}}
