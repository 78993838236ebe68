// PushedChain: a trainer with one small table, and the versions that it makes of it, cut into
// records as a sink would send them.
//
// The table's file is a list of changes, because the receiver looks into no file; all else is as in
// real versions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/rng.h"
#include "serving/push/version_receiver.h"

namespace antiphon {

// Rows by key.
using SmallTable = std::map<uint64_t, uint32_t>;

class PushedChain {
 public:
  PushedChain(uint64_t model_id, uint64_t seed);

  // The trainer goes on: some rows change, some go. Then the next version's records, of all rows or
  // of what has changed since the last version.
  std::vector<std::string> NextStep();
  std::vector<std::string> NextFull();
  // The newest version once more, with all rows: what is sent to who asks for it.
  std::vector<std::string> FullAgain();

  const std::string& model_id() const { return model_id_; }
  const std::optional<VersionPosition>& position() const { return position_; }
  // As it was when that version was made.
  const SmallTable& TableOf(uint64_t version) const { return history_.at(version); }

 private:
  void Train();
  std::vector<std::string> Records(const ServedStep* step, const std::string& table);

  const std::string model_id_;
  Rng rng_;
  SmallTable table_;
  std::map<uint64_t, std::optional<uint32_t>> changes_;  // since the last version; nothing: went
  std::map<uint64_t, SmallTable> history_;
  uint64_t version_ = 0;
  uint64_t base_ = 0;
  uint64_t sequence_ = 0;
  std::optional<VersionPosition> position_;
};

// What a server does with a version that it was handed. kDataLoss: it may not be served after what
// is served now.
class SmallServer {
 public:
  Status Apply(const ReceivedVersion& version);
  const SmallTable& table() const { return table_; }

 private:
  SmallTable table_;
  std::string digest_;
};

}  // namespace antiphon
