# shellcheck shell=bash
# The part that launch/local and launch/ssh share: it reads the arguments of a job, watches its
# processes, and ends them in order. Sourced, not run; the caller sets `program` and `root`, and may
# define `own_flag NAME VALUE`, which returns 1 for a flag that is not its own, and `stands_in PID`,
# which prints the flag that tells a process whose place it takes.
#
# Each process has a keeper: a subshell that waits for it and says its exit code on a pipe. (Bash's
# `wait -n` loses children that end at the same moment.) The scheduler decides how a job ends; this
# part says what it sees, and makes sure of the end:
#   a worker dies      it is started again; without that the job goes on while another one lives
#   a server dies      it is started again, and learns again what it had learned since the last
#                      snapshot; when that does not help, the job is ended
#   the scheduler dies it is started again and goes on from its journal; one that gives up with a
#                      reason ends the job
#   SIGINT, SIGTERM    the scheduler is told first, so that it can tell the others

: "${program:?}" "${root:?}"

# What read_arguments finds.
job="" run_dir="" preset=release bin="" snapshot_dir="" join=""
address="" # of the scheduler, once it is known
scheduler_flags=() server_flags=() worker_flags=()

# How long processes get to end by themselves before they are told to, and before they are killed.
readonly orderly_seconds=10 told_seconds=5

# A process that was killed or that broke is started again, so often within so many seconds.
readonly restarts_allowed=5 restart_seconds=60

declare -A name_of=() log_of=() # by keeper
declare -A command_of=()        # by name: the words of `start`, quoted
declare -A restarts_of=()       # by name: when it was started again, on bash's SECONDS
live=()           # keepers of running processes, in the order of their start
ends=""           # descriptor of the pipe that keepers write to: keeper, exit code
scheduler_code="" # once it has ended
verdict=0         # what this shell itself saw go wrong
phase=running     # then orderly, told, killed
deadline=0        # of the phase, on bash's SECONDS
ended=""          # keeper of the process that await_end saw end, and that process's exit code
ended_code=0

# On a terminal a message takes the place of the live line, which is drawn again below it.
say() {
  [ ! -t 2 ] || printf '\r\e[K' >&2
  echo "$program: $*" >&2
}

# fail CODE MESSAGE...
fail() {
  say "error: ${*:2}"
  exit "$1"
}

usage_error() { fail 64 "$*; see --help"; }

# read_arguments ARGUMENT...: `--name=value` or `--name value`; after `--` come flags of the workers.
read_arguments() {
  local name value
  while [ $# -gt 0 ]; do
    name=${1%%=*}
    case "$1" in
      --help | -h)
        sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
      --linger | --i_know_plaintext_is_unsafe) value="" ;;
      --)
        worker_flags+=("${@:2}")
        break
        ;;
      --*=*) value=${1#*=} ;;
      --*)
        [ $# -gt 1 ] || usage_error "$1 needs a value"
        value=$2
        shift
        ;;
      *) usage_error "unexpected argument '$1'" ;;
    esac
    shift
    take_flag "$name" "$value"
  done
  [ -z "$join" ] || read_joined_run
}

# check_job WORKERS: nobody but workers reads the job.
check_job() {
  [ -n "$job" ] || [ "$1" -eq 0 ] || usage_error "--job=FILE is missing"
  [ -z "$job" ] || [ -f "$job" ] || usage_error "--job=$job: no such file"
}

# What --join names: a scheduler's address, or the log folder of the run that it is of. From there
# comes what the run was started with, for what is not given here.
read_joined_run() {
  local here_job=$job here_bin=$bin flag
  local here_workers=("${worker_flags[@]}") here_servers=("${server_flags[@]}")
  for flag in "${scheduler_flags[@]}"; do
    [ "$flag" = --i_know_plaintext_is_unsafe ] ||
      usage_error "$flag is for the scheduler, which runs already"
  done
  address=$join
  [ -d "$join" ] || return 0
  [ -s "$join/scheduler.address" ] || fail 69 "$join has no scheduler.address: no run has its logs there"
  address=$(<"$join/scheduler.address")
  if [ -f "$join/started_with" ]; then
    # shellcheck disable=SC1091 # written by note_run
    source "$join/started_with"
    job=${here_job:-$job} bin=${here_bin:-$bin}
    worker_flags+=("${here_workers[@]}") server_flags+=("${here_servers[@]}")
  fi
}

# For those who join this run.
note_run() {
  {
    printf 'job=%q bin=%q\n' "$(realpath "$job")" "$bin"
    printf 'worker_flags=(%s)\n' "$(printf '%q ' "${worker_flags[@]}")"
    printf 'server_flags=(%s)\n' "$(printf '%q ' "${server_flags[@]}")"
  } >"$run_dir/started_with"
}

