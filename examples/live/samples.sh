# Sourced by examples/live/run and examples/live/new_scene: the samples that they share.
#
#   --samples=N   training samples
#   --kinship=X   how much what inclines to the click inclines to other tasks too (docs/simulation.md)
# shellcheck shell=bash disable=SC2034,SC2154 # what one file sets, another uses

samples=1000000 kinship=0
own_switch() {
  case "$1" in
    --samples=*) samples=${1#*=} ;;
    --kinship=*) kinship=${1#*=} ;;
    *) return 1 ;;
  esac
}

# find_samples: sets `bin` and `made`, the folder of this seed, and simulates what $made/samples lacks. One
# run does it while others wait.
find_samples() {
  local program
  bin=$root/build/$preset/bin
  for program in ps_simulate ps_train; do
    [ -x "$bin/$program" ] || fail 69 "there is no $bin/$program; build it:" \
      "cmake --preset $preset && cmake --build --preset $preset"
  done
  seed=${seed:-1}
  made=${data:-$root/build/live}/seed$seed
  mkdir -p "$made"
  (
    flock 9
    [ "$(cat "$made/samples.count" 2>/dev/null)" != "$samples $kinship" ] || exit 0
    rm -f "$made/samples.count"
    "$bin/ps_simulate" --out="$made/samples" --force --seed="$seed" --samples="$samples" --requests=10000 \
      --kinship="$kinship"
    echo "$samples $kinship" >"$made/samples.count"
  ) 9>"$made/lock"
}
