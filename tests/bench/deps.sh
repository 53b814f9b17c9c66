#!/bin/sh
# Installs what only the measurements need; `make bench` works without nginx and lighttpd.
set -eu
missing=""
need() { eval "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need 'command -v wrk' wrk
need 'command -v nginx' nginx-light
need 'command -v lighttpd' lighttpd
need 'test -e /usr/include/benchmark/benchmark.h' libbenchmark-dev
need 'test -e /usr/include/http_parser.h' libhttp-parser-dev
need 'command -v valgrind' valgrind
need 'command -v strace' strace
need '/usr/bin/python3 -c "import matplotlib"' python3-matplotlib
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "Missing (by their Debian names):$missing" >&2
  exit 1
fi
as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo"
echo "installing:$missing" >&2
# shellcheck disable=SC2086
$as_root apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
