// What to publish next: a decision about what snapshots there are and what was published last,
// apart from files, threads and clocks. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "common/base/status.h"
#include "proto/serving.pb.h"
#include "serving/row_codec.h"

namespace antiphon {

// A snapshot that is complete, as far as the decision needs it.
struct CommittedSnapshot {
  std::string folder;
  uint64_t version = 0;
  uint32_t manifest_crc32c = 0;
  bool is_delta = false;
  uint64_t predecessor_version = 0;  // of a delta
  uint32_t predecessor_crc32c = 0;
  bool is_promoted = false;
  std::string model_name;
  std::string model_id;
  std::string tables;            // TableShapes of its schema
  std::string transform_digest;  // as in a signature
  // Earlier attempts that failed because of the snapshot's own files.
  bool failed_as_step = false;
  bool failed_as_full = false;
};

// "user:8,item:4": what the tables of a step and of what it grows from have in common.
std::string TableShapes(const Signature& signature);

struct PublishRules {
  RowPrecision precision = RowPrecision::kFp32;
  double min_score = 0;  // rows of a lower score are left out
  bool promoted_only = false;
  // Steps behind a version with all rows before there is another one.
  uint64_t max_steps = 64;
};

struct Publication {
  enum class Kind {
    kNothing,  // nothing newer is there
    kStep,     // of the delta `version`, which grows from what was published last
    kFull,     // all rows, as of the snapshot `version`
  };
  Kind kind = Kind::kNothing;
  uint64_t version = 0;
  // A step on the way to a snapshot that may be served is not to be served itself.
  bool becomes_current = true;
  std::string why_full;  // for people
};

// `snapshots` are ascending; `last` is what was published last, null: nothing was. Steps come one
// at a time, in order. kInvalidArgument: the snapshots are of another job. kStaleEpoch: they are
// all older than what was published: its snapshots are gone, and somebody started again.
StatusOr<Publication> PlanPublication(std::span<const CommittedSnapshot> snapshots,
                                      const Signature* last, const PublishRules& rules);

}  // namespace antiphon
