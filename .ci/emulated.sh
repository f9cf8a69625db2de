#!/usr/bin/env bash
# Runs a test program under FAULTLESS_TEST_EMULATOR, without the tests that emulated.txt lists. Arguments: the program,
# and what it is to be given.
set -euo pipefail
program=$1
shift
binary=$(basename "$program")
binary=${binary%-*}
emulator=$FAULTLESS_TEST_EMULATOR
kind=${emulator##*/}

left_out=()
while read -r where test why; do
    case $where in
    '' | '#'*) continue ;;
    "$kind" | "${kind%%-*}") ;;
    *) continue ;;
    esac
    # The name in the list is a pattern.
    if [[ $binary == $test ]]; then
        echo "left out: $test: $why"
        exit
    elif [ "${test%%::*}" = "$binary" ]; then
        left_out+=("${test#*::}")
        echo "left out: $test: $why"
    fi
done <"$(dirname "$0")/emulated.txt"

if [ ${#left_out[@]} -gt 0 ]; then
    # A line for a test that is gone would leave out its successor some day.
    missing=$(printf '%s: test\n' "${left_out[@]}" | grep -vxFf <("$emulator" "$program" --list 2>/dev/null) || true)
    if [ -n "$missing" ]; then
        printf 'emulated.txt names what %s does not have:\n%s\n' "$binary" "$missing" >&2
        exit 1
    fi
fi
exec "$emulator" "$program" "$@" --exact "${left_out[@]/#/--skip=}"
