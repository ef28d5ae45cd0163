# What CRIU needs on machines that withhold CAP_SYS_RESOURCE from root, as many sandboxes do: see limits.c.

has_sys_resource() {
  local effective
  effective=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
  (( 0x$effective >> 24 & 1 ))
}

# Puts a `criu` in front of the host's own that reads limits from /proc; runc and the daemon find it by PATH.
lend_limits() {  # HOSTS...
  has_sys_resource && return
  local host root
  need gcc:gcc /usr/include/errno.h:libc6-dev
  gcc -shared -fPIC -O2 -Wall -o "$LAB_STATE/limits.so" "$LAB_BIN/lib/limits.c" || die "limits.c does not compile"
  for host; do
    root=$(member_root "$host")
    install -D -m 644 "$LAB_STATE/limits.so" "$root/usr/local/lib/limits.so"
    printf '#!/bin/sh\nLD_PRELOAD=/usr/local/lib/limits.so exec /usr/sbin/criu "$@"\n' >"$root/usr/local/sbin/criu"
    chmod 755 "$root/usr/local/sbin/criu"
  done
}
