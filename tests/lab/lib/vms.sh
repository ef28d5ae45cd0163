# Hosts that are virtual machines: Debian 13 as it is installed, with its kernel, systemd, Docker and CRIU. Sourced, never run.
# They hang on the lab's LAN by a tap device each; commands reach them by ssh over a second network of their own, so that the LAN's cables may be cut.

VM_MANAGEMENT=10.79.0
VM_SIZE=6G
VM_MEMORY=${VM_MEMORY:-1536}

# QEMU of Debian 13, whatever this machine has: that of Debian 12 (7.2) crashes guests where it emulates.
needs_qemu=base
make_qemu() {
  local root=$1/root
  cp -a "$(entry base)/root" "$root"
  open_root "$root"
  apt_in "$root" update
  apt_in "$root" install qemu-system-x86 qemu-utils
  mkdir -p "$root/lab/state" "$root/lab/cache"
  chroot "$root" qemu-system-x86_64 --version
  close_root "$root"
}

needs_vmsystem=base
make_vmsystem() {
  local root=$1/root
  cp -a "$(entry base)/root" "$root"
  open_root "$root"
  apt_in "$root" update
  mkdir -p "$root/etc/initramfs-tools/conf.d"
  # What an emulated machine need not unpack it need not wait for.
  printf 'MODULES=list\nCOMPRESS=gzip\n' >"$root/etc/initramfs-tools/conf.d/lab"
  printf '%s\n' virtio_pci virtio_blk ext4 >"$root/etc/initramfs-tools/modules"
  apt_in "$root" install systemd systemd-sysv dbus udev kmod initramfs-tools linux-image-cloud-amd64 openssh-server \
    docker.io docker-cli containerd runc criu iproute2 iptables nftables procps python3 jq adduser libssl3t64
  vm_identity "$root"
  close_root "$root"
  rm -f "$root/etc/dpkg/dpkg.cfg.d/lab"
  cp "$root"/boot/vmlinuz-* "$1/vmlinuz"
  cp "$root"/boot/initrd.img-* "$1/initrd"
  : >"$1/disk.img"
  mke2fs -q -t ext4 -m 0 -E lazy_itable_init=1,nodiscard -d "$root" "$1/disk.img" "$VM_SIZE"
}

# Which of the hosts it is, a machine learns from the command line of its kernel; nothing else of it is the lab's but the key that may log in.
vm_identity() {  # ROOT
  local root=$1
  ssh-keygen -q -t ed25519 -N '' -C lab -f "$root/../key"
  install -D -m 600 "$root/../key.pub" "$root/root/.ssh/authorized_keys"
  printf '%s\n' 'PasswordAuthentication no' 'UsePAM no' 'UseDNS no' 'MaxSessions 200' 'MaxStartups 100' 'Ciphers aes128-gcm@openssh.com,aes128-ctr' >"$root/etc/ssh/sshd_config.d/lab.conf"
  install -D -m 755 "$LAB_BIN/lib/vm-host" "$root/usr/local/sbin/vm-host"
  cat >"$root/etc/systemd/system/vm-host.service" <<'END'
[Unit]
Description=Name and addresses of this host of the lab
DefaultDependencies=no
After=systemd-udev-settle.service systemd-remount-fs.service
Wants=systemd-udev-settle.service
Before=network-pre.target network.target network-online.target sysinit.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/vm-host
[Install]
WantedBy=sysinit.target
END
  mkdir -p "$root/etc/docker"
  echo '{ "storage-driver": "overlay2" }' >"$root/etc/docker/daemon.json"
  : >"$root/etc/machine-id"
  chroot "$root" systemctl -q enable vm-host.service ssh.service
  chroot "$root" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer systemd-networkd-wait-online.service
}

also_vmsystem() { declare -f vm_identity; cat "$LAB_BIN/lib/vm-host"; echo "$VM_SIZE"; }

# --- the machine: runs as `lab vm-run`, in a mount namespace of its own ---

vm_chroot() {  # PROGRAM ARGS...: of QEMU's root; the lab's state is /lab/state there, the cache /lab/cache
  local root
  root=$(entry qemu)/root
  mount --rbind /dev "$root/dev"
  mount -t proc proc "$root/proc"
  mount --bind "$CTM_LAB_CACHE" "$root/lab/cache"
  mount --bind "$LAB_STATE" "$root/lab/state"
  exec chroot "$root" "$@"
}

