#!/bin/sh
# Installs what the lab needs and this machine lacks. Costs nothing when all is there.
set -eu

missing=""
need() {  # need <test command> <Debian package>
  eval "$1" >/dev/null 2>&1 || missing="$missing $2"
}
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
need 'ls "$(clang++ -print-runtime-dir)"/libclang_rt.fuzzer*' libclang-rt-dev
need 'command -v valgrind' valgrind
need 'command -v wrk' wrk
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "Missing (by their Debian names):$missing" >&2
  echo "Fedora: dnf install gcc-c++ make pkgconf libevent-devel gtest-devel gmock-devel python3-pytest" \
       "python3-pytest-xdist python3-pytest-timeout python3-h11 curl strace nmap-ncat clang clang-tools-extra valgrind wrk" >&2
  echo "Arch:   pacman -S gcc make pkgconf libevent gtest python-pytest python-pytest-xdist" \
       "python-pytest-timeout python-h11 curl strace openbsd-netcat clang valgrind wrk" >&2
  exit 1
fi
as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo"
echo "installing:$missing" >&2
# shellcheck disable=SC2086
if ! DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq $missing >/dev/null 2>&1; then
  $as_root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq $missing >/dev/null
fi
