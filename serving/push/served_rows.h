// ServedRows: all rows that a sink serves, in memory, to be compared with what was trained.
//
// For verification, not for serving: it takes the memory of all rows. Frozen once it is read.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <ostream>
#include <span>
#include <string>
#include <unordered_map>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/base/types.h"
#include "proto/serving.pb.h"
#include "scoring/frozen_model.h"
#include "serving/push/kafka_log.h"
#include "serving/push/sink_address.h"
#include "serving/row_codec.h"

namespace antiphon {

struct ServedRows {
  using Table = std::unordered_map<Key, std::string>;  // rows as serving/row_codec.h writes them

  std::string where;    // for people
  Signature signature;  // of the newest version in it
  std::string state;    // the contents of state.bin
  std::map<std::string, Table> tables;

  // What comes next in the chain. `contents` gives a file of the version by its name.
  Status Apply(const Signature& next,
               const std::function<StatusOr<std::string>(const std::string& name)>& contents);
};

// `folder` is a version, or a directory of versions, of which what CURRENT names is read.
StatusOr<ServedRows> ReadFolderRows(FileSystem& fs, const std::string& folder);
StatusOr<ServedRows> ReadRedisRows(const RedisAddress& address, const std::string& model_id);
// What a receiver that begins with an empty folder has at the end of the topic.
StatusOr<ServedRows> ReadKafkaRows(const KafkaStream& config, const std::string& model_id);

// Prints a line: how many rows of how many tables are equal, or what the first difference is.
// kFailedPrecondition: something differs. Rows that the version leaves out for their score may be
// missing.
Status CompareRows(const FrozenModel& trained, const ServedRows& served, std::ostream& out);

}  // namespace antiphon
