# U-Boot's script on the FAT: which of the two systems starts, A (partition 2) or B (partition 3).
# One script for the Raspberry Pi (mmc) and for QEMU's virt (virtio). The names are those of RAUC's "uboot".
# The state is a block of 16 KiB at 1 MiB of the card, before the first partition: CRC, BOOT_ORDER, BOOT_A_LEFT and
# BOOT_B_LEFT (tries, 0 to 3), zeros. All that ever changes in it is its first sector of 512 bytes, and a card writes a
# sector whole or not at all. What cannot be read, has a wrong CRC or makes no sense is new: A before B, 3 tries.
# Never written: the FAT. What may change with an update, the kernel's own arguments too, is in the slot (boot/slot.env).
test -n "${devtype}" || setenv devtype mmc
test -n "${devnum}" || setenv devnum 0
# Debian's kernel is larger than U-Boot's own addresses leave room for.
if test "${board}" = "rpi"; then
  setenv kernel_at 0x00200000; setenv initrd_at 0x10000000
  setenv usual_args "console=ttyS1,115200 console=ttyAMA10,115200 console=tty0"
else
  setenv kernel_at 0x40400000; setenv initrd_at 0x48000000
  setenv usual_args "console=tty0 console=ttyAMA0,115200"
fi
test -n "${fdt_addr}" || setenv fdt_addr ${fdtcontroladdr}

setenv BOOT_ORDER; setenv BOOT_A_LEFT; setenv BOOT_B_LEFT
${devtype} dev ${devnum}
if ${devtype} read ${kernel_at} 0x800 0x20; then
  env import -c ${kernel_at} 0x4000 BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT
fi
setenv is_order no
test "${BOOT_ORDER}" = "A B" && setenv is_order yes
test "${BOOT_ORDER}" = "B A" && setenv is_order yes
test "${BOOT_ORDER}" = "A" && setenv is_order yes
test "${BOOT_ORDER}" = "B" && setenv is_order yes
test "${is_order}" = "yes" || setenv BOOT_ORDER "A B"
test "${BOOT_A_LEFT}" = "0" || test "${BOOT_A_LEFT}" = "1" || test "${BOOT_A_LEFT}" = "2" || setenv BOOT_A_LEFT 3
test "${BOOT_B_LEFT}" = "0" || test "${BOOT_B_LEFT}" = "1" || test "${BOOT_B_LEFT}" = "2" || setenv BOOT_B_LEFT 3

setenv slot
for turn in first again; do
  for name in ${BOOT_ORDER}; do
    if test -z "${slot}" && test "${name}" = "A" && test "${BOOT_A_LEFT}" != "0"; then
      setenv slot A; setexpr BOOT_A_LEFT ${BOOT_A_LEFT} - 1
    fi
    if test -z "${slot}" && test "${name}" = "B" && test "${BOOT_B_LEFT}" != "0"; then
      setenv slot B; setexpr BOOT_B_LEFT ${BOOT_B_LEFT} - 1
    fi
  done
  # Every try is used up, by power cuts perhaps: both get new ones, what RAUC had taken out comes last.
  if test -z "${slot}"; then
    echo "Deskbell: no tries left, both systems get three new ones."
    test "${BOOT_ORDER}" = "A" && setenv BOOT_ORDER "A B"
    test "${BOOT_ORDER}" = "B" && setenv BOOT_ORDER "B A"
    setenv BOOT_A_LEFT 3; setenv BOOT_B_LEFT 3
  fi
done

setenv is_counted no
if env export -c -s 0x4000 ${kernel_at} BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT; then
  if ${devtype} write ${kernel_at} 0x800 0x20; then setenv is_counted yes; fi
fi

setenv start '
  if test "${slot}" = "A"; then setenv rootpart 2; else setenv rootpart 3; fi
  setenv slot_args; setenv partuuid
  part uuid ${devtype} ${devnum}:${rootpart} partuuid
  setenv from "${devtype} ${devnum}:${rootpart}"
  if load ${from} ${kernel_at} boot/slot.env; then env import -t ${kernel_at} ${filesize} slot_args; fi
  test -n "${slot_args}" || setenv slot_args "${usual_args}"
  setenv bootargs "root=PARTUUID=${partuuid} rootfstype=ext4 ro rootwait panic=10 rauc.slot=${slot} ${slot_args}"
  echo "Deskbell: system ${slot} starts; ${BOOT_ORDER}, left A ${BOOT_A_LEFT}, B ${BOOT_B_LEFT}, counted ${is_counted}."
  echo "Deskbell: ${bootargs}"
  if load ${from} ${kernel_at} boot/vmlinuz && load ${from} ${initrd_at} boot/initrd.img; then
    booti ${kernel_at} ${initrd_at}:${filesize} ${fdt_addr}
  fi
  echo "Deskbell: system ${slot} does not load."
'
run start
# A card that takes no writes counts no tries: then the other system is tried at once, else this one would be for ever.
if test "${is_counted}" = "no"; then
  if test "${slot}" = "A"; then setenv slot B; else setenv slot A; fi
  run start
fi
sleep 2
reset
