#!/bin/sh
# Installs what runs a student's code in a sandbox (make lab-grade), beyond what tests/deps.sh does.
set -eu

. "$(dirname "$0")/../need.sh"

need 'command -v bwrap' bubblewrap

install_missing "Fedora: dnf install bubblewrap" "Arch: pacman -S bubblewrap"
