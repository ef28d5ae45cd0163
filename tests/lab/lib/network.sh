# The lab's one LAN: a bridge in a network namespace of its own, which is also everybody's gateway.

LAN4=10.77.0 LAN6=fd77:
declare -A LAN_NUMBER=([h1]=11 [h2]=12 [client]=100)

lan_addresses() {
  local member
  for member in "${LAB_MEMBERS[@]}"; do
    echo "$LAN4.${LAN_NUMBER[$member]} $member"
    echo "$LAN6:${LAN_NUMBER[$member]} $member"
  done
}

make_lan() {
  local member lan=$CTM_LAB-lan
  ip netns add "$lan"
  # Forwarding from the first moment and no snooping: a switch that learns, and drops no neighbour advertisement.
  ip -n "$lan" link add br0 type bridge forward_delay 0 mcast_snooping 0
  ip -n "$lan" addr add "$LAN4.1/24" dev br0
  ip -n "$lan" addr add "$LAN6:1/64" dev br0 nodad
  ip -n "$lan" link set lo up
  ip -n "$lan" link set br0 up
}

lan_mac() { printf '02:77:00:00:00:%02x\n' "${LAN_NUMBER[$1]}"; }

plug_member() {  # a network namespace with its cable in the LAN's bridge; its MAC address is always the same
  local member=$1 lan=$CTM_LAB-lan
  ip netns add "$CTM_LAB-$member"
  ip -n "$lan" link add "$member" type veth peer name eth0 address "$(lan_mac "$member")" netns "$CTM_LAB-$member"
  ip -n "$lan" link set "$member" master br0 up
  ip -n "$CTM_LAB-$member" addr add "$LAN4.${LAN_NUMBER[$member]}/24" dev eth0
  ip -n "$CTM_LAB-$member" addr add "$LAN6:${LAN_NUMBER[$member]}/64" dev eth0 nodad
  ip -n "$CTM_LAB-$member" link set eth0 up
  ip -n "$CTM_LAB-$member" route add default via "$LAN4.1"
  ip -n "$CTM_LAB-$member" route add default via "$LAN6:1" dev eth0
}

# Its cable goes with both ends; sockets of killed processes may keep the namespace itself for minutes.
unplug_member() {
  ip -n "$CTM_LAB-lan" link del "$1" 2>/dev/null || true
  ip netns del "$CTM_LAB-$1"
}

lab_link() {
  [[ $# == 2 ]] && is_member "$1" && [[ $2 == up || $2 == down ]] || { usage >&2; exit 2; }
  ip -n "$CTM_LAB-lan" link set "$1" "$2"
}
