# What the recipes share; sourced by guest/kernel/fetch-kernel, guest/initrd/build-initrd and guest/image/build-image.
#
# A recipe prints the path of what it made on stdout and everything else on stderr. What it makes is named after a hash of
# all that went into it and appears under its name only when complete. Nothing is installed on the host and no
# recipe needs to be root.

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin  # the system's tools, whatever the caller has first
recipe=$(basename "$0")

progress() { echo "$recipe: $*" >&2; }

# fail MESSAGE REMEDY: says what is wrong and what to do, and ends the recipe.
fail() {
  echo "$recipe: $1" >&2
  echo "$recipe: remedy: $2" >&2
  exit 1
}

require_commands() {
  local command
  for command in "$@"; do
    command -v "$command" >/dev/null || fail "the command $command is missing" "run scripts/setup"
  done
}

# One recipe at a time works in a cache folder; whoever comes second finds the work done. The lock goes with the process.
enter_cache() {
  cache=$1
  mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] || fail "cannot write to $cache" "choose a folder of your own with XDG_CACHE_HOME"
  cache=$(realpath "$cache")
  exec 9>"$cache/.lock"
  flock 9
  work=
  fallback=
  trap leave EXIT
}

# Clears up. When newer packages could not be had, what was made of older ones serves on.
leave() {
  local code=$?
  [ -z "$work" ] || rm -rf "$work"
  if [ "$code" -eq 1 ] && [ -n "$fallback" ]; then
    progress "going on with what there is"
    echo "$fallback"
    exit 0
  fi
}

# A scratch folder in the cache (so that a rename is one step), with at least this much room; gone when the recipe ends.
enter_work() {
  local need_mib=$1 free_kib
  free_kib=$(df -Pk "$cache" | awk 'NR == 2 { print $4 }')
  [ "$free_kib" -ge $((need_mib * 1024)) ] ||
    fail "$cache has $((free_kib / 1024)) MiB free, $need_mib MiB are needed" "free some space, or set XDG_CACHE_HOME to a larger disk"
  rm -rf "$cache"/.work.*  # left by a recipe that was killed: the lock says nobody is in there
  work=$(mktemp -d "$cache/.work.XXXXXX")
}

hash_of() { sha256sum | cut -c 1-16; }

# apt as it stands on this machine, its sources, proxies and keys; but as if nothing were installed, so that the
# whole closure of dependencies comes out, and leaving the machine's own package cache alone.
apt_get() {
  LC_ALL=C apt-get -qq -o Dir::State::status=/dev/null -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
    -o Dir::Cache::archives="${work:-/var/empty}/packages" -o Debug::NoLocking=true -o APT::Sandbox::User=root -o APT::Install-Recommends=false -o APT::Install-Suggests=false "$@"
}

# Changes whenever `apt-get update` brought something new.
apt_lists_stamp() {
  local folder
  eval "$(apt-config shell folder Dir::State::lists/d)"
  stat -c '%n %s %Y' "$folder"*_Packages* 2>/dev/null || true
}

# package_closure PACKAGE...: one line "file-name uri" for each package that has to be unpacked.
package_closure() {
  local answer
  if ! answer=$(apt_get --print-uris -y install "$@" 2>&1); then
    fail "apt cannot find the packages: $(head -n 1 <<<"$answer")" "run apt-get update as root, and check that /etc/apt names Debian 12's main and security archives"
  fi
  awk -F"'" '/^\047/ { split($3, field, " "); print field[1], $2 }' <<<"$answer" | sort
}

# download PACKAGE...: the closure into $work/packages; apt verifies signatures and hashes.
download() {
  mkdir -p "$work/packages/partial"
  download_with --download-only -y install "$@"
}

# fetch_package PACKAGE: this one alone, likewise.
fetch_package() {
  mkdir -p "$work/packages"
  (cd "$work/packages" && download_with download "$1")
}

download_with() {
  local answer
  if ! answer=$(apt_get -o Acquire::Retries=3 "$@" 2>&1); then
    fail "the download failed: $(grep -m 1 '^E:' <<<"$answer" || tail -n 1 <<<"$answer")" "check the network and apt's proxy settings; if the archive has moved on, run apt-get update as root"
  fi
}

# unchanged_since STAMP LAST: prints the output that LAST remembers and succeeds when nothing it depends on has changed;
# otherwise keeps that output, if there is one, to fall back on.
unchanged_since() {
  local stamp=$1 last=$2 recorded output
  [ -f "$last" ] || return 1
  { read -r recorded && read -r output; } <"$last" || return 1
  [ -e "$output" ] || return 1
  touch -c "$output"
  if [ "$recorded" != "$stamp" ]; then
    fallback=$output
    return 1
  fi
  echo "$output"
}

# remember STAMP LAST OUTPUT: for unchanged_since.
remember() {
  local stamp=$1 last=$2 output=$3
  printf '%s\n%s\n' "$stamp" "$output" >"$last.new"
  mv "$last.new" "$last"
}

# What nobody has used for a week goes. A guest that has a file open keeps it until it ends.
forget_unused() { find "$1" -mindepth 1 -maxdepth 1 -mtime +7 -exec rm -rf {} +; }
