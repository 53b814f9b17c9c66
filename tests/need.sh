# For deps.sh files to source: need() notes what is missing, install_missing installs it with apt.
# shellcheck shell=sh

missing=""

need() {  # need <test command> <Debian package>
  eval "$1" >/dev/null 2>&1 || missing="$missing $2"
}

# Elsewhere than on Debian and its kin it prints the names, then its arguments (other systems'), and
# fails.
install_missing() {
  [ -z "$missing" ] && return 0
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "Missing (by their Debian names):$missing" >&2
    printf '%s\n' "$@" >&2
    return 1
  fi
  as_root=""
  if [ "$(id -u)" != 0 ]; then
    as_root="sudo"
    # Without a terminal sudo has nobody to ask for a password.
    [ -t 0 ] || as_root="sudo -n"
    if ! command -v sudo >/dev/null 2>&1 || { [ ! -t 0 ] && ! sudo -n true 2>/dev/null; }; then
      echo "missing, and not yours to install. Ask your administrator:" >&2
      echo "  apt-get install$missing" >&2
      return 1
    fi
  fi
  echo "installing:$missing" >&2
  # Another check may be installing at the moment: wait for it.
  install="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y -qq"
  # The package lists may be old, or not there at all: try with them, then with fresh ones. (Where
  # another check fetches them, this one may not.)
  # shellcheck disable=SC2086
  $install $missing >/dev/null 2>&1 || { $as_root apt-get update -qq || true; $install $missing >/dev/null; }
}
