# Sourced by examples/live_stream/run: where events and samples lie, and the broker that has them.
#
# Events and samples come in two halves, by user: half 0 and half 1. Each has a folder, a Redis stream or
# some Kafka partitions of its own.
#
# The caller sets `source`, `bin`, `made` and the list of processes `brokers` first.
# shellcheck shell=bash disable=SC2034,SC2154 # what one file sets, another uses

# The mock cluster keeps some 5 MiB or 100,000 messages of a partition, and a replay begins up to a
# snapshot's age back: with 1000 impressions a second, 250 bytes each, eight partitions hold two minutes.
kafka_partitions=8
end_record=END
declare -A rates=([files]=4000 [kafka]=1000 [redis]=2000)

# in_quotes PREFIX HALF: "PREFIX0", "PREFIX1", or one of them; HALF is 0, 1 or all.
in_quotes() {
  [ "$2" = all ] && echo "\"$1""0\", \"$1""1\"" || echo "\"$1$2\""
}

numbers_of() { # HALF of the Kafka partitions
  local from=0 to=$((kafka_partitions - 1))
  [ "$1" != 0 ] || to=$((kafka_partitions / 2 - 1))
  [ "$1" != 1 ] || from=$((kafka_partitions / 2))
  seq -s, "$from" "$to"
}

# stream_text WHAT HALF: the text of the source of events or samples.
stream_text() {
  case "$source" in
    files)
      [ "$1" = events ] && echo "folder { path: [$(in_quotes events/events- "$2")] }" ||
        echo "folder { path: [$(in_quotes samples- "$2")] }"
      ;;
    kafka)
      echo "kafka { brokers: \"$(cat "$made/brokers")\" topic: \"$1\" partitions: [$(numbers_of "$2")] }"
      echo "end_record: \"$end_record\""
      ;;
    redis)
      echo "redis { address: \"127.0.0.1:$port\" keys: [$(in_quotes "$1:" "$2")] }"
      echo "end_record: \"$end_record\""
      ;;
  esac
}

start_broker() {
  case "$source" in
    kafka)
      mkfifo "$made/broker"
      exec {broker_input}<>"$made/broker" # the mock cluster ends with its input
      "$bin/kafka_mock" --address_file="$made/brokers" \
        --topics="events:$kafka_partitions,samples:$kafka_partitions" <"$made/broker" &
      brokers+=("$!")
      until [ -s "$made/brokers" ]; do sleep 0.05; done
      ;;
    redis)
      port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
      mkdir "$made/redis"
      redis-server --bind 127.0.0.1 --port "$port" --appendonly yes --save "" --dir "$made/redis" \
        >"$made/redis/log" &
      brokers+=("$!")
      until [ "$(redis-cli -p "$port" ping 2>/dev/null)" = PONG ]; do sleep 0.05; done
      ;;
  esac
}
