#!/bin/sh
# Installs hookline on Linux or macOS: downloads the archive of this machine, checks its SHA-256, unpacks it.
#
#   HOOKLINE_RELEASES=https://example.com/releases sh install.sh      from a web server
#   HOOKLINE_RELEASES=/media/releases sh install.sh                   from a folder
#   sh install.sh                                                     from the folder that this script lies in
#
# HOOKLINE_VERSION  the version (default: the only one there, which SHA256SUMS names)
# HOOKLINE_TARGET   the platform, as linux-x64-musl (default: this machine's)
# HOOKLINE_PREFIX   where bin/ and share/ are (default: /usr/local as root, else ~/.local)
set -eu

fail() { printf 'install.sh: %s\n' "$1" >&2; exit 1; }

here=$(cd "$(dirname "$0")" 2>/dev/null && pwd) || here=.
releases=${HOOKLINE_RELEASES:-$here}
if [ -n "${HOOKLINE_PREFIX:-}" ]; then prefix=$HOOKLINE_PREFIX
elif [ "$(id -u)" = 0 ]; then prefix=/usr/local
else prefix=$HOME/.local
fi

# The name of this machine's platform, as it stands in the names of the archives.
find_target() {
  case "$(uname -m)" in
    x86_64 | amd64) cpu=x64 ;;
    aarch64 | arm64) cpu=arm64 ;;
    *) fail "there is no release for the processor $(uname -m)" ;;
  esac
  case "$(uname -s)" in
    Linux)
      if ls /lib/ld-musl-* >/dev/null 2>&1 && ! ls /lib64/ld-linux-* /lib/ld-linux-* >/dev/null 2>&1; then
        echo "linux-$cpu-musl"
      # Processors from before 2013, and some virtual machines, have no AVX2.
      elif [ $cpu = x64 ] && ! grep -qm1 -w avx2 /proc/cpuinfo; then
        echo linux-x64-baseline
      else
        echo "linux-$cpu"
      fi ;;
    Darwin)
      # A shell that runs under Rosetta calls an Apple processor x86_64.
      if [ "$(sysctl -n sysctl.proc_translated 2>/dev/null)" = 1 ]; then cpu=arm64; fi
      echo "darwin-$cpu" ;;
    *) fail "there is no release for $(uname -s) that this script can install" ;;
  esac
}

# fetch NAME FILE: from a web server or a folder.
fetch() {
  case "$releases" in
    http://* | https://*)
      if command -v curl >/dev/null; then
        curl -fsSL --retry 3 -o "$2" "$releases/$1" || fail "$releases/$1 could not be downloaded"
      elif command -v wget >/dev/null; then
        wget -q -O "$2" "$releases/$1" || fail "$releases/$1 could not be downloaded"
      else
        fail "curl or wget is needed"
      fi ;;
    *)
      [ -f "$releases/$1" ] || fail "$releases/$1 is not there: HOOKLINE_RELEASES names the folder or the address of a release"
      cp "$releases/$1" "$2" ;;
  esac
}

sum_of() {
  if command -v sha256sum >/dev/null; then sha256sum "$1" | cut -d ' ' -f 1
  elif command -v shasum >/dev/null; then shasum -a 256 "$1" | cut -d ' ' -f 1
  else fail "sha256sum or shasum is needed: an archive that is not checked is not installed"
  fi
}

target=${HOOKLINE_TARGET:-$(find_target)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
fetch SHA256SUMS "$work/SHA256SUMS"

version=${HOOKLINE_VERSION:-'[0-9][^ -]*'}
line=$(grep -E "^[0-9a-f]{64}  hookline-$version-$target\.tar\.gz\$" "$work/SHA256SUMS") ||
  fail "SHA256SUMS names no archive for $target${HOOKLINE_VERSION:+ in version $HOOKLINE_VERSION}"
[ "$(printf '%s\n' "$line" | wc -l)" -eq 1 ] || fail "several versions are there: choose one with HOOKLINE_VERSION"
expected=${line%% *}
archive=${line##* }

fetch "$archive" "$work/$archive"
found=$(sum_of "$work/$archive")
[ "$found" = "$expected" ] || fail "$archive is damaged or was changed: its SHA-256 is
  $found, SHA256SUMS says
  $expected"

tar -xzf "$work/$archive" -C "$work"
folder=$work/${archive%.tar.gz}
# The old executable may be running: it is replaced by renaming, not overwritten.
mkdir -p "$prefix/bin" "$prefix/share/man/man1" "$prefix/share/doc/hookline"
cp "$folder/hookline" "$prefix/bin/.hookline.new"
chmod 755 "$prefix/bin/.hookline.new"
mv -f "$prefix/bin/.hookline.new" "$prefix/bin/hookline"
cp "$folder/hookline.1" "$prefix/share/man/man1/"
cp "$folder/LICENSE" "$folder/THIRD-PARTY-LICENSES" "$prefix/share/doc/hookline/"
for files in bash:bash-completion/completions/hookline:hookline.bash \
  zsh:zsh/site-functions/_hookline:_hookline fish:fish/vendor_completions.d/hookline.fish:hookline.fish; do
  place=$(printf '%s' "$files" | cut -d : -f 2)
  mkdir -p "$prefix/share/$(dirname "$place")"
  cp "$folder/completions/${files##*:}" "$prefix/share/$place"
done

"$prefix/bin/hookline" version >/dev/null 2>&1 ||
  fail "$prefix/bin/hookline does not run on this machine ($target); HOOKLINE_TARGET chooses another platform"
printf 'installed hookline %s as %s/bin/hookline\n' "$("$prefix/bin/hookline" version | head -n 1)" "$prefix"
case ":$PATH:" in
  *":$prefix/bin:"*) ;;
  *) printf '%s is not in your PATH: add it, or call hookline by its path\n' "$prefix/bin" ;;
esac