vm_inside() { echo "/lab/cache/${1#"$CTM_LAB_CACHE"/}"; }   # PATH of the cache, as QEMU's root sees it

vm_run_machine() {  # HOST [STATE-FILE]
  local host=$1 number=${LAN_NUMBER[$1]} state=/lab/state/$1 accel cpu system
  accel=$(vm_accelerator)
  # Without five levels of page tables and protection keys, which an emulated processor would offer.
  [[ $accel == kvm ]] && cpu=host || cpu=max,la57=off,pku=off
  system=$(vm_inside "$(entry vmsystem)")
  vm_chroot qemu-system-x86_64 -nodefaults -no-user-config -display none -name "$host" \
    -machine q35,accel="$accel" -cpu "$cpu" -smp 1 -m "$VM_MEMORY" -rtc base=utc \
    -kernel "$system/vmlinuz" -initrd "$system/initrd" \
    -append "root=/dev/vda rw console=ttyS0 quiet panic=1 mitigations=off net.ifnames=0 systemd.show_status=0 lab=$host,$number" \
    -drive file="$state/disk.qcow2",format=qcow2,if=virtio,cache=unsafe,discard=unmap \
    -netdev tap,id=lan,ifname="$host",script=no,downscript=no -device virtio-net-pci,netdev=lan,mac="$(lan_mac "$host")",romfile= \
    -netdev tap,id=mgmt,ifname="$host-mgmt",script=no,downscript=no -device virtio-net-pci,netdev=mgmt,mac="02:79:00:00:00:$(printf %02x "$number")",romfile= \
    -device virtio-rng-pci -serial file:"$state/console" -monitor unix:"$state/monitor",server=on,wait=off \
    ${2:+-incoming "file:$2"} </dev/null
}

# --- from outside ---

vm_disk() {  # HOST BASE FORMAT: an empty layer above a disk of the cache
  mkdir -p "$LAB_STATE/$1"
  unshare --mount --propagation private "$LAB_BIN/lab" vm-chroot \
    qemu-img create -q -f qcow2 -b "$(vm_inside "$2")" -F "$3" "/lab/state/$1/disk.qcow2"
}

vm_start() {  # HOST [STATE-FILE of the cache]
  local host=$1
  mkdir -p "$LAB_CGROUP/$host"
  rm -f "$LAB_STATE/$host/monitor"
  (
    echo "$BASHPID" >"$LAB_CGROUP/$host/cgroup.procs"
    exec setsid nsenter --net="/run/netns/$CTM_LAB-lan" \
      unshare --mount --propagation private "$LAB_BIN/lab" vm-run "$host" ${2:+"$(vm_inside "$2")"}
  ) 9>&- </dev/null >"$LAB_STATE/$host/qemu.log" 2>&1 &
}

vm_go_on() {  # HOST: it was stopped when it was saved, and is once its state has been read
  local i
  for i in {1..300}; do
    [[ ! -S $LAB_STATE/$1/monitor ]] || ! vm_monitor "$1" 'info status' | grep -q 'status: paused' || break
    sleep 0.2
  done
  vm_monitor "$1" cont >/dev/null
}

vm_monitor() {  # HOST COMMAND: QEMU's answer
  # At the end of what it is told it hangs up, whether it has answered or not.
  { printf '%s\n' "$2"; sleep 0.5; } | socat - "UNIX-CONNECT:$LAB_STATE/$1/monitor" | tr -d '\r'
}

vm_ssh() {  # HOST COMMAND...
  local host=$1; shift
  nsenter --net="/run/netns/$CTM_LAB-lan" ssh -F "$LAB_STATE/ssh" "$host" "$@"
}

vm_ssh_settings() {
  local host
  for host in "${LAB_HOSTS[@]}"; do
    cat <<END
Host $host
  HostName $VM_MANAGEMENT.${LAN_NUMBER[$host]}
END
  done
  cat <<END
Host *
  User root
  IdentityFile $(entry vmsystem)/key
  IdentitiesOnly yes
  UserKnownHostsFile /dev/null
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking no
  LogLevel ERROR
  ControlPath $LAB_STATE/ssh-%n
  ControlMaster no
  ServerAliveInterval 20
  ServerAliveCountMax 30
  ConnectTimeout 20
END
}

