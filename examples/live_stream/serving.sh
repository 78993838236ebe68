# Sourced by examples/live_stream/run: the exporter that follows the cluster, and what it pushes to.
#
# The caller sets `bin`, `made`, `real_time` and the list of processes `brokers` first, and has `say` and `strike`.
# shellcheck shell=bash disable=SC2154 # what one file sets, another uses

start_cache() {
  redis-server --bind 127.0.0.1 --port "$cache_port" --appendonly yes --appendfsync everysec --save "" \
    --dir "$made/cache" >>"$made/cache/log" 2>&1 &
  cache=$!
  brokers+=("$cache")
  until [ "$(redis-cli -p "$cache_port" ping 2>/dev/null)" = PONG ]; do sleep 0.05; done
}

start_exporter() {
  "$bin/ps_export" --follow --snapshot="$made/model" --out="$made/served" --redis="127.0.0.1:$cache_port" \
    --poll_ms=200 >>"$made/export.log" 2>&1 &
  exporter=$!
  brokers+=("$exporter")
}

start_serving() {
  cache_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  mkdir -p "$made/cache" "$made/model"
  start_cache
  start_exporter
  "$here/freshness" watch "$made/served" "$cache_port" "$made/seen.jsonl" &
  brokers+=("$!")
}

# Of the platform in real time: how the job reads samples that come at once and again, each as old as the event
# that it tells, and a ps_score that serves the newest version.
real_time_flags=()
serve_in_real_time() {
  local i
  real_time_flags=(--set data_config.time_field=known_until_ms)
  for i in 0 1 2; do
    real_time_flags+=(--set "model_config.mmoe.task_towers[$i].delayed_feedback.method=FNW")
  done
  (
    until [ -e "$made/served/CURRENT" ]; do sleep 0.05; done
    exec "$bin/ps_score" --model="$made/served" --http=127.0.0.1:0
  ) >"$made/score.log" 2>&1 &
  brokers+=("$!")
}

# show_freshness VERSION: how old events are when scores show them, once that version, the last one, is served.
show_freshness() {
  local port="" i
  for ((i = 0; i < 100; ++i)); do
    port=$(sed -n 's/^ps_score: serving .* on port //p' "$made/score.log")
    [ -z "$port" ] || break
    sleep 0.1
  done
  [ -n "$port" ] || { cat "$made/score.log" >&2; fail 70 "ps_score does not serve"; }
  "$here/freshness" score "127.0.0.1:$port" "$1" "$made/freshness.json"
  "$bin/ps_ctl" served --score="127.0.0.1:$port" --versions="$made/served" || [ $? = 1 ]
}

kill_exporter() {
  strike exporter "$exporter"
  wait "$exporter" 2>/dev/null || true
  start_exporter
}

# Away for two seconds, in which a version may come.
kill_cache() {
  strike "redis of the served rows" "$cache"
  wait "$cache" 2>/dev/null || true
  sleep 2
  start_cache
}

# Waits until both places serve the newest snapshot, and compares every row of both with it.
check_serving() {
  local newest i
  newest=$(find "$made/model" -path '*/snapshot-*/MANIFEST' | sed 's|.*/snapshot-0*\([0-9]*\)/.*|\1|' | sort -n | tail -1)
  for ((i = 0; i < 300; ++i)); do
    [ "$("$here/freshness" newest "$made/seen.jsonl")" != "$newest $newest" ] || break
    sleep 0.1
  done
  "$bin/ps_verify" --snapshot="$made/model" --served="$made/served" --redis="127.0.0.1:$cache_port" |
    tee "$made/verified" || fail 70 "what is served is not what was trained"
  "$here/freshness" table "$made/seen.jsonl" "$made/freshness.json"
  [ "$real_time" = no ] || show_freshness "$newest"
}
