#include "serving/push/sink_board.h"

#include <algorithm>

#include <google/protobuf/util/json_util.h>

#include "common/base/logging.h"

namespace antiphon {

void SinkBoard::Post(const SinkState& state) {
  const MutexLock lock(mu_);
  const auto place = std::ranges::find(*report_.mutable_sinks(), state.name(), &SinkState::name);
  *(place != report_.mutable_sinks()->end() ? &*place : report_.add_sinks()) = state;
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto printed = google::protobuf::util::MessageToJsonString(report_, &json, options);
  CHECK(printed.ok()) << printed.ToString();
  if (const Status written = WriteFileAtomically(fs_, path_, json); !written.ok()) {
    LOG(WARNING) << written;
  }
}

SinkReport SinkBoard::report() const {
  const MutexLock lock(mu_);
  return report_;
}

std::string SinkSummary(const SinkState& state) {
  std::string text = state.has_version() ? "at version " + std::to_string(state.version())
                                         : std::string("without a version");
  if (state.behind() > 0) {
    text += ", " + std::to_string(state.behind()) + " behind";
  }
  return state.has_error() ? text + ": " + state.error() : text;
}

}  // namespace antiphon
