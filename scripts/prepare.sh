# Sourced by scripts/run, scripts/test and the benches: the tools and packages this project is pinned to.
#
# Expects nothing but bash, git, Node 20 or newer and npm. Everything it installs stays inside the
# repository (.tools/, node_modules/, dist/). Each step looks first and does nothing when it is done.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root"

say() { printf '%s\n' "==> $*" >&2; }
fail() { printf '%s\n' "error: $*" >&2; exit 1; }

command -v node >/dev/null || fail "Node 20 or newer is needed and 'node' is not on the PATH"
command -v npm >/dev/null || fail "npm is needed and is not on the PATH"

bun_version=$(node -e '
  const major = Number(process.versions.node.split(".")[0]);
  if (major < 20) { console.error(`error: Node 20 or newer is needed, this is ${process.version}`); process.exit(1); }
  const pin = require("./package.json").packageManager;
  process.stdout.write(pin.replace(/^bun@/, "").replace(/\+.*$/, ""));
')

is_pinned_bun() { [ -x "$1" ] && [ "$("$1" --version 2>/dev/null)" = "$bun_version" ]; }

# Prints the path of a Bun of the pinned version, or nothing. npm may refuse to run the postinstall script
# that moves the fitting binary out of its platform package, so all places where one can be are tried.
find_bun() {
  local candidate
  for candidate in .tools/bin/bun .tools/node_modules/bun/bin/bun.exe .tools/node_modules/@oven/bun-*/bin/bun "$(command -v bun || true)"; do
    if is_pinned_bun "$candidate"; then
      readlink -f "$candidate"
      return
    fi
  done
}

# Puts `bun` of the pinned version, and the packages' commands, first on the PATH.
ensure_bun() {
  local bun
  bun=$(find_bun)
  if [ -z "$bun" ]; then
    say "installing Bun $bun_version into .tools"
    mkdir -p .tools
    npm install --prefix .tools --no-save --no-audit --no-fund --loglevel=error "bun@$bun_version" >&2
    bun=$(find_bun)
    [ -n "$bun" ] || fail "npm installed bun@$bun_version, but none of its binaries runs on this machine"
  fi
  if [ "$(readlink -f .tools/bin/bun 2>/dev/null)" != "$bun" ]; then
    mkdir -p .tools/bin
    ln -sfn "$bun" .tools/bin/bun
  fi
  export PATH="$root/.tools/bin:$root/node_modules/.bin:$PATH"
}

# Installs the packages of bun.lock, exactly; does nothing while package.json and bun.lock are the ones installed.
ensure_packages() {
  local stamp=node_modules/.hookline-stamp wanted
  wanted=$(cat package.json bun.lock | sha256sum)
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    say "installing packages from bun.lock"
    bun install --frozen-lockfile >&2
    printf '%s' "$wanted" > "$stamp"
  fi
}

# Builds dist/hookline when a source, a package or the build itself changed.
ensure_executable() { bun scripts/build.ts --if-stale >&2; }
