#!/bin/sh
# Installs what only recordings need.
set -eu
. "$(dirname "$0")/../need.sh"

need 'gdb -nx -batch -ex "python import json"' gdb  # gdb-minimal has no Python
install_missing
