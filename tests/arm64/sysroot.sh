#!/bin/sh
# sysroot.sh DIR: arm64's libevent, GoogleTest and what they need, unpacked into DIR. Debian's
# packages; nothing is installed, and nothing needs root: libevent-dev of two architectures cannot
# be installed side by side.
set -eu

dir=$1
[ -e "$dir/complete" ] && exit 0
mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
state=$(cd "$dir" && pwd)

apt() {
  apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Debug::NoLocking=1 \
    -o Dir::State::status=/dev/null -o "Dir::State::lists=$state/lists" \
    -o "Dir::Cache=$state/cache" -o APT::Sandbox::User= "$@"
}

apt update
apt install --download-only --no-install-recommends -y libevent-dev libgtest-dev libgmock-dev libstdc++6
for package in "$dir"/cache/archives/*.deb; do dpkg -x "$package" "$dir"; done
rm -r "$dir/lists" "$dir/cache"
touch "$dir/complete"
