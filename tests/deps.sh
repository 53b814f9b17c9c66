#!/bin/sh
# Installs what the lab needs and this machine lacks. Costs nothing when all is there.
set -eu

. "$(dirname "$0")/need.sh"

python=/usr/bin/python3
[ -x "$python" ] || python=python3

need 'command -v g++' g++
need 'command -v pkg-config' pkg-config
need 'pkg-config --exists libevent' libevent-dev
need 'test -e /usr/include/gtest/gtest.h' libgtest-dev
need 'test -e /usr/include/gmock/gmock.h' libgmock-dev
need "command -v $python" python3
need "$python -c 'import pytest'" python3-pytest
need "$python -c 'import xdist'" python3-pytest-xdist
need "$python -c 'import pytest_timeout'" python3-pytest-timeout
need "$python -c 'import h11'" python3-h11
need 'command -v curl' curl
need 'command -v patch' patch
need 'command -v strace' strace
need 'command -v pgrep' procps
need 'nc -h 2>&1 | grep -q -- -N' netcat-openbsd
need 'command -v clang-format' clang-format
need 'command -v clang-tidy' clang-tidy
need 'command -v clang++' clang
# In lib/linux or in lib/x86_64-pc-linux-gnu, as the version likes.
need 'ls "$(clang++ -print-resource-dir)"/lib/*/libclang_rt.fuzzer*' libclang-rt-dev
need 'command -v valgrind' valgrind
need 'command -v wrk' wrk

install_missing \
  "Fedora: dnf install gcc-c++ make pkgconf libevent-devel gtest-devel gmock-devel python3-pytest" \
  "  python3-pytest-xdist python3-pytest-timeout python3-h11 curl patch procps-ng strace nmap-ncat clang" \
  "  clang-tools-extra compiler-rt valgrind wrk" \
  "Arch: pacman -S gcc make pkgconf libevent gtest python-pytest python-pytest-xdist" \
  "  python-pytest-timeout python-h11 curl patch procps-ng strace openbsd-netcat clang compiler-rt valgrind wrk"
