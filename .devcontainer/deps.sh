#!/bin/sh
# Installs what a machine has, and a bare container lacks.
set -eu
. "$(dirname "$0")/../tests/need.sh"

need 'command -v make' make
need 'command -v git' git
need 'test -e /etc/ssl/certs/ca-certificates.crt' ca-certificates
need 'command -v sudo' sudo
install_missing
