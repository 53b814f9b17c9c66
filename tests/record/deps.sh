#!/bin/sh
# Installs what only recordings need.
set -eu
. "$(dirname "$0")/../need.sh"

need 'command -v gdb' gdb
install_missing
