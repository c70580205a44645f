# How the root tree of the image is made. Run by image/build inside image/enter --workshop, as
#   making.sh unpack|configure ARCH FOLDER · finish ARCH BASE FOLDER CA.pem · all with SOURCE_DATE_EPOCH
# Debian's packages are unpacked by this machine's own dpkg; only their scripts run as the other machine would run
# them (image/enter --arm64): so one way serves both kinds. Progress goes to descriptor 3, the rest is the log.
set -euo pipefail

# What stays out: documents, words of other languages, drivers and libraries no telephone desk uses. In /boot nothing is
# copied: the kernel lies in its modules' folder.
LEFT_OUT=(/usr/share/{doc,man,info,locale,lintian,bug,help,zsh,fish,bash-completion,vim,applications,pixmaps,icons,gdb}'/*'
  '/usr/share/fonts/truetype/dejavu/*Mono*'
  '/usr/lib/*/gconv/*' '/usr/share/perl/5*' '/usr/lib/*/perl/5*'      # perl-base has what Debian's scripts need
  '/usr/lib/*/libcodec2.so*' '/usr/lib/*/asterisk/modules/'{codec_codec2,res_snmp}.so
  '/usr/lib/*/espeak-ng-data/'{ru,fo,cmn,yue,xex}_dict
  '/usr/lib/u-boot/*' '/usr/lib/raspi-firmware/'{start,fixup}'*_*' '/usr/lib/raspi-firmware/'{start,fixup}'4[cdx]*'
  '/usr/lib/raspi-firmware/'{overlays,start_,fixup_}'*' '/usr/lib/raspi-firmware/'{start,fixup}{_,4}{cd,db,x}.'*'
  '/usr/lib/firmware/'{brcm,cypress}'/*' '/usr/lib/firmware/'{rtw88,rtw89,rtlwifi,rtl_bt,RTL8192E}'/*'
  '/usr/lib/modules/*/dtb/*')
M='/usr/lib/modules/*/kernel'
for part in drivers/gpu/drm/{amd,nouveau,radeon,i915,xe,msm,rockchip,tegra,mediatek,etnaviv,panfrost,panthor,lima,imagination} \
  drivers/gpu/drm/{exynos,meson,sun4i,omapdrm,imx,renesas,arm,hisilicon,nova,tests,xlnx,kmb,vmwgfx,ast,mgag200,gma500} \
  drivers/{infiniband,media,iio,isdn,accel,comedi,staging,nvdimm,mtd,target,soundwire,edac,ntb,firewire,thunderbolt} \
  drivers/{parport,pcmcia,greybus,most,ufs,fpga,vdpa,vfio,vhost,gnss,memstick,counter,hwtracing,dax,scsi} \
  drivers/crypto/{intel,cavium,hisilicon,marvell,qce} drivers/net/{can,fddi,hamradio,ieee802154,arcnet} \
  drivers/net/wireless/{ath,intel,mediatek,marvell,ti,realtek,ralink,microchip,quantenna,rsi,silabs,st} \
  drivers/net/ethernet/{mellanox,chelsio,cavium,qlogic,netronome,huawei,hisilicon,sfc,emulex,brocade,pensando,cisco,meta} \
  drivers/net/ethernet/{amazon,google,fungible,mucse} drivers/net/ethernet/broadcom/bnx{t,2x} \
  drivers/net/ethernet/intel/{ice,i40e,iavf,idpf,fm10k} drivers/net/ethernet/freescale/{dpaa2,fman} \
  fs/{ocfs2,gfs2,ceph,smb,nfs,nfsd,xfs,btrfs,bcachefs,f2fs,jfs,afs,coda,orangefs,ubifs,jffs2,nilfs2,hfs,hfsplus,9p,dlm} \
  fs/{erofs,udf,ecryptfs,befs,bfs,affs,ufs,minix,omfs,qnx4,qnx6,zonefs,lockd} \
  sound/{pci,hda,firewire,soc/intel,soc/amd,soc/qcom,soc/mediatek,soc/sof,soc/rockchip,soc/tegra} \
  net/{sctp,tipc,rds,batman-adv,can,ieee802154,mac802154,6lowpan,nfc,atm,appletalk,ax25,rose,netrom,openvswitch,ceph} \
  net/{sunrpc,rxrpc,smc,phonet,lapb,x25,dsa}; do LEFT_OUT+=("$M/$part/*"); done
