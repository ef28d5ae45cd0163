# What the lab downloads and builds once: Debian roots of the hosts, layers of the container images.
# An entry is named after a digest of the functions that make it, is made in a temporary folder and
# renamed into place, so it is whole or absent, and a changed recipe makes a new entry.

DEBIAN_SUITE=trixie
# Where CRIU 4.2 and Docker 28 come from; the first suite that has what is asked for and fits is taken.
NEWER_SUITES=(forky sid)

# This machine's own Debian mirror; empty on other systems, where debootstrap knows one itself.
debian_mirror() {
  apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' 'Origin: Debian' |
    awk '$2 !~ /-/ { print $1; exit }'
}

apt_in() {  # ROOT ARGS...: apt-get inside the tree, with no service started
  local root=$1; shift
  DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 chroot "$root" apt-get -qq \
    -o Dpkg::Use-Pty=0 -o APT::Install-Recommends=false -o Acquire::Retries=3 "$@" </dev/null
}

open_root() {  # makes a tree fit for chroot; the mounts are in the builder's own namespace and go with it
  mount -t proc proc "$1/proc"
  mount --bind /dev "$1/dev"
  cp -L /etc/resolv.conf "$1/etc/resolv.conf"
  printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
  chmod +x "$1/usr/sbin/policy-rc.d"
  apt-config dump | grep -E '^Acquire::(http|https|Check-)' >"$1/etc/apt/apt.conf.d/90machine" || true
}

close_root() {
  umount "$1/proc" "$1/dev"
  rm -rf "$1"/usr/sbin/policy-rc.d "$1"/etc/apt/apt.conf.d/90machine "$1"/var/lib/apt/lists/* \
    "$1"/var/cache/apt/*.bin "$1"/var/cache/apt/archives/*.deb "$1"/var/log/{apt,dpkg.log,alternatives.log,bootstrap.log} "$1"/etc/resolv.conf
}

add_newer_suite() {  # ROOT SUITE PACKAGES...: only these come from the newer suite, all else stays
  local root=$1 suite=$2; shift 2
  awk -v suite="$suite" '/^deb / { print "deb", $2, suite, "main"; exit }' "$root/etc/apt/sources.list" >"$root/etc/apt/sources.list.d/newer.list"
  cat >"$root/etc/apt/preferences.d/newer" <<END
Package: *
Pin: release n=$suite
Pin-Priority: -1

Package: $*
Pin: release n=$suite
Pin-Priority: 990
END
  apt_in "$root" -o Acquire::Check-Valid-Until=false update
}

remove_newer_suite() { rm -f "$1"/etc/apt/{sources.list.d,preferences.d}/newer*; }

# --- recipes: make_NAME DIR; needs_NAME is what they start from ---

needs_base=
make_base() {
  debootstrap --variant=minbase --include=ca-certificates "$DEBIAN_SUITE" "$1/root" $(debian_mirror)
  printf 'path-exclude /usr/share/%s/*\n' doc man info locale lintian >"$1/root/etc/dpkg/dpkg.cfg.d/lab"
  rm -rf "$1"/root/usr/share/{doc,man,info,locale}/* "$1"/root/var/lib/apt/lists/* "$1"/root/var/cache/apt/archives/*.deb "$1"/root/etc/{resolv.conf,hostname}
}

needs_docker26=base
make_docker26() {
  local root=$1/root suite
  cp -a "$(entry base)/root" "$root"
  open_root "$root"
  apt_in "$root" update
  apt_in "$root" install docker.io docker-cli containerd runc iproute2 iptables nftables procps libzstd1 liblz4-1 tcpdump jq
  # Debian 13's CRIU 4.1.1 fails on TCP sockets under kernels as new as 6.18 ("Can't get 1:16 opt").
  for suite in "${NEWER_SUITES[@]}"; do
    add_newer_suite "$root" "$suite" criu libcompel1 libnet9 libnl-3-200
    apt_in "$root" install criu && break
  done
  remove_newer_suite "$root"
  chroot "$root" criu --version
  close_root "$root"
}

needs_docker28=docker26
make_docker28() {
  local root=$1/root suite
  cp -a "$(entry docker26)/root" "$root"
  open_root "$root"
  apt_in "$root" update
  for suite in "${NEWER_SUITES[@]}"; do
    add_newer_suite "$root" "$suite" docker.io docker-cli containerd runc tini-static
    apt_in "$root" install docker.io docker-cli containerd runc && break
  done
  remove_newer_suite "$root"
  chroot "$root" dockerd --version | grep -E 'version (2[89]|[3-9][0-9])\.'
  close_root "$root"
}

# What Podman adds to the hosts' root, as a layer above it.
needs_podman=docker26
make_podman() {
  mkdir "$1/root" "$1/work" "$1/merged"
  mount -t overlay overlay -o "lowerdir=$(entry docker26)/root,upperdir=$1/root,workdir=$1/work" "$1/merged"
  open_root "$1/merged"
  apt_in "$1/merged" update
  apt_in "$1/merged" install podman conmon netavark
  chroot "$1/merged" podman --version
  close_root "$1/merged"
  umount "$1/merged"
  rm -rf "$1/work" "$1/merged"
}

# The two images share their lowest layer, so that a host that has one lacks only a part of the other.
needs_small=base
make_small() {
  cp -a "$(entry base)/root" "$1/root"
  open_root "$1/root"
  apt_in "$1/root" update
  apt_in "$1/root" install python3 procps
  close_root "$1/root"
  layer_of "$1/root" "$1/layer.tar"
}

needs_apps=small
make_apps() {
  mkdir "$1/root" "$1/work" "$1/merged"
  mount -t overlay overlay -o "lowerdir=$(entry small)/root,upperdir=$1/root,workdir=$1/work" "$1/merged"
  open_root "$1/merged"
  apt_in "$1/merged" update
  apt_in "$1/merged" install openssh-server openssh-client vsftpd postgresql mariadb-server nodejs redis-server redis-tools nginx-light curl tcpdump iproute2 iputils-ping
  close_root "$1/merged"
  umount "$1/merged"
  rm -rf "$1/work" "$1/merged"
  layer_of "$1/root" "$1/layer.tar"
}

layer_of() {  # TREE TAR: an image layer; the overlay's whiteouts become those of the image format
  local tree=$1 tar=$2 marks path
  marks=$(mktemp -d)
  : >"$marks/whiteouts"
  ( cd "$tree" && find . -type c -printf '%T@ %p\n' ) | while read -r _ path; do
    [[ $(stat -c %t:%T "$tree/$path") == 0:0 ]] || continue
    mkdir -p "$marks/tree/${path%/*}"
    : >"$marks/tree/${path%/*}/.wh.${path##*/}"
    printf '%s\n' "$path" >>"$marks/whiteouts"
  done
  ( cd "$tree" && getfattr -R -h --absolute-names -n trusted.overlay.opaque . 2>/dev/null || true ) | sed -n 's/^# file: //p' |
    while read -r path; do mkdir -p "$marks/tree/$path"; : >"$marks/tree/$path/.wh..wh..opq"; done
  tar -C "$tree" --sort=name --numeric-owner --xattrs --xattrs-include=security.capability -X "$marks/whiteouts" -cf "$tar" .
  if [[ -d $marks/tree ]]; then
    ( cd "$marks/tree" && find . -name '.wh.*' -type f -print0 ) | tar -C "$marks/tree" --numeric-owner --null -T - -rf "$tar"
  fi
  rm -rf "$marks"
  sha256sum <"$tar" | cut -d' ' -f1 >"$tar.sha256"
}

