#!/usr/bin/env bash
# A full disk: exit status 74 and a message that says so, no hang; with room again, the same command completes with the same
# content. A folder on a read-only file system: 77. Needs root for the mounts.
. tests/fault/lib.sh
[ "$(id -u)" -eq 0 ] || skip "only root may mount"
disk=$tmp/disk
mkdir "$disk"
mount -t tmpfs -o size=2m tmpfs "$disk" 2>"$tmp/err" || skip "no mounts here: $(cat "$tmp/err")"
on_exit+=("umount '$disk'")
mapfile -t options < <(small_options null)
corpus=$tmp/corpus.jsonl
"$DUNLIN" corpus generate -n 5000 --seed 12 --bad 3% -o "$corpus"
tweets "$corpus" "$tmp/calm" "${options[@]}" >"$tmp/summary"
expected=$(all_of "$tmp/calm")

for ranks in 1 2; do
    out=$disk/out$ranks
    for size in 1m 2m 3m; do
        status=0
        mount -o remount,size=$size "$disk"
        if [ $ranks -eq 1 ]; then
            timeout 60 "$DUNLIN" run jobs/tweets.yaml --broker none --replay "$corpus" --set output="$out" -q \
                "${options[@]}" >"$tmp/summary" 2>"$tmp/err" || status=$?
        else
            timeout 60 "$MPIRUN" -n 2 --oversubscribe --bind-to none "$DUNLIN" run jobs/tweets.yaml --broker none \
                --replay "$corpus" --set output="$out" -q "${options[@]}" >"$tmp/summary" 2>"$tmp/err" || status=$?
        fi
        equal "status on a full disk of $size with $ranks ranks" "$status" 74
        grep -q "E1702.*$disk.*No space left\|E1702.*$disk.*full" "$tmp/err" || fail "the message on $size: $(cat "$tmp/err")"
    done
    mount -o remount,size=200m "$disk"
    tweets "$corpus" "$out" "${options[@]}" >"$tmp/summary" 2>"$tmp/err" || fail "with room again: $(cat "$tmp/err")"
    equal "rows, letters, topic after a full disk" "$(all_of "$out")" "$expected"
    rm -rf "$out"
done

# More records than a queue holds: the pipeline before the one that failed is stopped, and is not the one that is named.
"$DUNLIN" corpus generate -n 60000 --seed 12 -o "$tmp/long.jsonl"
mount -o remount,size=3m "$disk"
status=0
tweets "$tmp/long.jsonl" "$disk/long" "${options[@]}" >"$tmp/summary" 2>"$tmp/err" || status=$?
equal "status of a long run on a full disk" "$status" 74
grep -q 'E1702' "$tmp/err" || fail "the long run's message: $(cat "$tmp/err")"
rm -rf "$disk/long"

mount -o remount,ro "$disk"
status=0
tweets "$corpus" "$disk/new" "${options[@]}" >"$tmp/summary" 2>"$tmp/err" || status=$?
equal "status on a read-only disk" "$status" 77
grep -q 'E1901.*choose another folder with --set output=DIR' "$tmp/err" || fail "read-only: $(cat "$tmp/err")"
finish