KEPT=('/usr/share/doc/*/copyright' '/usr/share/locale/locale.alias' '/usr/lib/u-boot/rpi_arm64/u-boot.bin'
  '/usr/lib/modules/*/dtb/broadcom/bcm'{2837,2711,2712}'-*' "$M/drivers/scsi/"{scsi_mod,scsi_common,sd_mod,virtio_scsi}'.ko*'
  '/usr/lib/*/gconv/'{gconv-modules,UTF,UNICODE,ISO8859,CP125}'*'
  '/usr/lib/firmware/'{brcm/brcmfmac,cypress/cyfmac}{43430,43436,43455,43456}'*')

step() { printf '  %s\n' "$*" >&3; }

# Runs a command and says every fifty of its lines that start so: "100 of 390 packages unpacked".
counted() {
  local word=$1 of=$2 done=$3 n=0 line; shift 3
  "$@" | while IFS= read -r line; do
    printf '%s\n' "$line"
    [[ $line != "$word"* ]] || (( ++n % 50 )) || step "$n of $of packages $done"
  done
}

platforms_of() {                           # what pip calls a machine whose C library is Debian forky's
  local minor machine=x86_64
  [ "$1" != arm64 ] || machine=aarch64
  for minor in {17..41}; do echo "manylinux_2_${minor}_$machine"; done
  echo "manylinux2014_$machine"
}

# The wheels that requirements.txt names for a machine, into the cache; what is there is not asked for again. By the host's pip.
fetch_wheels() {
  local arch=$1 log=$2 platform platforms=() where
  mkdir -p "$CACHE/wheels"
  while read -r platform; do platforms+=(--platform "$platform"); done < <(platforms_of "$arch")
  for where in --no-index --retries=2; do
    pip3 --quiet --disable-pip-version-check --no-input --timeout 20 download "$where" --find-links "$CACHE/wheels" \
      --dest "$CACHE/wheels" --require-hashes --no-deps --only-binary=:all: --python-version 3.14 "${platforms[@]}" \
      -r "$REPO/image/requirements.txt" >"$log" 2>&1 && return 0
  done
  grep -E '^ERROR' "$log" | tail -n 3 >&2
  refuse "PyPI gave no good copy of what image/requirements.txt names. Check the network, then try again."
}

debs_of() { sed -E "/^(#|pypi:)/d; s|.* ([0-9a-f]{64})$|$CACHE/debs/\1.deb|" "$REPO/image/lock.$1.txt"; }

furnished() {                              # a root with the kernel's folders, for scripts to run in
  mount --bind "$1" "$1"
  mount -t proc proc "$1/proc"
  mount --rbind /sys "$1/sys"
  mount --rbind /dev "$1/dev"
  mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
  mount -t tmpfs -o mode=755 tmpfs "$1/run"
}

dpkg_at() {
  local root=$1; shift
  dpkg --root="$root" --force-depends --force-unsafe-io --force-architecture --force-confnew "$@"
}

# Packages that must be there before any script runs: the essential ones and what they need, by the .debs themselves.
essential() {
  python3 - "$@" <<'PY'
import re, subprocess, sys
packages, provided, wanted = {}, {}, []
for path in sys.argv[1:]:
    told = subprocess.run(["dpkg-deb", "-f", path, "Package", "Essential", "Pre-Depends", "Depends", "Provides"],
                          capture_output=True, text=True, check=True).stdout
    field = dict(line.split(": ", 1) for line in told.splitlines())
    packages[field["Package"]] = (path, field)
    for name in re.findall(r"[a-z0-9][a-z0-9+.-]+(?=\s*(?:\(|,|$))", field.get("Provides", "")):
        provided[name] = field["Package"]
    if field.get("Essential") == "yes":
        wanted.append(field["Package"])
seen = set()
while wanted:
    name = wanted.pop()
    if name in seen:
        continue
    seen.add(name)
    for part in ("Pre-Depends", "Depends"):
        for choice in filter(None, packages[name][1].get(part, "").split(",")):
            names = [re.match(r"[a-z0-9+.-]+", one.strip())[0] for one in choice.split("|")]
            found = [n if n in packages else provided.get(n) for n in names]
            wanted += [n for n in found if n][:1]
print("\n".join(packages[name][0] for name in sorted(seen, key=lambda n: (n != "base-files", n))))
PY
}

