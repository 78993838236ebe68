// FolderEvents: the events of one partition from a folder of segments that grows.
//
// Segments have a number in their names and are read in its order; each must be whole when it
// appears. A file END says that nothing will follow. A position is segment << 40 | byte offset, and
// behind the last record of a segment it is that of the next one. Owned by one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "join/event_reader.h"
#include "proto/job.pb.h"
#include "stream/csv_columns.h"
#include "stream/record_reader.h"

namespace antiphon {

class FolderEvents final : public EventReader {
 public:
  // `data` has the columns and stream.join says which of them an event is made of. kInvalidArgument
  // names what is missing. The references outlive the reader.
  static StatusOr<std::unique_ptr<FolderEvents>> Create(const DataConfig& data,
                                                        const std::string& folder, FileSystem& fs,
                                                        Clock& clock);

  const std::string& partition() const override { return folder_; }
  Status Seek(Position position) override;
  StatusOr<Outcome> Next(JoinEvent& event) override;
  Position position() const override { return position_; }

  // The first line of the first segment; nothing while there is no segment.
  StatusOr<std::optional<std::string>> FirstLine();

 private:
  // Input fields by number.
  struct Fields {
    uint32_t request = 0;
    uint32_t time = 0;
    uint32_t kind = 0;
    std::optional<uint32_t> value;
  };

  FolderEvents(const DataConfig& data, std::string folder, Fields fields, FileSystem& fs,
               Clock& clock)
      : data_(data), folder_(std::move(folder)), fields_(fields), fs_(fs), clock_(clock) {}

  // Looks at the folder, but not all the time.
  Status Look();
  // Opens the segment of position_. False: it is not there yet.
  StatusOr<bool> OpenSegment();
  bool MakeEvent(const Record& record, JoinEvent& event);

  const DataConfig& data_;
  const std::string folder_;
  const Fields fields_;
  FileSystem& fs_;
  Clock& clock_;
  std::map<uint64_t, std::string> segments_;  // names by number
  bool has_end_ = false;
  std::optional<Time> looked_at_;
  std::optional<Position> begin_;  // where a reader that was told to seek began
  Position position_ = 0;
  std::unique_ptr<RecordReader> reader_;
  std::optional<CsvColumns> columns_;
  std::vector<std::string_view> values_;
};

}  // namespace antiphon
