# How each layer is made. Sourced by image/lib.sh; the text of a function is part of its layer's hash.
# Each is called with the folder of the new layer, inside private mount and process namespaces,
# with no standard input; what it prints is shown only when it fails.

listed() { sed 's/#.*//' "$1" | xargs; }

pip_into() {
  "$(command -v pip3 || echo pip)" --quiet --disable-pip-version-check --no-input --retries 2 --timeout 20 install --root-user-action=ignore \
    --require-hashes --no-deps --only-binary=:all: --python-version 3.14 --no-compile --target "$2" -r "$1"
}

in_root() {
  local root=$1; shift
  env -u TMPDIR LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"
}

# lower folders (top first, by colons), upper folder, place
overlay_at() {
  mount -t overlay deskbell -o "lowerdir=$1,upperdir=$2,workdir=$2.work,redirect_dir=off,metacopy=off,index=off" "$3"
}

build_root() {
  local new=$1 pip=$1.pip options=() key
  pip_into "$REPO/image/requirements.txt" "$pip" & local fetching=$!
  # A mirror may lag behind Debian's own dates. Documents and other languages stay out of a box.
  for key in 'Acquire::Check-Valid-Until "false"' 'Apt::Install-Recommends "false"' 'Acquire::Languages "none"' \
    'Acquire::http::Timeout "20"' 'Acquire::Retries "2"'; do options+=("--aptopt=$key"); done
  for key in doc man locale info; do
    options+=("--dpkgopt=path-exclude=/usr/share/$key/*"); done
  options+=("--dpkgopt=path-include=/usr/share/doc/*/copyright")       # the licences of what we give away
  env -u TMPDIR LC_ALL=C.UTF-8 mmdebstrap --mode=root --variant=minbase --dpkgopt=force-unsafe-io "${options[@]}" \
    --include="$(listed "$REPO/image/packages.txt" | tr ' ' ,)" forky "$new" ${MIRROR:+"$MIRROR"} \
    2> >(tee /dev/stderr | sed -un 's/^I: \([a-z][a-z ,-]*\.\.\.\)$/  \1/p' >&3)
  wait "$fetching"
  rm -rf "$pip/bin"
  cp -a "$pip/." "$new/usr/lib/python3/dist-packages/"
  in_root "$new" python3 -m compileall -q /usr/lib/python3/dist-packages
  rm -f "$new/etc/resolv.conf" "$new/etc/hostname"
  mkdir "$new/usr/lib/deskbell"
  [ -z "$(in_root "$new" dpkg --audit)" ] || { echo "some packages are not configured"; return 1; }
}

# One of our files, into $1; $2 its mode, $3 its path in the repo, $4 its path there, which is printed.
lay() { install -D -m"$2" "$REPO/$3" "$1/$4" && echo "$4"; }

# Everything of ours but the code, into the root $1. Prints the path of each file: image/install keeps them.
house_files() {
  local at=$1 file
  lay "$at" 755 image/deskbell usr/bin/deskbell
  for file in sysusers tmpfiles; do lay "$at" 644 "systemd/$file.conf" "usr/lib/$file.d/deskbell.conf"; done
  while read -r file; do lay "$at" 644 "systemd/$file" "usr/lib/systemd/system/$file"; done < <(cd "$REPO/systemd" &&
    find . \( -name '*.service' -o -name '*.target' -o -name '*.path' -o -name '*.timer' -o -path '*.d/*.conf' \) -printf '%P\n')
  while read -r file; do lay "$at" 644 "hw/udev/$file" "usr/lib/udev/rules.d/$file"; done < <(cd "$REPO/hw/udev" && ls)
  while read -r file; do lay "$at" 644 "image/asterisk/$file" "etc/asterisk/$file"; done < <(cd "$REPO/image/asterisk" &&
    find . -name '*.conf' -printf '%P\n')
}

# The users, the folders and the names of the regions, once the files are there.
house_settled() {
  in_root "$1" systemd-sysusers deskbell.conf
  in_root "$1" systemd-tmpfiles --create deskbell.conf
  mkdir -p "$1/usr/share/deskbell"
  rm -f "$1/usr/share/deskbell/regions.new"
  in_root "$1" python3 - /usr/share/deskbell/regions.new <"$REPO/image/regions"
  mv -T "$1/usr/share/deskbell/regions.new" "$1/usr/share/deskbell/regions.db"
}

build_house() {
  local new=$1 at=$1.at
  mkdir "$new.work" "$at"
  overlay_at "$(layer root)" "$new" "$at"
  find "$at/etc/asterisk" -mindepth 1 -delete       # Debian's samples open more than we want
  house_files "$at"
  mount -t proc proc "$at/proc"
  house_settled "$at"
  umount "$at/proc"
  umount "$at"
}

# Puts a list of Debian packages over layers that are made, and runs a last command in there.
packages_over() {
  local lower=$1 new=$2 list=$3 at=$2.at proxy=(); shift 3
  mkdir "$new.work" "$at"
  overlay_at "$lower" "$new" "$at"
  mount -t proc proc "$at/proc"
  mount --rbind /dev "$at/dev"
  cp -L /etc/resolv.conf "$at/etc/resolv.conf" 2>/dev/null || true
  while read -r line; do proxy+=(-o "$line"); done < <(apt-config dump | sed -nE 's/^(Acquire::https?::Proxy[^ ]*) "(.*)";$/\1=\2/p')
  in_root "$at" apt-get -qq "${proxy[@]}" update
  in_root "$at" apt-get -qq -y "${proxy[@]}" install --no-install-recommends $(listed "$list")
  in_root "$at" apt-get clean
  "$@" "$at"
  rm -rf "$at/etc/resolv.conf" "$at"/var/lib/apt/lists/* "$at"/var/cache/apt/* "$at"/var/log/apt "$at/var/log/dpkg.log"
  umount -R "$at/dev" "$at/proc"
  umount "$at"
}

wheels_into() {
  local pip=$1 at=$2
  wait "$fetching"
  rm -rf "$pip/bin"
  cp -a "$pip/." "$at/usr/lib/python3/dist-packages/"
  in_root "$at" python3 -m compileall -q /usr/lib/python3/dist-packages/playwright || true
}

build_tools() {
  pip_into "$REPO/tests/requirements.txt" "$1.pip" & local fetching=$!
  packages_over "$(layer root)" "$1" "$REPO/tests/packages.txt" wheels_into "$1.pip"
}

build_box() {
  sed '/^\[/,$d' "$REPO/image/image-packages.txt" >"$1.list"      # the part for every machine: no kernel is needed
  packages_over "$(layer root)" "$1" "$1.list" true
}

build_workshop() {
  packages_over "$(layer tools):$(layer root)" "$1" "$REPO/image/workshop.txt" true
}

# The code into the folder $1, byte-compiled when the machine has its Python; no tests, no pictures, nothing half-typed.
code_into() {
  mkdir -p "$1"
  tar -C "$REPO" -c --exclude=__pycache__ --exclude='*.pyc' --exclude='*~' --exclude='.[!.]*' --exclude=web/shots \
    appliance hw web setup.cfg LICENSE README.md | tar -C "$1" -x --no-same-owner
}
