# Sourced by examples/live_stream/run: the exporter that follows the cluster, and what it pushes to.
#
# The caller sets `bin`, `made` and the list of processes `brokers` first, and has `say` and `strike`.
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
}
