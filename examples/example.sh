# Sourced by examples/*/run: the switches that all examples have, and how a job is started.
#
#   --model=NAME     which of the example's models
#   --data=DIR       where the data is
#   --cluster=SxW    S servers and W workers as processes of their own; without it one process
#   --seed=N         every random choice
#   --epochs=N       how often the data is read
#   --report=FILE    the figures as JSON
#   --preset=NAME    which build: release
#   -- FLAGS...      to the trainer
#
# The caller sets `example` (its name), `root` and `model` (the default) first.
# shellcheck shell=bash disable=SC2034,SC2154 # what one file sets, another uses

data="" cluster="" preset=release report="" seed=""
flags=() trainer_flags=()

fail() {
  echo "examples/$example/${script:-run}: error: ${*:2}" >&2
  exit "$1"
}

# own_switch ARGUMENT: an example redefines it to take switches of its own.
own_switch() { return 1; }

read_switches() {
  while [ $# -gt 0 ]; do
    case "$1" in
      --model=*) model=${1#*=} ;;
      --data=*) data=${1#*=} ;;
      --cluster=*) cluster=${1#*=} ;;
      --seed=*)
        seed=${1#*=}
        flags+=(--set "seed=$seed")
        ;;
      --epochs=*) flags+=(--set "data_config.num_epochs=${1#*=}") ;;
      --report=*) report=${1#*=} ;;
      --preset=*) preset=${1#*=} ;;
      --help | -h)
        sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$root/examples/$example/${script:-run}"
        exit 0
        ;;
      --)
        trainer_flags=("${@:2}")
        return
        ;;
      *)
        own_switch "$1" || fail 64 "unknown argument '$1', expected --name=value; see --help"
        ;;
    esac
    shift
  done
}

# find_data NAME: sets `data` to the folder of this data set unless --data named one.
find_data() {
  [ -z "$data" ] || return 0
  for data in "${ANTIPHON_DATA:-$root/data}/$1" "$root/data/$1" "$root/../shared/data/$1"; do
    [ ! -d "$data" ] || return 0
  done
}

# only_marked MARK...: of a job on standard input, the lines that every model has and those that end in
# "  # MARK"; other marked lines are those of other models.
only_marked() {
  local mark keep=()
  for mark; do
    keep+=(-e "/  # $mark\$/b")
  done
  sed "${keep[@]}" -e '/  # [a-z_]*$/d'
}

# make_job NAME MARKS...: data.textproto and models/$base.textproto of the folder $here without the lines of
# other marks, as the job $job in the folder $made. "scene" and "prior" are features: a model that does
# not read one does not have it.
make_job() {
  job=$made/$1.textproto
  local mark keep=()
  for mark in "${@:2}"; do
    case "$mark" in
      scene | prior) grep -q "\"$mark" "$here/models/$base.textproto" || continue ;;
    esac
    keep+=("$mark")
  done
  cat "$here/data.textproto" "$here/models/$base.textproto" | only_marked "${keep[@]}" >"$job.$$"
  mv "$job.$$" "$job"
}

# train JOB REPORT [FLAGS...]: trains and evaluates, in one process or on a cluster, in the place of
# the calling shell; ( ) around it keeps that.
train() {
  local job=$1
  [ -z "$2" ] || set -- "$@" --report="$2"
  shift 2
  if [ -z "$cluster" ]; then
    local trainer=$root/build/$preset/bin/ps_train
    [ -x "$trainer" ] || fail 69 "there is no $trainer; build it:" \
      "cmake --preset $preset && cmake --build --preset $preset"
    exec "$trainer" --job="$job" "${flags[@]}" "$@" "${trainer_flags[@]}"
  fi
  [[ $cluster =~ ^([1-9][0-9]*)x([1-9][0-9]*)$ ]] ||
    fail 64 "--cluster=$cluster: expected SERVERSxWORKERS, such as 2x2"
  exec "$root/launch/local" --job="$job" --servers="${BASH_REMATCH[1]}" \
    --workers="${BASH_REMATCH[2]}" --preset="$preset" "${flags[@]}" "$@" -- "${trainer_flags[@]}"
}
