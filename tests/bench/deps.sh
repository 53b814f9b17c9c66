#!/bin/sh
# Installs what only the measurements need; `make bench` works without nginx and lighttpd.
set -eu
. "$(dirname "$0")/../need.sh"

need 'command -v wrk' wrk
need 'command -v nginx' nginx-light
need 'command -v lighttpd' lighttpd
need 'test -e /usr/include/benchmark/benchmark.h' libbenchmark-dev
need 'test -e /usr/include/http_parser.h' libhttp-parser-dev
need 'test -e /usr/share/llhttp/llhttp.c' node-llhttp
need 'command -v valgrind' valgrind
need 'command -v strace' strace
need '/usr/bin/python3 -c "import matplotlib"' python3-matplotlib
install_missing
