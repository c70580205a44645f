# What image/assemble and image/bundle share: the plan of a card, what may go onto it, and where their tools run.
# Sourced by bash after lib.sh.

DISK_ID=de5cbe11                     # of every card: partitions are de5cbe11-01 to -04
FAT_MIB=128 SLOT_MIB=1280 DATA_MIB=64
STATE_SECTOR=2048                    # the bootloader's block, 1 MiB from the start of the card
ROOT_LIMIT_BYTES=700000000
ROOT_UUID=de5cbe11-0000-4000-8000-000000000001
export TZ=UTC LC_ALL=C.UTF-8

# The day of all that is made, unless SOURCE_DATE_EPOCH says another: the root's own.
dated_as() {
  export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(stat -c %Y "$1/usr/lib/clock-epoch" 2>/dev/null || echo 1767225600)}
}

# Runs this command again inside the workshop, unless it is there already: the tree is /mnt/tree, the folder of the
# result /mnt/out, the files KEY and CERT (if set) /mnt/key and /mnt/cert. So every machine makes the same bytes.
in_the_workshop() {
  local command=$1 tree=$2 out=$3 status=0 stage file; shift 3
  [ "$REPO" != /usr/lib/deskbell ] || return 0
  is_root || refuse "an image is made as root. Run this with sudo."
  [ -d "$tree" ] || refuse "there is no folder $tree."
  [ -d "$(dirname "$out")" ] || refuse "there is no folder $(dirname "$out") to write to."
  must_be_debian
  "$REPO/image/rootfs" --workshop
  stage=$(mktemp -d)
  mkdir "$stage/tree" "$stage/out"
  touch "$stage/key" "$stage/cert"
  unshare -m bash -euc 'mount --make-rprivate /
    mount --rbind "$2" "$1/tree"
    mount --bind "$3" "$1/out"
    [ -z "$4" ] || mount --bind "$4" "$1/key"
    [ -z "$5" ] || mount --bind "$5" "$1/cert"
    stage=$1; shift 5
    setpriv --pdeathsig KILL "$0" --workshop --share "$stage" "$@"' "$REPO/image/enter" \
    "$stage" "$tree" "$(dirname "$out")" "${KEY-}" "${CERT-}" env "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" \
    "image/$command" /mnt/tree "/mnt/out/$(basename "$out")" "$@" || status=$?
  rm "$stage/key" "$stage/cert"
  rmdir "$stage/tree" "$stage/out" "$stage"
  exit "$status"
}

# The file a path of the tree means, its links followed inside the tree.
in_tree() {
  local at=$1/$2 goal _
  for _ in 1 2 3 4 5; do
    [ -L "$at" ] || break
    goal=$(readlink "$at")
    case $goal in /*) at=$1$goal ;; *) at=$(dirname "$at")/$goal ;; esac
  done
  printf '%s\n' "$at"
}

# Refuses a tree that would not start, is too large, or holds what must not be given away.
check_tree() {
  local tree=$1 bytes path found
  bytes=$(du -s --apparent-size --block-size=1 "$tree" | cut -f1)
  [ "$bytes" -le "$ROOT_LIMIT_BYTES" ] || refuse "the root has $((bytes / 1000000)) MB and may have" \
    "$((ROOT_LIMIT_BYTES / 1000000)). Name fewer packages in image/image-packages.txt, or prune more in image/making.sh."
  for path in boot/vmlinuz boot/initrd.img; do
    [ -s "$(in_tree "$tree" "$path")" ] || refuse "the root has no /$path: nothing would start from it."
  done
  found=$(secrets_in "$tree" | head -n 5 | paste -sd '|' | sed 's/|/, /g')
  [ -z "$found" ] || refuse "the root holds what every box would share: $found."
}

# One line for each thing in a tree that is a box's own, or this machine's.
secrets_in() {
  local tree=$1 path
  (
    cd "$tree"
    # A library may hold the keys of its own tests, as GnuTLS does.
    LC_ALL=C grep -rlazP --exclude-dir=modules --exclude='*.so*' \
      -e '-----BEGIN [A-Z ]*PRIVATE KEY-----\s*\n[A-Za-z0-9+/=\s]{60}' . |
      sed 's|^\.|a private key in |' || true
    [ ! -f etc/shadow ] || awk -F: '$2 !~ /^[!*]/ { print "a password of " $1 " in /etc/shadow" }' etc/shadow
    for path in etc/ssh/ssh_host_* var/lib/systemd/random-seed root/.ssh/* etc/apt/sources.list{,.d/*} \
      var/lib/apt/lists/* var/lib/dbus/machine-id etc/machine-id boot/firmware/*; do
      [ ! -s "$path" ] || [ -L "$path" ] || { [ -d "$path" ] && [ -z "$(ls -A "$path")" ]; } ||
        grep -qx uninitialized "$path" 2>/dev/null || echo "/$path"
    done
    grep -rlisE 'Acquire::https?::Proxy' etc/apt | sed 's|^|the proxy of this machine in /|' || true
  )
}

# A tree as an ext4 file system of so many MiB, the same bytes for the same tree: it is only ever read, so no journal.
# mke2fs makes nothing younger than SOURCE_DATE_EPOCH; when a file was last read is told to nobody.
root_filesystem() {
  local tree=$1 out=$2 mib=$3
  truncate -s "${mib}M" "$out"
  tar -C "$tree" --sort=name --numeric-owner --xattrs --xattrs-include='*' --pax-option=delete=atime,delete=ctime \
    --one-file-system -cf - . |
    mke2fs -q -t ext4 -L deskbell-root -U "$ROOT_UUID" -E "hash_seed=$ROOT_UUID,root_owner=0:0" -m 0 \
      -O '^has_journal,^metadata_csum_seed,^orphan_file' -d - "$out" 2>"$out.log" || {
    grep -qE 'allocate|No space|too (small|large)' "$out.log" ||
      { cat "$out.log" >&2; refuse "the root could not be made into a file system (last words above)."; }
    refuse "a root of $(du -sm --apparent-size "$tree" | cut -f1) MB does not fit into a slot of $mib MiB."
  }
}
