#!/bin/sh
# run.sh BINARY TARGET SECONDS: one fuzz target for so long, on top of its committed corpus.
set -eu
found=build/fuzz/$2
mkdir -p "$found/corpus"
corpus=tests/fuzz/corpus/$2
[ "$2" != steps ] || corpus=tests/fuzz/corpus/parser  # the same inputs, another question
options="-max_total_time=$3 -max_len=4096 -timeout=10 -rss_limit_mb=1024 -verbosity=0"
[ "$2" = options ] || [ "$2" = scan ] || options="$options -dict=tests/fuzz/http.dict"
# shellcheck disable=SC2086
if "$1" $options -print_final_stats=1 -artifact_prefix="$found/" \
    "$found/corpus" "$corpus" >"$found/log" 2>&1; then
  printf '%-8s %10s inputs  nothing found\n' "$2" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$found/log")"
else
  grep -E '^violated|ERROR|runtime error|Test unit written' "$found/log" || tail -n 20 "$found/log"
  echo "$2: the input is in $found, the report in $found/log" >&2
  exit 1
fi
