# Shared by the commands: makes .venv and keeps it as the lock file says. Sourced, not run.

say() { printf '%s\n' "$*" >&2; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"
  else say "This needs root: $*"; return 1; fi
}

# Install those Debian packages that are missing, in one go.
apt_install() {
  command -v apt-get >/dev/null || { say "Please install: $*"; return 1; }
  say "Installing $*"
  export DEBIAN_FRONTEND=noninteractive
  as_root apt-get update -qq >/dev/null || return 1
  as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# make_venv LOCKFILE: a virtual environment with exactly what the lock names. Quick when it has.
make_venv() {
  lock=$1
  python=${PYTHON:-python3}
  if ! [ -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    rm -rf .venv
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
      apt_install python3-venv ca-certificates || exit 1
    fi
    "$python" -m venv .venv || exit 1
  fi
  stamp=.venv/.$(basename "$lock").sha256
  wanted=$(sha256sum "$lock")
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && return 0
  say "Installing what $lock names"
  # uv is quicker; it must trust what the machine trusts. pip does the same, only slower.
  export UV_SYSTEM_CERTS=1 PIP_DISABLE_PIP_VERSION_CHECK=1
  [ -x .venv/bin/uv ] || .venv/bin/python -m pip install -q 'uv>=0.13,<1' || true
  .venv/bin/uv pip install -q --python .venv/bin/python --require-hashes -r "$lock" 2>/dev/null ||
    .venv/bin/python -m pip install -q --require-hashes -r "$lock" || exit 1
  printf '%s\n' "$wanted" >"$stamp"
}
