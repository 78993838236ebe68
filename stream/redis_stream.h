// RedisStream: the records of Redis streams, by hiredis. A partition is a key; an entry's id
// MS-SEQUENCE is the position MS << 22 | SEQUENCE, so a stream may get four million entries in one
// millisecond, until the year 2109.
//
// Redis does not say what trimming took. So each read also looks whether the entry that was trained
// last is still there: if it is, nothing behind it was trimmed; if it is not, something may have
// been, which counts as a gap.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "stream/record_stream.h"

namespace antiphon {

inline constexpr int kRedisSequenceBits = 22;

// "1700000000000-3" as a position. kInvalidArgument: it is no id, or one that does not fit.
StatusOr<Position> RedisPosition(std::string_view id);
std::string RedisId(Position position);

// Connects when it is first read from.
StatusOr<std::unique_ptr<RecordStream>> MakeRedisStream(const StreamConfig& config,
                                                        const RecordStreamOptions& options,
                                                        Clock& clock);

// Waits for the server, away_ms at most.
StatusOr<std::vector<Partition>> PlanRedisStream(const StreamConfig& config, Clock& clock);

}  // namespace antiphon
