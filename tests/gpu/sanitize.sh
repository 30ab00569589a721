#!/usr/bin/env bash
# A small test program on a real GPU under one tool of compute-sanitizer: an error it finds fails the test. memcheck watches all
# kernels; the tools that follow shared memory watch ours, by their names in the sources: the libraries' are slow to follow, and
# not ours to mend.
#
#   sanitize.sh TOOL SANITIZER PROGRAM [ARGUMENTS...]
set -euo pipefail
tool=$1 sanitizer=$2
shift 2
skip() {
    echo "skipped: $*"
    exit 77
}
compgen -G '/dev/nvidia[0-9]*' >/dev/null || skip "no GPU here"
[ -x "$sanitizer" ] || skip "no compute-sanitizer: it is in a toolkit's bin, or scripts/cuda fetches it"

names() { cat kernels/cuda/*.cu | tr '\n' ' ' | grep -oE '__global__[^;{]*\{' | grep -oE '[a-z_]+\([^()]*\) *\{$' | grep -oE '^[a-z_]+' | sort -u; }

options=(--tool "$tool" --error-exitcode 1)
if [ "$tool" != memcheck ]; then
    for name in $(names); do
        options+=(--kernel-name "kns=$name")
    done
fi
"$sanitizer" "${options[@]}" "$@"
