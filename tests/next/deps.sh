#!/bin/sh
# What `make next` and `make stuck` need beside `make deps`.
set -eu
. "$(dirname "$0")/../need.sh"

need 'test -e /usr/include/liburing.h' liburing-dev
need 'test -e /usr/include/openssl/ssl.h' libssl-dev
need 'command -v openssl' openssl
need 'command -v gdb' gdb
need 'command -v ss' iproute2

install_missing "Fedora: dnf install liburing-devel openssl-devel openssl gdb iproute" \
  "Arch: pacman -S liburing openssl gdb iproute2"