# One connection for all commands, since an emulated processor takes a second to agree on keys. It is in the host's cgroup and ends with it.
vm_wait() {  # HOST
  local host=$1 i
  rm -f "$LAB_STATE/ssh-$host"
  for i in {1..240}; do
    (
      echo "$BASHPID" >"$LAB_CGROUP/$host/cgroup.procs"
      vm_ssh "$host" -M -N -f
    ) 9>&- </dev/null >"$LAB_STATE/$host/ssh.log" 2>&1 && return
    [[ -e $LAB_STATE/$host/monitor ]] || (( i < 20 )) || break
    sleep 0.5
  done
  cat "$LAB_STATE/$host/qemu.log" "$LAB_STATE/$host/ssh.log" >&2
  tail -n 20 "$LAB_STATE/$host/console" >&2
  die "$host did not come up"
}

vm_plug() {  # HOST: its two taps
  local host=$1 lan=$CTM_LAB-lan
  ip -n "$lan" tuntap add "$host" mode tap
  ip -n "$lan" link set "$host" master br0 up
  ip -n "$lan" tuntap add "$host-mgmt" mode tap
  ip -n "$lan" link set "$host-mgmt" master mgmt up
}

# What takes long and is the same each time is kept in the cache: both machines as they stand when Docker has its networks and the image's lower layer.
# Their disks are layers above that of vmsystem, of that one which was made then: its key tells.
also_vmbooted() { declare -f vm_run_machine vm_boot_pair make_networks; echo "$VM_MEMORY $(vm_accelerator)"; cat "$(entry vmsystem)/key.pub" 2>/dev/null || true; }
needs_vmbooted='vmsystem qemu small'
make_vmbooted() { :; }   # made by vm_boot_pair, in a lab

vm_boot_pair() {
  local host tmp booted
  booted=$(entry vmbooted)
  say "booting both machines for the first time (once)"
  for host in "${LAB_HOSTS[@]}"; do
    vm_disk "$host" "$(entry vmsystem)/disk.img" raw
    vm_start "$host"
  done
  local jobs=()
  for host in "${LAB_HOSTS[@]}"; do
    ( trap - EXIT INT TERM; vm_wait "$host"; wait_docker "$host"; make_networks "$host"; load_base "$host"; on "$host" sync ) 9>&- &
    jobs+=($!)
  done
  for host in "${jobs[@]}"; do wait "$host" || die "the machines did not come up"; done
  tmp=$(mktemp -d "$CTM_LAB_CACHE/tmp.XXXXXX")
  for host in "${LAB_HOSTS[@]}"; do
    vm_monitor "$host" stop >/dev/null
    vm_monitor "$host" "migrate -d file:/lab/cache/${tmp##*/}/$host.state" >/dev/null
  done
  for host in "${LAB_HOSTS[@]}"; do
    until vm_monitor "$host" "info migrate" | grep -q 'Migration status: completed\|^Status: *completed'; do
      ! vm_monitor "$host" "info migrate" | grep -q 'failed' || die "$host could not be saved"
      sleep 0.5
    done
    end_cgroup "$LAB_CGROUP/$host"
    mv "$LAB_STATE/$host/disk.qcow2" "$tmp/$host.qcow2"
  done
  chmod 755 "$tmp"
  mv -T "$tmp" "$booted" 2>/dev/null || rm -rf "$tmp"
}

load_base() {  # HOST: the lower layer of the images, which is large
  local dir=$LAB_STATE/images
  image_config "$dir" small >"$dir/base.json"
  mkdir -p "$dir/base"
  echo '[{"Config":"base.json","RepoTags":["ctm-base:1"],"Layers":["small.tar"]}]' >"$dir/base/manifest.json"
  tar -ch -C "$dir" base.json small.tar -C "$dir/base" manifest.json | on "$1" docker load -q >/dev/null
}

vm_runs() { grep -q . "$LAB_CGROUP/$1/cgroup.procs" 2>/dev/null; }

vm_set_clock() {  # HOST: it has slept in the cache. It is told the time when it is ready to hear it
  local clock pid
  coproc clock { on "$1" sh -c 'echo ready; read -r now; exec date -s "@$now"'; }
  pid=$clock_PID
  read -r _ <&"${clock[0]}"
  date +%s.%N >&"${clock[1]}"
  wait "$pid"
}

