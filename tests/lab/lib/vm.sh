# A virtual machine whose root is that of the lab's hosts, with another kernel: what `tests/lab/vm` is made of. Sourced, never run.

# The first release that has it is taken. The cloud flavour is the smallest, and has soft-dirty, veth, macvlan and nftables.
VM_KERNEL_PACKAGE=linux-image-cloud-amd64
VM_KERNEL_SUITE=bookworm
VM_MODULES=(virtio_pci virtio_blk)
# Docker, runc, CRIU and the lab load nothing by themselves where there is no kmod.
VM_LATER_MODULES=(overlay veth bridge br_netfilter macvlan ipvlan dummy tun unix_diag tcp_diag udp_diag raw_diag inet_diag packet_diag netlink_diag nf_tables
  nft_ct nft_log nft_nat nft_masq nft_compat nft_chain_nat nfnetlink_log nf_log_syslog nf_conntrack nf_nat xt_conntrack xt_MASQUERADE xt_addrtype xt_nat xt_mark xt_comment xt_tcpudp
  ip_tables ip6_tables iptable_nat iptable_filter ip6table_nat ip6table_filter fuse nf_conntrack_netlink loop af_packet)

needs_vmkernel=
make_vmkernel() {  # DIR: vmlinuz and the modules of Debian 12, whatever this machine runs
  local mirror
  mirror=$(debian_mirror)
  mkdir -p "$1/apt/"{lists/partial,cache/archives/partial} "$1/tree"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:-http://deb.debian.org/debian} $VM_KERNEL_SUITE main" >"$1/apt/sources.list"
  local apt=(apt-get -qq -o "Dir::Etc::SourceList=$1/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$1/apt/lists"
    -o "Dir::Cache=$1/apt/cache" -o APT::Sandbox::User=root -o Acquire::Retries=3)
  "${apt[@]}" update
  local image
  image=$(apt-cache "${apt[@]:2}" depends "$VM_KERNEL_PACKAGE" | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
  ( cd "$1" && "${apt[@]}" download "$image" )
  dpkg-deb -x "$1"/linux-image-*.deb "$1/tree"
  mv "$1"/tree/boot/vmlinuz-* "$1/vmlinuz"
  mv "$1"/tree/boot/config-* "$1/config"
  mkdir -p "$1/lib"
  mv "$1/tree/lib/modules" "$1/lib/modules"
  grep -q '^CONFIG_MEM_SOFT_DIRTY=y' "$1/config"
  # busybox's own depmod: a machine may have no kmod.
  busybox depmod -b "$1" "$(ls "$1/lib/modules")"
  rm -rf "$1/apt" "$1/tree" "$1"/*.deb
}

# One file system with all that changes seldom: the kernel's modules and the lab's cache, without layers that nobody loads there.
needs_vmdisk='docker26 small apps vmkernel'
make_vmdisk() {
  local name
  mkdir -p "$1/files/cache" "$1/files/lib"
  cp -a "$(entry vmkernel)/lib/modules" "$1/files/lib/modules"
  for name in base docker26 small; do cp -a "$(entry "$name")" "$1/files/cache/"; done
  mkdir "$1/files/cache/$(basename "$(entry apps)")"
  cp -a "$(entry apps)"/{root,layer.tar.sha256} "$1/files/cache/$(basename "$(entry apps)")/"
  install -m 755 "$(command -v busybox)" "$1/files/busybox"
  make_image "$1/disk.img" "$1/files" 64
  rm -rf "$1/files"
}

make_image() {  # FILE TREE SPARE-MIB
  local size
  size=$(($(du -sm --apparent-size "$2" | cut -f1) + $(find "$2" | wc -l) / 150 + $3 + 64))
  rm -f "$1"
  mke2fs -q -t ext4 -O ^has_journal,^resize_inode -m 0 -E lazy_itable_init=1,nodiscard -N $(($(find "$2" | wc -l) + 4096)) -d "$2" "$1" "${size}M"
}

vm_initramfs() {  # FILE
  local dir=$work/initramfs modules=$work/initramfs/lib/modules release tree
  tree=$(entry vmkernel)/lib/modules
  release=$(ls "$tree")
  mkdir -p "$dir"/{bin,proc,sys,dev,image} "$modules/$release"
  install -m 755 "$(command -v busybox)" "$dir/bin/busybox"
  local module path
  for module in "${VM_MODULES[@]}"; do
    for path in $(sed -n "s,^\(.*/$module\.ko\):\(.*\),\1\2,p" "$tree/$release/modules.dep"); do
      install -D -m 644 "$tree/$release/$path" "$modules/$release/$path"
    done
  done
  cp "$tree/$release"/modules.{dep,alias,symbols,order} "$modules/$release/" 2>/dev/null || true
  install -m 755 "$LAB_BIN/lib/vm-init" "$dir/init"
  ( cd "$dir" && find . | cpio --quiet -o -H newc | gzip -1 ) >"$1"
}