unpack() {
  local arch=$1 root=$2 debs file first=()
  mapfile -t debs < <(debs_of "$arch")
  mkdir -p "$root"/{proc,sys,dev,tmp,run,etc/dpkg/dpkg.cfg.d,usr/sbin,etc/initramfs-tools/conf.d,boot/firmware}
  while read -r file; do
    dpkg-deb --fsys-tarfile "$file" |
      tar -C "$root" -x --keep-directory-symlink --exclude='./usr/share/'{doc,man,info,locale}'/*' -f -
  done < <(essential "${debs[@]}")
  { printf 'path-exclude=%s\n' "${LEFT_OUT[@]}"; printf 'path-include=%s\n' "${KEPT[@]}"; } >"$root/etc/dpkg/dpkg.cfg.d/deskbell"
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  furnished "$root"
  mkdir -p /etc/dpkg/dpkg.cfg.d
  cp "$root/etc/dpkg/dpkg.cfg.d/deskbell" /etc/dpkg/dpkg.cfg.d/deskbell
  for file in "${debs[@]}"; do
    case $(dpkg-deb -f "$file" Package) in base-passwd|base-files|libc6|dpkg) first+=("$file") ;; esac
  done
  dpkg_at "$root" --unpack "${first[@]}"
  dpkg_at "$root" --configure base-passwd base-files
  counted 'Unpacking ' ${#debs[@]} unpacked dpkg_at "$root" --unpack "${debs[@]}"
}

# What does nothing meanwhile: Python is compiled later and natively, the initrd made once and last (emulated they take
# minutes), and the firmware's hook would fill a /boot/firmware that no root has.
STOOD_IN=(usr/sbin/update-initramfs usr/bin/py3compile etc/kernel/postinst.d/z50-raspi-firmware)