vms_up() {
  local host jobs=()
  need socat:socat ssh:openssh-client ssh-keygen:openssh-client mke2fs:e2fsprogs
  build base small qemu vmsystem
  say "raising two virtual machines ($(vm_accelerator))"
  make_lan
  plug_member client
  start_member client "$(entry vmsystem)/root"
  make_images small
  wait_member client
  cp -r "$LAB_STATE/images/app/app" "$(member_root client)/app"
  vm_ssh_settings >"$LAB_STATE/ssh"
  ip -n "$CTM_LAB-lan" link add mgmt type bridge forward_delay 0 mcast_snooping 0
  ip -n "$CTM_LAB-lan" addr add "$VM_MANAGEMENT.1/24" dev mgmt
  ip -n "$CTM_LAB-lan" link set mgmt up
  for host in "${LAB_HOSTS[@]}"; do vm_plug "$host"; done
  [[ -d $(entry vmbooted) ]] || vm_boot_pair
  for host in "${LAB_HOSTS[@]}"; do
    vm_disk "$host" "$(entry vmbooted)/$host.qcow2" qcow2
    vm_start "$host" "$(entry vmbooted)/$host.state"
  done
  for host in "${LAB_HOSTS[@]}"; do
    ( trap - EXIT INT TERM
      vm_go_on "$host"
      vm_wait "$host"
      vm_set_clock "$host"
      load_images "$host" small ) 9>&- &
    jobs+=($!)
  done
  for host in "${jobs[@]}"; do wait "$host" || die "the machines did not come up"; done
}

# Each command of README's install section, as it stands there, where the package lies.
readme_install() {
  awk '/^## / { in_section = /^## Install$/ } in_section && /^    / { print substr($0, 5); found = 1; next } in_section && found && NF { exit }' "$LAB_BIN/../../README.md"
}

vm_install() {  # PACKAGE
  [[ $# == 1 && -f $1 && $1 == *.deb ]] || { usage >&2; exit 2; }
  local host jobs=()
  ln -sfn "$(readlink -f "$1")" "$LAB_STATE/package"
  for host in "${LAB_HOSTS[@]}"; do
    ( trap - EXIT INT TERM; vm_install_on "$host" "$1" >"$LAB_STATE/$host/install.log" 2>&1 ) 9>&- &
    jobs+=($!)
  done
  for host in "${LAB_HOSTS[@]}"; do
    wait "${jobs[0]}" || { cat "$LAB_STATE/$host/install.log" >&2; die "$host: the package could not be installed as README says"; }
    jobs=("${jobs[@]:1}")
  done
}

# The same package under a higher version, installed on both as README says of upgrades.
vm_upgrade() {
  local host old=$LAB_STATE/package new=$LAB_STATE/newer
  rm -rf "$new"
  dpkg-deb -R "$old" "$new"
  sed -i 's/^Version: .*/&+1/' "$new/DEBIAN/control"
  dpkg-deb --root-owner-group -Zgzip -z1 -b "$new" "$LAB_STATE/ctmigrate_newer_amd64.deb" >/dev/null
  rm -rf "$new"
  for host in "${LAB_HOSTS[@]}"; do
    on "$host" sh -c 'cd /root/install; rm -f *; exec cat >ctmigrate_newer_amd64.deb' <"$LAB_STATE/ctmigrate_newer_amd64.deb"
    on "$host" sh -exc 'cd /root/install; export DEBIAN_FRONTEND=noninteractive; apt install ./ctmigrate_*.deb; dpkg-query -W ctmigrate | grep "+1$"; systemctl is-active ctmigrated' >&2
  done
}

# Purges the package on both; what is left of it is printed, and an error.
vm_purge() {
  local host left=
  for host in "${LAB_HOSTS[@]}"; do
    on "$host" sh -ec 'rm -rf /etc/systemd/system/ctmigrated.service.d; DEBIAN_FRONTEND=noninteractive apt purge -y ctmigrate' >&2
    left+=$(on "$host" sh -c '
      find / -xdev \( -path /proc -o -path /root/install -o -path /var/log/journal -o -path /var/lib/docker \) -prune -o -name "*ctmigrate*" -print
      find /run /var/lib /usr/local/sbin -name "*ctmigrate*" -o -type l -lname "*ctmigrate*"
      grep ctmigrate /etc/group
      pgrep -l ctmigrate
      systemctl list-units --all --plain --no-legend "ctmigrate*"' | sort -u | sed "s/^/$host: /")
  done
  [[ -z $left ]] || { printf 'left after the purge:\n%s\n' "$left" >&2; return 1; }
}

vm_install_on() {  # HOST PACKAGE
  on "$1" sh -c 'mkdir -p /root/install; cd /root/install; rm -f *; exec cat >"$0"' "${2##*/}" <"$2"
  # An emulated processor takes twenty times as long for everything. A test's settings for the daemon are where the other hosts of labs have them.
  { echo 'set -ex; cd /root/install; export DEBIAN_FRONTEND=noninteractive'; readme_install; } | on "$1" bash -s
  on "$1" sh -c '
    cat >/etc/ctmigrate/ctmigrated.json
    mkdir -p /etc/systemd/system/ctmigrated.service.d
    printf "[Service]\nEnvironmentFile=-/etc/default/ctmigrated\nExecStart=\nExecStart=/usr/sbin/ctmigrated \$CTMIGRATED_OPTIONS\n" >/etc/systemd/system/ctmigrated.service.d/lab.conf
    systemctl daemon-reload
    systemctl restart ctmigrated' <<<"$VM_CONFIGURATION"
}

VM_CONFIGURATION='{ "freeze_timeout": "3m", "deadline": "20m", "lease": "3m", "gate_timeout": "3m" }'

vm_daemon() {  # HOST VERB
  case $2 in
    start | stop | restart) on "$1" systemctl "$2" ctmigrated ;;
    kill) on "$1" systemctl kill -s KILL --kill-whom=main ctmigrated ;;
    status) on "$1" systemctl is-active ctmigrated ;;
    log) on "$1" journalctl -u ctmigrated --no-pager -o cat ;;
    *) usage >&2; exit 2 ;;
  esac
}

