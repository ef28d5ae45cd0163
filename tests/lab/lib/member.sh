# A member of the lab: a host or the client. A root of its own (an overlay whose changes are on the
# real disk), mount, network, UTS and cgroup namespaces. All its mounts live in its mount namespace
# and vanish with its last process.

# Runs inside the new namespaces as the member's first process; ends as `sleep`, which holds them.
member_init() {  # MEMBER LOWERDIR
  local member=$1 lower=$2 dir=$LAB_STATE/$1 root=$LAB_STATE/$1/root node
  set -e
  mount -t overlay overlay -o "lowerdir=$lower,upperdir=$dir/upper,workdir=$dir/work" "$root"
  cd "$root"
  mkdir -p .machine var/lib/{docker,containerd,containers}
  mount -t proc proc proc
  mount -t sysfs sysfs sys
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  mount -t tmpfs -o mode=755 tmpfs run
  mount -t tmpfs -o mode=1777 tmpfs tmp
  mount -t tmpfs -o mode=755 tmpfs dev
  mkdir dev/{pts,shm,mqueue,net} run/lock
  for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0 fuse:10:229 net/tun:10:200; do
    IFS=: read -r name major minor <<<"$node"
    mknod -m 666 "dev/$name" c "$major" "$minor"
  done
  mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts dev/pts
  ln -s pts/ptmx dev/ptmx
  ln -s /proc/self/fd dev/fd
  for node in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${node%:*}" "dev/${node#*:}"; done
  mount -t tmpfs -o mode=1777 tmpfs dev/shm
  mount -t mqueue mqueue dev/mqueue
  mount --bind "$dir/docker" var/lib/docker      # overlay2 does not work on an overlay
  mount --bind "$dir/containerd" var/lib/containerd
  mount --bind "$dir/containers" var/lib/containers

  echo "$member" >etc/hostname
  hostname "$member"
  tr -d - <proc/sys/kernel/random/uuid >etc/machine-id
  : >etc/resolv.conf
  { echo '127.0.0.1 localhost'; echo '::1 localhost'; lan_addresses; } >etc/hosts

  # Controllers reach the member's children only from a cgroup without processes: its own stay in `holder` and `init`.
  mkdir sys/fs/cgroup/{holder,init,docker}
  echo "$BASHPID" >sys/fs/cgroup/holder/cgroup.procs
  for node in $(<sys/fs/cgroup/cgroup.controllers); do echo "+$node" >sys/fs/cgroup/cgroup.subtree_control || true; done

  pivot_root . .machine
  umount -l /.machine
  rmdir /.machine
  ip link set lo up
  touch /run/lab-member-ready
  exec sleep infinity
}

start_member() {  # MEMBER LOWERDIR
  local member=$1 dir=$LAB_STATE/$1
  mkdir -p "$dir"/{upper,work,root,docker,containerd,containers} "$LAB_CGROUP/$member"
  echo "$2" >"$dir/lower"
  (
    echo "$BASHPID" >"$LAB_CGROUP/$member/cgroup.procs"
    exec setsid nsenter --net="/run/netns/$CTM_LAB-$member" \
      unshare --cgroup --mount --uts --propagation private "$LAB_BIN/lab" member-init "$member" "$2"
  ) 9>&- </dev/null >"$dir/init.log" 2>&1 &
}

wait_member() {
  local i root
  for i in {1..200}; do
    root=$(member_pid "$1") && [[ -e /proc/$root/root/run/lab-member-ready ]] && return
    sleep 0.05
  done
  cat "$LAB_STATE/$1/init.log" >&2
  die "$1 did not come up"
}

# Power cut and start: every process of the host ends at once, what is in memory is gone (mounts, namespaces, cgroups, /run),
# what is on its disk stays. containerd and dockerd are started as at boot, and ctmigrated if it was running or `--daemon` is given.
lab_reboot() {
  local host=${1-} daemon=false
  is_host "$host" && [[ $# == 1 || ($# == 2 && $2 == --daemon) ]] || { usage >&2; exit 2; }
  take_lock
  ! is_vm "$host" || { vm_reboot "$host"; return; }
  [[ $# == 2 ]] || ! daemon_pid "$host" >/dev/null || daemon=true
  [[ $# == 1 ]] || daemon=true
  end_cgroup "$LAB_CGROUP/$host"
  unplug_member "$host"
  plug_member "$host"
  start_member "$host" "$(<"$LAB_STATE/$host/lower")"
  wait_member "$host"
  on "$host" sh -c 'rm -f /var/run/docker.pid'
  start_docker "$host" "$(<"$LAB_STATE/experimental")"
  wait_docker "$host"
  [[ $daemon == false ]] || daemon_start "$host"
}

# Kills everything in a cgroup and removes it.
end_cgroup() {
  local i cgroup=$1
  echo 1 >"$cgroup/cgroup.kill"
  for i in {1..200}; do
    grep -q '^populated 0' "$cgroup/cgroup.events" && break
    sleep 0.05
  done
  # A dying cgroup may still be busy for a moment after its last process.
  for i in {1..100}; do
    find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true
    [[ -d $cgroup ]] || return 0
    sleep 0.05
  done
  die "processes of $cgroup do not end: $(find "$cgroup" -name cgroup.procs -exec cat {} + | tr '\n' ' ')"
}
