#!/bin/sh
# Installs what only `make lint` needs.
set -eu
. "$(dirname "$0")/../need.sh"

need '/usr/bin/python3 -m flake8 --version' flake8
need '/usr/bin/python3 -m autopep8 --version' python3-autopep8
need 'command -v shellcheck' shellcheck
need 'command -v codespell' codespell
install_missing
