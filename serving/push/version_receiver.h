// VersionReceiver: puts versions together from records that come in whatever order and number, and
// says which of them may be served.
//
// A version is handed out when it is whole, every file of it is what its signature says, and it
// either has all rows or grows from the very version that was handed out before. Nothing else
// is ever handed out: a record that is lost, doubled, late, damaged or somebody else's costs time,
// not truth. What it cannot know is that the last record of all was lost; the next version shows
// it.
//
// A state machine without a thread, a clock, a disk or a network. Owned by one thread. What waits
// lies in memory, up to max_waiting_bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "proto/push.pb.h"
#include "proto/serving.pb.h"
#include "serving/push/version_position.h"

namespace antiphon {

// What became of a record.
enum class RecordFate : uint8_t {
  kTaken,
  kEarly,      // taken, and something that belongs before it has not come yet
  kDuplicate,  // it is here already, or is served
  kStale,      // of a version from before the one that is served
  kTorn,       // short or damaged, or it contradicts the other records of its version
  kWrongModel,
};

struct ReceiverCounts {
  uint64_t taken = 0;
  uint64_t early = 0;
  uint64_t duplicate = 0;
  uint64_t stale = 0;
  uint64_t torn = 0;
  uint64_t wrong_model = 0;
  uint64_t missing = 0;   // whole steps that came before what they grow from
  uint64_t versions = 0;  // handed out

  friend bool operator==(const ReceiverCounts&, const ReceiverCounts&) = default;
};

struct ReceivedVersion {
  Signature signature;
  std::string digest;
  std::map<std::string, std::string> files;  // contents by name, signature.json included

  VersionPosition position() const {
    return {.model_id = signature.model_id(), .version = signature.version(), .digest = digest};
  }
};

struct ReceiverOptions {
  // What is served already; records of other models are refused. Without one, the first record
  // says which model it is.
  std::optional<VersionPosition> served = {};
  std::string model_id = {};  // empty: that of `served` or of the first record
  uint64_t max_waiting_bytes = uint64_t{8} << 30;
};

class VersionReceiver {
 public:
  explicit VersionReceiver(const ReceiverOptions& options);

  RecordFate Take(std::span<const std::byte> record);

  // The version to serve next, if there is one. From now on it counts as served.
  std::optional<ReceivedVersion> Next();

  const std::optional<VersionPosition>& served() const { return served_; }
  // Why nothing but a version with all rows can help, for people; empty: it goes on as it is. What
  // is missing may still come late.
  std::string need() const;
  bool needs_full() const { return !need().empty(); }

  const ReceiverCounts& counts() const { return counts_; }
  uint64_t waiting_bytes() const { return waiting_bytes_; }

 private:
  using Name = std::pair<uint64_t, std::string>;  // version and digest
  struct Piece {
    std::string file;
    uint64_t offset = 0;
    std::string bytes;
  };
  // A version of which some parts have come.
  struct Assembly {
    uint32_t parts = 0;
    ServedStep step;
    bool is_step = false;
    std::map<uint32_t, Piece> pieces;
    uint64_t bytes = 0;
  };

  RecordFate Sort(PushRecord record);
  RecordFate Place(const Name& name, PushRecord record);
  static bool Contradicts(const Assembly& assembly, const PushRecord& record);
  // Moves the assembly, all of whose parts are here, to the whole versions. kDataLoss: it is none.
  Status Complete(const Name& name);
  bool Connects(const Signature& signature) const;
  void Drop(std::map<Name, Assembly>::iterator assembly);
  void MakeRoom(const Name& keep);
  void NoteTorn(const std::string& what);

  const uint64_t max_waiting_bytes_;
  std::string model_id_;
  std::optional<VersionPosition> served_;
  std::map<Name, Assembly> assemblies_;
  std::map<Name, ReceivedVersion> whole_;
  uint64_t waiting_bytes_ = 0;  // of both
  std::string damage_;          // since the last version was handed out; empty: none
  ReceiverCounts counts_;
};

}  // namespace antiphon
