#include "tools/simulate/stream_logs.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/text.h"
#include "simulation/segment_log.h"
#include "stream/record_sink.h"

namespace antiphon {
namespace {

// A broker's partition.
class RecordLog final : public EventLog {
 public:
  RecordLog(std::unique_ptr<RecordSink> sink, std::string end_record)
      : sink_(std::move(sink)), end_record_(std::move(end_record)) {}

  Status Append(std::string_view line) override { return sink_->Append(Trim(line)); }
  Status Commit() override { return sink_->Flush(); }
  Status End() override {
    if (!end_record_.empty()) {
      AP_RETURN_IF_ERROR(sink_->Append(end_record_));
    }
    return sink_->Flush();
  }

 private:
  const std::unique_ptr<RecordSink> sink_;
  const std::string end_record_;
};

}  // namespace

StatusOr<EventLogs> MakeStreamLogs(const DataConfig& events, FileSystem& fs, Clock& clock) {
  if (events.input_type() != DataConfig::CSVInput || events.separator() != ",") {
    return InvalidArgumentError("the events of a platform are CSVInput with commas");
  }
  EventLogs logs;
  if (events.stream().has_folder()) {
    for (const std::string& folder : events.stream().folder().path()) {
      AP_ASSIGN_OR_RETURN(
          std::unique_ptr<SegmentLog> log,
          SegmentLog::Create(folder, events.with_header() ? EventStream::Header() : "", fs));
      logs.push_back(std::move(log));
    }
    return logs;
  }
  AP_ASSIGN_OR_RETURN(std::vector<std::unique_ptr<RecordSink>> sinks,
                      MakeBrokerSinks(events.stream(), clock));
  for (std::unique_ptr<RecordSink>& sink : sinks) {
    logs.push_back(std::make_unique<RecordLog>(std::move(sink), events.stream().end_record()));
  }
  return logs;
}

}  // namespace antiphon
