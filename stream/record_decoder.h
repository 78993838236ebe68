// RecordDecoder: from the bytes of one record to its input fields, whatever the format.
//
//   CSVInput        fields by their column
//   SlotTextInput       "label label slot:value slot:value ...", fields by the name of their slot
//   TFRecordInput  a serialised tf.Example, fields by the name of their feature
//   ProtobufInput     a serialised Sample (proto/sample.proto), fields by name
//
// The same decoder serves files and streams: how records are told apart is RecordReader's business,
// or the broker's. Owned by one thread: it keeps memory from record to record.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/data/bad_row_reason.h"
#include "common/data/field_list.h"
#include "proto/job.pb.h"
#include "stream/record_reader.h"

namespace antiphon {

// The fields of one record; views are valid until the decoder's next record.
struct DecodedRow {
  explicit DecodedRow(size_t fields = 0) : values(fields), lists(fields) {}

  std::vector<std::string_view> values;  // by input field; empty: it has none, or several
  std::vector<FieldList> lists;          // by input field; formats without lists leave them empty
};

class RecordDecoder {
 public:
  virtual ~RecordDecoder() = default;

  // Sets what the used fields hold. With another reason than kNone the row means nothing. Never
  // fails in another way, whatever the bytes are.
  virtual BadRowReason Decode(std::string_view record, DecodedRow& row) = 0;
};

// `uses` are by input field. `path` is for errors; `header` is the file's, where the job has one.
StatusOr<std::unique_ptr<RecordDecoder>> MakeRecordDecoder(const DataConfig& data,
                                                           std::span<const FieldUse> uses,
                                                           const std::string& path,
                                                           std::string_view header);

// How records of the job's format lie in a file.
RecordFormat RecordFormatOf(const DataConfig& data);

// One file each: slot_decoder.cc, tf_example_decoder.cc, sample_decoder.cc.
std::unique_ptr<RecordDecoder> MakeSlotDecoder(const DataConfig& data,
                                               std::span<const FieldUse> uses);
std::unique_ptr<RecordDecoder> MakeTfExampleDecoder(const DataConfig& data,
                                                    std::span<const FieldUse> uses);
std::unique_ptr<RecordDecoder> MakeSampleDecoder(const DataConfig& data,
                                                 std::span<const FieldUse> uses);

}  // namespace antiphon
