# ContainerMigrate itself on the hosts.

DAEMON_LOG=/var/log/ctmigrated.console

lab_install() {
  ! is_vm h1 || { vm_install "$@"; return; }
  [[ $# == 1 && -d $1 ]] || { usage >&2; exit 2; }
  local host
  [[ -x $1/usr/sbin/ctmigrated ]] || die "$1 holds no usr/sbin/ctmigrated: was it made by 'make install DESTDIR=$1'?"
  for host in "${LAB_HOSTS[@]}"; do
    tar -C "$1" -c . | on "$host" tar -C / -x --keep-directory-symlink --no-overwrite-dir
    on "$host" groupadd -f --system ctmigrate
  done
}

lab_daemon() {
  [[ $# == 2 ]] && is_host "$1" || { usage >&2; exit 2; }
  ! is_vm "$1" || { vm_daemon "$@"; return; }
  case $2 in
    start) daemon_start "$1" ;;
    stop) daemon_end "$1" TERM ;;
    kill) daemon_end "$1" KILL ;;
    restart) daemon_end "$1" TERM; daemon_start "$1" ;;
    status) daemon_pid "$1" >/dev/null && echo "ctmigrated runs on $1" || { echo "ctmigrated does not run on $1"; return 1; } ;;
    log) on "$1" cat "$DAEMON_LOG" ;;
    *) usage >&2; exit 2 ;;
  esac
}

daemon_pid() {
  on "$1" sh -c 'read -r pid </run/ctmigrated.pid && case $(readlink "/proc/$pid/exe") in */ctmigrated*) echo "$pid" ;; *) exit 1 ;; esac' 2>/dev/null
}

daemon_start() {
  local host=$1 i
  daemon_pid "$host" >/dev/null && return
  # As systemd would make the folders of the unit. The shell's pid becomes the daemon's. A test's settings for it
  # (CTMIGRATED_OPTIONS, fault points) are in /etc/default/ctmigrated.
  on "$host" sh -c "
    mkdir -p /run/ctmigrate /var/lib/ctmigrate /var/log/ctmigrate
    chmod 700 /var/lib/ctmigrate
    rm -f /run/ctmigrate/ctmigrated.sock
    setsid sh -c 'echo \$\$ >/run/ctmigrated.pid; set -a; [ ! -r /etc/default/ctmigrated ] || . /etc/default/ctmigrated; exec /usr/sbin/ctmigrated \$CTMIGRATED_OPTIONS' >>$DAEMON_LOG 2>&1 </dev/null &" 9>&-
  for i in {1..300}; do
    on "$host" test -S /run/ctmigrate/ctmigrated.sock && return
    (( i < 20 )) || daemon_pid "$host" >/dev/null || break
    sleep 0.1
  done
  on "$host" tail -n 20 "$DAEMON_LOG" >&2
  die "ctmigrated on $host did not come up"
}

daemon_end() {
  local host=$1 pid i
  pid=$(daemon_pid "$host") || return 0
  on "$host" kill "-$2" "$pid"
  for i in {1..300}; do
    daemon_pid "$host" >/dev/null || return 0
    sleep 0.1
  done
  die "ctmigrated on $host (pid $pid) does not end"
}

# One exchange pairs both ways: h1 shows a one-time code, h2 gives it back to h1.
lab_pair() {
  local code
  code=$(on h1 ctmigrate hosts code --json | jq -er .code) || die "h1 gave no pairing code"
  on h2 ctmigrate hosts pair h1 --code "$code"
}

lab_deploy() {
  local host
  lab_install "$@"
  is_vm h1 || for host in "${LAB_HOSTS[@]}"; do lab_daemon "$host" restart; done
  lab_pair
}
