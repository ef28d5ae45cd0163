# bash completion for ctmigrate

_ctmigrate_hosts() {
  ctmigrate hosts --json 2>/dev/null | grep -o '"name":"[^"]*"' | cut -d'"' -f4
}

_ctmigrate_containers() {
  docker ps --format '{{.Names}}' 2>/dev/null
}

_ctmigrate_migrations() {
  ctmigrate status --json 2>/dev/null | grep -o '"id":"[^"]*"' | cut -d'"' -f4
}

_ctmigrate() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local verbs='check migrate save restore verify evacuate return status watch cancel resolve history hosts announce doctor'
  local checks='state criu kernel cpu runtime wrapper storage image memory disk name address network clock exec tty mounts stdio privileged namespaces io_uring devices settings processes'
  local verb='' operands=0 i word
  COMPREPLY=()

  # The verb, and how many operands stand between it and the cursor.
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case $word in
      --socket | --skip | --volume | --mode | --max-downtime | --on-stall | --deadline | --freeze-timeout | --code | --to | --parallel | --within | --winner | --as | --passphrase-file | --key) ((i++)) ;;
      -*) ;;
      *)
        if [[ -z $verb ]]; then
          verb=$word
        elif [[ $verb == hosts && $operands == 0 ]]; then
          verb="hosts $word"
        else
          ((operands++))
        fi
        ;;
    esac
  done

  case $previous in
    --socket) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    --mode) mapfile -t COMPREPLY < <(compgen -W 'auto precopy postcopy stop-and-copy offline' -- "$current"); return ;;
    --winner) mapfile -t COMPREPLY < <(compgen -W 'source destination' -- "$current"); return ;;
    --on-stall) mapfile -t COMPREPLY < <(compgen -W 'accept abort throttle postcopy' -- "$current"); return ;;
    --to) mapfile -t COMPREPLY < <(compgen -W "$(_ctmigrate_hosts)" -- "$current"); return ;;
    --passphrase-file | --key) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    --parallel | --within | --as | --volume | --max-downtime | --deadline | --freeze-timeout | --code) return ;;
    --skip)
      local done_part=''
      [[ $current != *,* ]] || done_part=${current%,*},
      mapfile -t COMPREPLY < <(compgen -P "$done_part" -W "$checks" -- "${current##*,}")
      compopt -o nospace
      return
      ;;
  esac

  local options='--help --socket' operand=''
  case $verb in
    '') options+=' --version' operand=$verbs ;;
    check) options+=' --mode --on-stall --volume --skip --json' ;;&
    migrate) options+=' --dry-run --offline --mode --max-downtime --on-stall --volume --keep-volumes --keep-dest --skip --deadline --freeze-timeout --detach --json' ;;&
    check | migrate)
      case $operands in
        0) operand=$(_ctmigrate_containers) ;;
        1) operand=$(_ctmigrate_hosts) ;;
      esac
      ;;
    save)
      options+=' --leave-running --with-image --passphrase-file --key --volume --keep-volumes --skip --json'
      case $operands in
        0) operand=$(_ctmigrate_containers) ;;
        1) operand=$(compgen -f -- "$current") ;;
      esac
      ;;
    restore) options+=' --as --passphrase-file --key --skip --json'; ((operands > 0)) || operand=$(compgen -f -- "$current") ;;
    verify) options+=' --passphrase-file --key --json'; ((operands > 0)) || operand=$(compgen -f -- "$current") ;;
    evacuate) options+=' --to --parallel --within --for-shutdown --plan --json' ;;
    return) options+=' --parallel --plan --json' ;;
    status | watch) options+=' --json'; ((operands > 0)) || operand=$(_ctmigrate_migrations) ;;
    cancel) ((operands > 0)) || operand=$(_ctmigrate_migrations) ;;
    resolve) options+=' --winner --yes --json'; ((operands > 0)) || operand=$(_ctmigrate_migrations) ;;
    history | announce) options+=' --json'; ((operands > 0)) || operand=$(_ctmigrate_containers) ;;
    hosts) options+=' --json' operand='list pair code remove' ;;
    'hosts pair') options+=' --code --json' ;;
    'hosts remove') ((operands > 0)) || operand=$(_ctmigrate_hosts) ;;
    'hosts '* | doctor) options+=' --json' ;;
  esac

  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -W "$operand" -- "$current")
  fi
}

complete -F _ctmigrate ctmigrate
