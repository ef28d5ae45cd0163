# dockerd, containerd and the images on the hosts.

# containerd's PATH is that of a Debian service: it decides which `runc` the shims find.
start_docker() {  # HOST EXPERIMENTAL
  local host=$1
  on "$host" sh -c 'mkdir -p /etc/docker; cat >/etc/docker/daemon.json' <<END
{
  "storage-driver": "overlay2",
  "experimental": $2
}
END
  on "$host" sh -c '
    setsid containerd >/var/log/containerd.log 2>&1 </dev/null &
    setsid dockerd --containerd=/run/containerd/containerd.sock >/var/log/dockerd.log 2>&1 </dev/null &' 9>&-
}

wait_docker() {
  on "$1" sh -c '
    for i in $(seq 300); do
      docker version >/dev/null 2>&1 && exit 0
      sleep 0.1
    done
    tail -20 /var/log/containerd.log /var/log/dockerd.log >&2
    exit 1' || die "dockerd on $1 did not come up"
}

make_networks() {
  on "$1" sh -c '
    docker network create -d macvlan -o parent=eth0 --ipv6 \
      --subnet 10.77.0.0/24 --gateway 10.77.0.1 --subnet fd77::/64 --gateway fd77::1 lan
    docker network create -d bridge -o com.docker.network.bridge.name=brnet \
      --subnet 10.78.0.0/24 --gateway 10.78.0.1 brnet' >/dev/null
}

# --- images: written in the form of `docker save`, so that no Docker is needed to make them ---

make_images() {  # [LAYERS]: in LAB_STATE/images: the layers (links into the cache), /app, and the images' metadata
  local dir=$LAB_STATE/images
  mkdir -p "$dir/app"
  cp -r "$LAB_BIN/workloads" "$dir/app/app"
  chmod -R u=rwX,go=rX "$dir/app"
  chmod +x "$dir"/app/app/*
  tar -C "$dir/app" --sort=name --numeric-owner --owner=0 --group=0 --mtime=@0 -cf "$dir/app.tar" app
  sha256sum <"$dir/app.tar" | cut -d' ' -f1 >"$dir/app.tar.sha256"
  local layer
  for layer in ${1-small apps}; do
    ln -s "$(entry $layer)/layer.tar" "$dir/$layer.tar"
    ln -s "$(entry $layer)/layer.tar.sha256" "$dir/$layer.tar.sha256"
  done
  image_config "$dir" small app >"$dir/ctm-small.json"
  [[ ${1-apps} != *apps* ]] || image_config "$dir" small apps app >"$dir/ctm-apps.json"
}

image_config() {  # DIR LAYERS...
  local dir=$1; shift
  jq -n --arg path "$LAB_PATH" --args '{
      created: "2025-01-01T00:00:00Z", architecture: "amd64", os: "linux",
      config: { Env: ["PATH=" + $path, "LC_ALL=C.UTF-8", "PYTHONUNBUFFERED=1"], Cmd: ["python3", "/app/srv.py"], WorkingDir: "/" },
      rootfs: { type: "layers", diff_ids: ($ARGS.positional | map("sha256:" + .)) },
      history: ($ARGS.positional | map({ created: "2025-01-01T00:00:00Z", created_by: "lab" }))
    }' $(for layer; do cat "$dir/$layer.tar.sha256"; done)
}

load_images() {  # HOST IMAGES... (small, apps)
  local host=$1 dir=$LAB_STATE/images layers=(small) image; shift
  [[ $# == 0 ]] && return
  local manifest=()
  for image; do
    case $image in
      small) manifest+=('{"Config":"ctm-small.json","RepoTags":["ctm-small:1"],"Layers":["small.tar","app.tar"]}') ;;
      apps) manifest+=('{"Config":"ctm-apps.json","RepoTags":["ctm-apps:1"],"Layers":["small.tar","apps.tar","app.tar"]}'); layers+=(apps) ;;
      *) die "no image '$image': small, apps" ;;
    esac
  done
  mkdir -p "$dir/$host"
  jq -cs . <<<"${manifest[*]}" >"$dir/$host/manifest.json"
  tar -ch -C "$dir" $(cd "$dir" && ls ctm-*.json) app.tar "${layers[@]/%/.tar}" -C "$dir/$host" manifest.json |
    on "$host" docker load -q >/dev/null ||
    die "$host: docker load failed"
}