vm_reboot() {  # HOST: power cut, and on again
  end_cgroup "$LAB_CGROUP/$1"
  vm_start "$1"
  vm_wait "$1"
  on "$1" systemctl is-system-running --wait >/dev/null || true
  wait_docker "$1"
}

# As `leftovers`, from inside: what comes and goes on a machine with systemd by itself is left out, and what this script is.
vm_leftovers() {  # HOST
  on "$1" bash -s <<'END'
{
  awk '{ name = $5; sub(/.*\//, "", name); print ($0 ~ / - nsfs / ? "netns " name : "mount " $5) }' /proc/self/mountinfo |
    grep -vE '^mount /(proc|sys|dev|tmp|run/(credentials|lock|user))(/|$)'
  find /var/lib/ctmigrate /run/ctmigrate -path '*/ctmigrate/pauses*' -prune -o -printf 'state %p\n' 2>/dev/null
  find /sys/fs/cgroup -mindepth 1 -type d -printf 'cgroup /%P\n' | grep -vE '/(system.slice/(systemd-|system-|ssh|apt|dpkg|e2scrub|logrotate|user)|user\.slice|init\.scope)|\.mount$'
  ip -o link show | awk -F': ' '{ sub(/@.*/, "", $2); print "link", ($2 ~ /^veth/ ? "veth" : $2) }'
  docker ps -a --format 'container {{.Names}} {{.State}}'
  docker volume ls -q | sed -E 's/^[0-9a-f]{64}$/(anonymous)/; s/^/volume /'
  find /srv -mindepth 1 -printf 'served /srv/%P\n'
  docker images --format 'image {{.Repository}}:{{.Tag}} {{.ID}}'
  declare -A seen=()
  for pid in $(ps -eo pid= --ppid 2 --deselect); do
    cgroup=$(sed -n 's/^0:://p' "/proc/$pid/cgroup" 2>/dev/null) || continue
    case $cgroup in /system.slice/ssh* | /user.slice* | /init.scope | /system.slice/systemd-* | /system.slice/system-*) continue ;; esac
    name=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
    echo "process $name"
    netns=$(readlink "/proc/$pid/ns/net") || continue
    [[ -n ${seen[$netns]-} ]] && continue
    seen[$netns]=1
    nsenter --net="/proc/$pid/ns/net" nft list tables 2>/dev/null | sed "s|^table|nft $cgroup|"
  done
} | LC_ALL=C sort
END
}
