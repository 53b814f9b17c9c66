#!/bin/sh
# Installs what only `make coverage` needs.
set -eu
. "$(dirname "$0")/../need.sh"

need 'command -v gcovr' gcovr
install_missing