# The tree as it is, built and staged; the .NET runtime that the tests need.
vm_tree() {  # FILE COMMAND...
  local image=$1 files=$work/tree root part dotnet; shift
  root=$(readlink -f "$LAB_BIN/../..")
  mkdir -p "$files/tree/artifacts" "$files/dotnet"
  for part in artifacts/install tests hooks packaging; do
    [[ -d $root/$part ]] && tar -C "$root" --exclude=obj --exclude=bin/Debug -c "$part" | tar -C "$files/tree" -x
  done
  if command -v dotnet >/dev/null; then
    dotnet=$(dirname "$(readlink -f "$(command -v dotnet)")")
    cp -a "$dotnet"/{dotnet,host,shared} "$files/dotnet/"
  fi
  touch "$files/tree/ContainerMigrate.sln" # by which tests find the tree
  printf '%q ' "$@" >"$files/command"
  printf '%s\n' "${VM_LATER_MODULES[@]}" >"$files/modules"
  env | grep -E '^(CTM_|RUNTIME=|DOCKER=|MEMORY=|DIRTY=|MODE=|JSON=|DOTNET_)' | sed "s/=\(.*\)/='\1'/; s/^/export /" | grep -v CTM_LAB_CACHE >"$files/environment" || true
  basename "$(entry docker26)" >"$files/root-entry"
  basename "$(entry small)" >"$files/python-entry"
  make_image "$image" "$files" 16
}

vm_accelerator() {
  if [[ -n ${VM_ACCEL-} ]]; then echo "$VM_ACCEL"
  elif [[ -w /dev/kvm ]] && grep -qE '\b(vmx|svm)\b' /proc/cpuinfo; then echo kvm
  else echo tcg; fi
}

vm_build() {  # as `build` in cache.sh, without the cgroup of a lab
  local name missing=()
  for name in "$@"; do [[ -d $(entry "$name") ]] || missing+=("$name"); done
  [[ ${#missing[@]} == 0 ]] && return
  need debootstrap:debootstrap getfattr:attr
  mkdir -p "$CTM_LAB_CACHE"
  flock "$CTM_LAB_CACHE/lock" unshare --mount --propagation private "$LAB_BIN/lab" build-entries "${missing[@]}" || die "the cache could not be built"
}

vm_run() {
  vm_build base docker26 small apps vmkernel vmdisk
  local work accel cpu status=0 started=$SECONDS
  work=$(mktemp -d /var/tmp/ctmigrate-vm.XXXXXX)
  trap 'vm_end' EXIT
  trap 'exit 130' INT TERM
  vm_initramfs "$work/initramfs.gz"
  vm_tree "$work/tree.img" "$@"
  truncate -s 12G "$work/scratch.img"
  mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=1,nodiscard "$work/scratch.img"
  mkfifo "$work/output"
  accel=$(vm_accelerator)
  # Without five levels of page tables and protection keys, which an emulated processor would offer.
  [[ $accel == kvm ]] && cpu=host || cpu=max,la57=off,pku=off
  say "virtual machine: $(ls "$(entry vmkernel)/lib/modules"), $accel"
  # The second serial line is the command's output, to its last byte; the third its status.
  timeout --foreground --kill-after=10 "${VM_LIMIT:-40m}" qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none \
    -machine q35,accel="$accel" -cpu "$cpu" -smp "${VM_CPUS:-2}" -m "${VM_MEMORY:-4608}" \
    -kernel "$(entry vmkernel)/vmlinuz" -initrd "$work/initramfs.gz" -append "console=ttyS0 panic=-1 quiet loglevel=4 mitigations=off" \
    -drive file="$(entry vmdisk)/disk.img",format=raw,if=virtio,readonly=on,cache=unsafe \
    -drive file="$work/tree.img",format=raw,if=virtio,readonly=on,cache=unsafe \
    -drive file="$work/scratch.img",format=raw,if=virtio,cache=unsafe,discard=unmap \
    -device virtio-rng-pci \
    -serial file:"$work/console" -chardev stdio,id=out,signal=off -serial chardev:out -serial file:"$work/status" </dev/null &
  qemu=$!
  wait "$qemu" || status=$?
  qemu=
  if [[ ! -s $work/status ]]; then
    say "the virtual machine ended (status $status) before the command did; its last words:"
    tail -n 40 "$work/console" >&2 || true
    exit 1
  fi
  status=$(tr -dc 0-9 <"$work/status")
  [[ -z ${VM_CONSOLE-} ]] || cat "$work/console" >&2
  say "virtual machine: status $status after $((SECONDS - started)) s"
  exit "$status"
}

vm_end() {
  local status=$?
  trap - EXIT INT TERM
  [[ -z ${qemu-} ]] || { kill -TERM "$qemu" 2>/dev/null || true; wait "$qemu" 2>/dev/null || true; }
  rm -rf --one-file-system "$work"
  exit "$status"
}
