// EventDecoder: from a record of any format to what a joiner is told.
//
// Owned by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "join/join_event.h"
#include "proto/job.pb.h"
#include "stream/record_decoder.h"

namespace antiphon {

class EventDecoder {
 public:
  // `data` has the fields of the events, and stream.join says which of them an event is made of.
  // kInvalidArgument names what is missing. `path` is for errors; `header` is the file's, where
  // `data` has one.
  static StatusOr<EventDecoder> Create(const DataConfig& data, const std::string& path,
                                       std::string_view header);

  // False: the record is no event.
  bool Decode(std::string_view record, JoinEvent& event);

 private:
  // Input fields by number.
  struct Fields {
    uint32_t request = 0;
    uint32_t time = 0;
    uint32_t kind = 0;
    std::optional<uint32_t> value;
  };

  EventDecoder(const Fields& fields, std::string impression_kind,
               std::unique_ptr<RecordDecoder> records, size_t input_fields);

  Fields fields_;
  std::string impression_kind_;
  std::unique_ptr<RecordDecoder> records_;
  DecodedRow row_;
};

}  // namespace antiphon
