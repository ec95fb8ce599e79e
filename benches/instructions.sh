#!/usr/bin/env bash
# Counts the instructions of some commands of the release build under callgrind and holds them to
# benches/instructions.tsv: a guard against becoming slower that does not know the clock. More than a tenth above a figure
# fails; what is a tenth below asks for a new figure. Another compiler than the figures' gives other figures: then they are
# shown, and nothing fails.
# usage: benches/instructions.sh [--write]
# Without valgrind, and without a way to install it, nothing is counted, and that is said.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
figures=benches/instructions.tsv
margin=10

if ! command -v valgrind >/dev/null; then
    root=(); [ "$(id -u)" = 0 ] || root=(sudo -n)
    { "${root[@]}" apt-get update && "${root[@]}" apt-get install -y --no-install-recommends valgrind; } >/dev/null 2>&1 || true
fi
if ! valgrind --version >/dev/null 2>&1; then
    echo "instructions are not counted: there is no valgrind here, and it could not be installed"
    exit 0
fi
case $(uname -m) in x86_64) ;; *) echo "instructions are not counted: the figures are those of x86_64"; exit 0 ;; esac

cargo build --locked --release --quiet
program=${CARGO_TARGET_DIR:-$PWD/target}/release/tritscope
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CONFIG_HOME=$work XDG_STATE_HOME=$work
"$program" demo --write "$work/demo.gguf" >/dev/null
"$program" demo --tensors 20000 --write "$work/large.gguf" >/dev/null
kernels=(scalar)
grep -qw avx2 /proc/cpuinfo && kernels+=(avx2)

# count NAME COMMAND…: a line of the name and the instructions.
count() {
    local name=$1; shift
    local said
    if ! said=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 >/dev/null); then
        printf '%s\n' "$said" >&2
        return 1
    fi
    printf '%s\t%s\n' "$name" "$(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' <<<"$said")"
}

quantize() { # quantize KERNEL FORMAT METHOD
    TRITSCOPE_KERNEL=$1 count "$1 $2 $3" "$program" quantize "$work/demo.gguf" --threads 1 -o "$work/out.gguf" --force \
        --layers all --format "$2" --method "$3" --verify none --no-sync
}

measured=$work/measured.tsv
{
    count "open 20000 tensors" "$program" inspect "$work/large.gguf"
    for kernel in "${kernels[@]}"; do
        for method in absmean exact; do quantize "$kernel" tq2_0 "$method"; done
        quantize "$kernel" q2_0 exact
        quantize "$kernel" tq1_0 absmean
    done
    count "repack tq1_0 to tq2_0" "$program" repack "$work/out.gguf" --threads 1 -o "$work/back.gguf" --to tq2_0 \
        --verify none --no-sync
} >"$measured"

compiler=$(rustc --version)
if [ "${1-}" = --write ]; then
    { printf '# %s\n' "$compiler"; cat "$measured"; } >"$figures"
    cat "$figures"
    exit 0
fi
grep -qxF "# $compiler" "$figures" || { echo "the figures are another compiler's: $(head -1 "$figures")"; margin=1000; }
awk -F '\t' -v margin="$margin" '
    /^#/ { next }
    NR == FNR { figure[$1] = $2; next }
    !($1 in figure) { print $1 ": no figure in " FILENAME; bad = 1; next }
    {
        change = 100 * ($2 / figure[$1] - 1)
        printf "%-28s %14d %+7.1f %%\n", $1, $2, change
        if (change > margin) { print "  more than " margin " % above the figure"; bad = 1 }
        if (change < -margin) print "  better than the figure: benches/instructions.sh --write"
    }
    END { exit bad }' "$figures" "$measured"
