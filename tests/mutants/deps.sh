#!/bin/sh
# Installs what only `make mutants` needs.
set -eu
. "$(dirname "$0")/../need.sh"

python=/usr/bin/python3
[ -x "$python" ] || python=python3

need "$python -c 'import clang.cindex'" python3-clang
need 'command -v ccache' ccache
install_missing
