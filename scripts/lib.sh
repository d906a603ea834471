# Shared by the scripts in this folder: find a Python, make an environment, install a Debian package.

say() { if [ -t 2 ]; then printf '\033[1m%s\033[0m\n' "$*" >&2; else printf '%s\n' "$*" >&2; fi; }
die() { printf 'error: %s\n' "$*" >&2; exit 2; }

find_python() {
  local name
  for name in python3 python3.13 python3.12 python3.11 python3.14; do
    if command -v "$name" >/dev/null 2>&1 &&
      "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  die "Python 3.11 or newer is needed. On Debian or Ubuntu: apt-get install python3 python3-venv"
}

# debian PACKAGE...: install packages if apt is there and we may; return 1 otherwise.
debian() {
  command -v apt-get >/dev/null 2>&1 || return 1
  local as=()
  if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || return 1
    as=(sudo -n)
  fi
  "${as[@]}" apt-get update -qq >/dev/null 2>&1 || true
  "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1
}

# make_venv FOLDER: an environment with pip in it; installs python3-venv where Debian leaves it out.
make_venv() {
  [ -x "$1/bin/pip" ] && return
  local python
  python=$(find_python)
  if ! "$python" -m venv "$1" >/dev/null 2>&1; then
    rm -rf "$1"
    debian python3-venv || die "'$python -m venv' does not work. On Debian or Ubuntu: apt-get install python3-venv"
    "$python" -m venv "$1" || die "could not make an environment in $1"
  fi
}

# install FOLDER ARGUMENT...: pip install into the environment, quietly.
install() {
  local folder=$1
  shift
  "$folder/bin/pip" install --quiet --disable-pip-version-check "$@"
}
