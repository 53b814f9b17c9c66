#!/bin/sh
# Installs the Debian packages named as arguments that are missing: for targets that most never need.
set -eu
. "$(dirname "$0")/../need.sh"

for package in "$@"; do
  need "dpkg-query -W -f '\${Status}' $package | grep -q ' installed\$'" "$package"
done
install_missing
