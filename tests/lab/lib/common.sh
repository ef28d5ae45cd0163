# Shared by the lab's programs: names, places, messages, cgroups. Sourced, never run.

# A lab is a prefix. Everything it makes (network namespaces, cgroup, folder) carries it.
CTM_LAB=${CTM_LAB:-ctm}
CTM_LAB_CACHE=${CTM_LAB_CACHE:-/var/cache/ctmigrate-lab}

LAB_BIN=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
LAB_STATES=/var/tmp/ctmigrate-lab
LAB_STATE=$LAB_STATES/$CTM_LAB
LAB_LOCK=/run/lock/ctmigrate-lab-$CTM_LAB   # stays, empty: removing a lock file is a race
# A cgroup2 mount of the lab's own, since a machine may have it anywhere, or only as a part of v1's tree.
LAB_CGROUPS=$LAB_STATE/cgroup2
LAB_CGROUP=$LAB_CGROUPS/ctmigrate-lab-$CTM_LAB

LAB_HOSTS=(h1 h2)
LAB_MEMBERS=(h1 h2 client)
LAB_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

say() { printf 'lab %s: %s\n' "$CTM_LAB" "$*" >&2; }
die() { say "$*"; exit 1; }

check_settings() {
  [[ $CTM_LAB =~ ^[a-z][a-z0-9-]{0,30}$ ]] || die "CTM_LAB is '$CTM_LAB': lower-case letters, digits and '-', at most 31"
  [[ $CTM_LAB_CACHE == /* ]] || die "CTM_LAB_CACHE is '$CTM_LAB_CACHE': an absolute path is needed"
  [[ $EUID == 0 ]] || die "the lab makes namespaces and mounts: run it as root"
}

is_host() { [[ $1 == h1 || $1 == h2 ]]; }
is_vm() { [[ -e $LAB_STATE/$1/disk.qcow2 ]]; }
is_member() { is_host "$1" || [[ $1 == client ]]; }

# A member's init sits alone in its cgroup `holder`, which therefore tells its pid, and never a stale one.
member_pid() {
  local pid=
  [[ -r $LAB_CGROUP/$1/holder/cgroup.procs ]] && read -r pid <"$LAB_CGROUP/$1/holder/cgroup.procs"
  [[ -n $pid ]] && printf '%s\n' "$pid"
}

member_root() {
  local pid
  pid=$(member_pid "$1") || die "$1 does not stand: 'tests/lab/lab up' first"
  printf '/proc/%s/root\n' "$pid"
}

# exec CMD... on a member: in its cgroup and namespaces, with the environment of a root login.
enter() {
  local member=$1 pid; shift
  ! is_vm "$member" || vm_enter "$member" "$@"
  pid=$(member_pid "$member") || die "$member does not stand: 'tests/lab/lab up' first"
  echo "$BASHPID" >"$LAB_CGROUP/$member/init/cgroup.procs"
  exec nsenter -t "$pid" -m -u -n -C -- \
    env -i PATH="$LAB_PATH" HOME=/root USER=root LC_ALL=C.UTF-8 TERM="${TERM:-dumb}" "$@"
}

# The same on a virtual machine: by the connection that vms.sh has made.
vm_enter() {  # HOST COMMAND...
  local host=$1; shift
  exec nsenter --net="/run/netns/$CTM_LAB-lan" ssh -F "$LAB_STATE/ssh" "$host" \
    "exec env -i PATH=$LAB_PATH HOME=/root USER=root LC_ALL=C.UTF-8 TERM=dumb $(printf '%q ' "$@")"
}

on() { ( enter "$@" ); }

need() { "$LAB_BIN/../need" "$@" || die "what it needs could not be installed"; }
