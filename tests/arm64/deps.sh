#!/bin/sh
# What `make arm64` needs beside `make deps`.
set -eu

. "$(dirname "$0")/../need.sh"

need 'command -v aarch64-linux-gnu-g++' g++-aarch64-linux-gnu
need 'command -v qemu-aarch64-static' qemu-user-static

install_missing "Fedora, Arch: gcc-aarch64-linux-gnu with its libstdc++, qemu-user-static"