take_flag() {
  case "$1" in
    --job) job=$2 ;;
    --join) join=$2 ;;
    --preset) preset=$2 ;;
    --bin) bin=$2 ;;
    --log_dir) run_dir=$2 ;;
    --set) worker_flags+=("--set=$2") ;;
    --lanes) server_flags+=("--lanes=$2") ;;
    --linger) scheduler_flags+=("$1") ;;
    --i_know_plaintext_is_unsafe)
      scheduler_flags+=("$1")
      server_flags+=("$1")
      ;;
    --snapshot_dir)
      snapshot_dir=$2
      scheduler_flags+=("$1=$2")
      ;;
    --restore)
      # The folder of an earlier run stands for the snapshots that it wrote.
      [ ! -f "$2/snapshot_dir" ] || set -- "$1" "$(<"$2/snapshot_dir")"
      scheduler_flags+=("$1=$2")
      ;;
    --report | --tensorboard) scheduler_flags+=("$1=$2") ;;
    *) own_flag "$@" || usage_error "unknown argument '$1'" ;;
  esac
}

# Makes the folder of this run, for logs, pids and the scheduler's address.
make_run_dir() {
  local label
  label=$(basename "${job%.*}")
  run_dir=${run_dir:-$root/build/run/${label:-job}${join:+-joined}-$(date +%Y%m%d-%H%M%S)-$$}
  [ -z "$join" ] || [ ! -e "$run_dir/scheduler.address" ] ||
    usage_error "--log_dir=$run_dir is the folder of the run itself; those who join need another one"
  mkdir -p "$run_dir" || fail 73 "cannot create the log folder $run_dir"
  rm -f "$run_dir/scheduler.address" "$run_dir/pids" "$run_dir/journal" "$run_dir/snapshot_dir" \
    "$run_dir/started_with"
  [ -z "$snapshot_dir" ] || realpath -m "$snapshot_dir" >"$run_dir/snapshot_dir"
  mkfifo "$run_dir/ends" || fail 73 "cannot create a pipe in $run_dir"
  exec {ends}<>"$run_dir/ends"
  rm "$run_dir/ends"
}

# keep NAME COMMAND...: the body of a keeper. The command's standard error is descriptor 3. Its own
# session keeps the terminal's Ctrl-C from it.
keep() {
  local child
  trap : INT TERM HUP
  setsid "${@:2}" 2>&3 3>&- {ends}>&- &
  child=$!
  echo "$1 $child" >>"$run_dir/pids"
  outlive "$child"
}

# outlive CHILD: ends the keeper with its child, and says how the child ended.
outlive() {
  local code
  while :; do
    code=0
    wait "$1" || code=$?
    kill -0 "$1" 2>/dev/null || break
  done
  echo "$BASHPID $code" >&"$ends"
  exit "$code"
}

# watch KEEPER NAME LOG: from now on its end is noticed.
watch() {
  live+=("$1")
  name_of[$1]=$2
  log_of[$1]=$3
}

# remember NAME WORD...: what `start` was called with, before the flags of a restart.
remember() {
  [ -n "${command_of[$1]:-}" ] || command_of[$1]=$(printf '%q ' "$@")
}

# Of the last process of that name.
pid_of() { sed -n "s/^$1 \([0-9]*\)\$/\1/p" "$run_dir/pids" | tail -n 1; }