# --- the cache itself ---

recipe_key() {
  local parent=needs_$1
  { declare -f "make_$1" open_root close_root; ! declare -f "make_$1" | grep -q layer_of || declare -f layer_of; echo "$DEBIAN_SUITE ${NEWER_SUITES[*]}"
    ! declare -F "also_$1" >/dev/null || "also_$1"   # what else a recipe is made of
    for parent in ${!parent}; do recipe_key "$parent"; done; } | sha256sum | cut -c1-12
}

entry() { printf '%s/%s-%s\n' "$CTM_LAB_CACHE" "$1" "$(recipe_key "$1")"; }

# Runs as a process of its own in a mount namespace of its own, under the cache's lock: see `build`.
build_entries() {
  local name dir tmp log
  for name in "$@"; do
    dir=$(entry "$name")
    [[ -d $dir ]] && continue
    rm -rf --one-file-system "$CTM_LAB_CACHE"/tmp.*   # of builders that were killed
    tmp=$(mktemp -d "$CTM_LAB_CACHE/tmp.XXXXXX")
    chmod 755 "$tmp"
    log=$CTM_LAB_CACHE/$name.log
    say "building $name (once; log in $log)"
    # A program of its own: `set -e` has no effect in a function that is a condition.
    if ! "$LAB_BIN/lab" make-entry "$name" "$tmp" >"$log" 2>&1 </dev/null; then
      tail -20 "$log" >&2
      die "$name could not be built"
    fi
    sync -f "$tmp"
    mv -T "$tmp" "$dir"
  done
}

build() {  # NAMES...: makes what is missing; interruptible, and `lab down` ends it (it is in the lab's cgroup)
  local name missing=()
  for name in "$@"; do [[ -d $(entry "$name") ]] || missing+=("$name"); done
  [[ ${#missing[@]} == 0 ]] && return
  need debootstrap:debootstrap getfattr:attr
  mkdir -p "$CTM_LAB_CACHE" "$LAB_CGROUP/build"
  (
    echo "$BASHPID" >"$LAB_CGROUP/build/cgroup.procs"
    exec flock "$CTM_LAB_CACHE/lock" unshare --mount --propagation private "$LAB_BIN/lab" build-entries "${missing[@]}"
  ) 9>&- </dev/null &
  wait $! || die "the cache could not be built"
}