configure() {
  local root=$2 file of
  furnished "$root"
  rm -f "$root/etc/resolv.conf"
  for file in "${STOOD_IN[@]}"; do
    [ -e "$root/$file" ] || continue
    [ -e "$root/$file.real" ] || mv "$root/$file" "$root/$file.real"
    printf '#!/bin/sh\nexit 0\n' >"$root/$file"; chmod 755 "$root/$file"
  done
  of=$(grep -c '^Status: .* unpacked' "$root/var/lib/dpkg/status" || true)
  counted 'Setting up ' "$of" configured in_root "$root" dpkg --force-unsafe-io --force-confnew --configure -a 2>&1
  for file in "${STOOD_IN[@]}"; do [ ! -e "$root/$file.real" ] || mv "$root/$file.real" "$root/$file"; done
  rm -f "$root"/etc/kernel/*.d/z50-raspi-firmware "$root"/etc/initramfs/post-update.d/z50-raspi-firmware
  [ -z "$(in_root "$root" dpkg --audit)" ] || { in_root "$root" dpkg --audit; echo "some packages are not configured"; return 1; }
  printf 'MODULES=most\nCOMPRESS=zstd\n' >"$root/etc/initramfs-tools/conf.d/deskbell"
  step "making the initrd"
  in_root "$root" update-initramfs -c -k all
}

# The root of a box out of Debian's: Python's parts from the cache, users, units, Asterisk's configuration, our code, the overlay.
finish() {
  local arch=$1 base=$2 root=$3 ca=$4 version
  cp -a "$base/." "$root"
  furnished "$root"
  step "laying in the house and the code"
  wheels_at "$arch" "$root/usr/lib/python3/dist-packages"
  find "$root/etc/asterisk" -mindepth 1 -delete
  house_files "$root"
  house_settled "$root"
  code_into "$root/usr/lib/deskbell"
  chmod -R u=rwX,go=rX "$root/usr/lib/deskbell"
  lay_overlay "$root" "$arch"
  install -D -m644 "$ca" "$root/etc/rauc/keyring.pem"
  rm -rf "$root"/usr/lib/python3/dist-packages/phonenumbers/{geodata,carrierdata,tzdata}      # regions.db has them
  version=$(cd "$root/usr/lib/modules" && echo *)
  link_kernel "$root" "$version"
  step "compiling Python"
  find "$root/usr/lib" -name __pycache__ -prune -exec rm -rf {} +
  PYTHONHASHSEED=0 python3 -m compileall -q -s "$root" -p / --invalidation-mode unchecked-hash \
    "$root/usr/lib/deskbell" "$root/usr/lib/python3" "$root/usr/lib/python3.14" || true
  [ -e "$root/usr/lib/deskbell/appliance/__pycache__/cli.cpython-314.pyc" ] || { echo "Python was not compiled"; return 1; }
  python3 "$REPO/image/sbom.py" "$arch" "$root" >"$root/usr/share/deskbell/sbom.cdx.json"
  umount -l "$root"/{tmp,run,dev,sys,proc}
  clean "$root"
}

wheels_at() {
  local arch=$1 at=$2 platform platforms=()
  while read -r platform; do platforms+=(--platform "$platform"); done < <(platforms_of "$arch")
  python3 -m pip --quiet --disable-pip-version-check --no-cache-dir install --root-user-action=ignore --no-index --find-links "$CACHE/wheels" \
    --require-hashes --no-deps --only-binary=:all: --python-version 3.14 "${platforms[@]}" --no-compile --target "$at" -r "$REPO/image/requirements.txt"
  rm -rf "$at/bin"
}

link_kernel() {
  local root=$1 version=$2 modules=usr/lib/modules/$2
  find "$root/boot" -maxdepth 1 -type f ! -name 'initrd.img-*' -delete
  ln -sfn "../$modules/vmlinuz" "$root/boot/vmlinuz"
  ln -sfn "initrd.img-$version" "$root/boot/initrd.img"
}

# Nothing of the machine it was made on, of the hour or of chance: the same lock and the same commit give the same bytes.
clean() {
  local root=$1
  rm -rf "$root"/usr/sbin/policy-rc.d "$root/etc/dpkg/dpkg.cfg.d/deskbell" "$root"/etc/{passwd,group,shadow,gshadow,subuid,subgid}- \
    "$root"/etc/.pwd.lock "$root"/etc/apt "$root"/var/lib/apt "$root"/var/cache/{apt,debconf,ldconfig,man,fontconfig} "$root"/root/.??* \
    "$root"/var/lib/dpkg/{info/*.{md5sums,preinst,postinst,prerm,postrm,config,templates,triggers,shlibs,symbols},*-old,lock*,updates/*} \
    "$root"/var/lib/systemd/{catalog/database,random-seed} "$root"/var/lib/{dbus/machine-id,ucf,snmp/*} "$root"/boot/firmware/* \
    "$root"/{vmlinuz,initrd.img}{,.old} "$root"/usr/lib/udev/hwdb.d "$root"/{tmp,run,var/tmp,var/backups}/* "$root"/var/lib/asterisk/{astdb*,keys/*}
  find "$root/var/log" -type f -delete
  : >"$root/etc/machine-id"
  sed -i "s/^\([^:]*:[^:]*\):[0-9]*:/\1:$((SOURCE_DATE_EPOCH / 86400)):/" "$root/etc/shadow"
  touch "$root/usr/lib/clock-epoch" "$root/usr" "$root/etc/.updated" "$root/var/.updated"
  find "$root" -xdev -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

[ "${1-}" != --functions ] || return 0     # image/build wants only to know them
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
unset TMPDIR                               # Debian's scripts would take it for a folder of the new root
REPO=/usr/lib/deskbell CACHE=/var/cache/deskbell
. "$REPO/image/recipe.sh"
. "$REPO/image/lay-overlay"
umask 022
mount --make-rprivate /
"$@"