# Says that all processes have been started, once each keeper has written its line in `pids`.
announce() {
  local keepers=${#name_of[@]}
  until [ "$(wc -l <"$run_dir/pids")" -ge "$keepers" ]; do sleep 0.01; done
  if [ -n "$join" ]; then
    say "$1 servers and $2 workers join the job of $address; logs in $run_dir"
  else
    say "job $job with $1 servers and $2 workers; logs in $run_dir"
  fi
  say "see it with: $bin/ps_ctl --scheduler=$address status"
}

# tell SIGNAL KEEPER...
tell() {
  local keeper pid
  for keeper in "${@:2}"; do
    pid=$(pid_of "${name_of[$keeper]}")
    [ -z "$pid" ] || kill -s "$1" "$pid" 2>/dev/null || true
  done
}

# The scheduler's keeper, or while there is none everybody's.
leader() {
  local keeper
  for keeper in "${live[@]}"; do
    [ "${name_of[$keeper]}" != scheduler ] || { echo "$keeper" && return; }
  done
  echo "${live[@]}"
}

# The first signal goes on to the scheduler, a second one to everybody.
on_signal() {
  if [ "$phase" = running ]; then
    say "SIG$1: ending the job"
    verdict=$((128 + $(kill -l "$1")))
    enter orderly "$orderly_seconds"
    tell TERM $(leader)
  else
    tell TERM "${live[@]}"
  fi
}

# From here on nothing that was started outlives this shell.
own_processes() {
  trap 'on_signal INT' INT
  trap 'on_signal TERM' TERM
  trap 'tell KILL "${live[@]}"' EXIT
}

# enter PHASE SECONDS
enter() {
  phase=$1
  deadline=$((SECONDS + $2))
}

# next_end SECONDS: reads what a keeper says; false when nobody says anything in that time. On a busy machine the
# time may be over in the middle of a line: its beginning is kept, and the rest, which is written at once, is there.
next_end() {
  local line="" more=""
  if ! IFS= read -r -t "$1" -u "$ends" line; then
    [ -n "$line" ] || return 1
    IFS= read -r -u "$ends" more
    line+=$more
  fi
  read -r ended ended_code <<<"$line"
}

# Waits for the end of a process, but no longer than a second: the phase may be over.
await_end() {
  local rest=() keeper
  ended=""
  ended_code=0
  next_end 1 || find_silent_end
  for keeper in "${live[@]}"; do [ "$keeper" = "$ended" ] || rest+=("$keeper"); done
  live=("${rest[@]}")
}

# A keeper that was itself killed could say nothing. One that has just said it is no such case.
find_silent_end() {
  local keeper
  for keeper in "${live[@]}"; do
    if ! kill -0 "$keeper" 2>/dev/null; then
      next_end 0.1 || ended=$keeper ended_code=137
      return
    fi
  done
}

# "worker 1 (pid 123): killed by SIGKILL, see .../worker-1.log"
describe_end() {
  local how="exit code $ended_code"
  if [ "$ended_code" -gt 128 ] && kill -l $((ended_code - 128)) >/dev/null 2>&1; then
    how="killed by SIG$(kill -l $((ended_code - 128)))"
  fi
  echo "${name_of[$ended]} (pid $(pid_of "${name_of[$ended]}")): $how, see ${log_of[$ended]}"
}

lives() {
  local keeper
  for keeper in "${live[@]}"; do [[ ${name_of[$keeper]} != "$1"* ]] || return 0; done
  return 1
}

# Killed, or broken: it did not give up with a reason.
is_crash() { [ "$ended_code" -gt 128 ] || [ "$ended_code" -eq 70 ]; } # EX_SOFTWARE

# Whether the process that ended is one to start again: not one that gave up with a reason, and not
# one that dies again and again.
may_restart() {
  local time recent=""
  [ "$phase" = running ] || return 1
  is_crash || return 1
  for time in ${restarts_of[$1]:-}; do
    [ $((SECONDS - time)) -ge "$restart_seconds" ] || recent+=" $time"
  done
  restarts_of[$1]=$recent
  [ "$(wc -w <<<"$recent")" -lt "$restarts_allowed" ]
}

restart() {
  local words flag=""
  restarts_of[$1]+=" $SECONDS"
  if [ "$1" != scheduler ] && declare -F stands_in >/dev/null; then
    flag=$(stands_in "$(pid_of "$1")")
  fi
  eval "words=(${command_of[$1]})"
  start "${words[@]}" ${flag:+"$flag"}
}

# What the end of one process means for the job.
judge_end() {
  if may_restart "${name_of[$ended]}"; then
    say "warning: $(describe_end); started again"
    restart "${name_of[$ended]}"
  elif [ "${name_of[$ended]}" = scheduler ]; then
    scheduler_code=$ended_code
    [ "$ended_code" -eq 0 ] || say "error: $(describe_end)"
    enter orderly 3 # it has told the others
  elif [ "$ended_code" -eq 0 ] || { [ "$phase" != running ] && [ "$ended_code" -le 128 ]; }; then
    return 0 # a job that ends takes the others along: each says why in its log
  elif [ "$phase" = killed ]; then
    return 0
  elif [[ ${name_of[$ended]} == worker* ]]; then
    say "warning: $(describe_end)"
    [ -z "$join" ] || verdict=$ended_code # the others are elsewhere
    if [ -z "$join" ] && [ "$phase" = running ] && ! lives worker; then
      say "error: no worker is left, so the job cannot go on"
      verdict=$ended_code
      enter orderly 1
    fi
  else
    say "error: $(describe_end)"
    if [ "$phase" = running ]; then
      verdict=69 # EX_UNAVAILABLE
      enter orderly "$orderly_seconds"
      # The scheduler, which tells the others; one that gave up with a reason may have it from there.
      ! is_crash || tell TERM $(leader)
    fi
  fi
}

# The phase's time is over and somebody still lives.
escalate() {
  local keeper names=""
  if [ "$phase" = orderly ]; then
    tell TERM "${live[@]}"
    enter told "$told_seconds"
  else
    for keeper in "${live[@]}"; do names+="${names:+, }${name_of[$keeper]}"; done
    say "warning: killed, since it did not end when told to: $names"
    tell KILL "${live[@]}"
    enter killed "$told_seconds"
  fi
}

# Returns when everything has ended, with the scheduler's exit code, or else what was seen here.
watch_job() {
  while [ "${#live[@]}" -gt 0 ]; do
    await_end
    if [ -n "$ended" ]; then
      judge_end
    elif [ "$phase" != running ] && [ "$SECONDS" -ge "$deadline" ]; then
      escalate
    fi
  done
  trap - EXIT
  [ "${scheduler_code:-0}" -eq 0 ] || return "$scheduler_code"
  return "$verdict"
}
