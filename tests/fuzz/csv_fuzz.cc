// Sample files: unpacking, records, quotes, columns, and rows into batches. The input is a file.
// Whatever it holds, reading ends, and a record that was noted is found again by its offset.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/text_format.h>

#include "common/base/logging.h"
#include "common/data/batch_builder.h"
#include "stream/csv_columns.h"
#include "stream/record_reader.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

constexpr char kJob[] = R"(
  data_config {
    input_fields { input_name: "click" }
    input_fields { input_name: "age" }
    input_fields { input_name: "tags" }
    label_fields: "click" separator: ", "
  }
  feature_config {
    features { input_names: "age" feature_type: RawFeature raw_input_dim: 2 }
    features { input_names: "tags" feature_type: TagFeature kv_separator: ":" max_values: 3 }
  }
)";

struct Reading {
  std::string text;
  uint64_t offset = 0;
};

void TryRecords(RecordReader& reader, CsvColumns& columns, const BatchBuilder& builder) {
  Batch batch;
  builder.Start(batch);
  std::vector<std::string_view> values(builder.field_count());
  Reading last;
  Record record;
  while (true) {
    const uint64_t offset = reader.next_offset();
    const StatusOr<bool> is_there = reader.Next(record);
    if (!is_there.ok() || !*is_there) {
      break;
    }
    last = {std::string(record.text), offset};
    if (record.reason == BadRowReason::kNone &&
        columns.Split(record.text, values) == BadRowReason::kNone) {
      const uint32_t rows = batch.rows;
      const bool is_good = builder.AddRow(values, batch) == BadRowReason::kNone;
      CHECK_EQ(batch.rows, rows + (is_good ? 1 : 0));
      CHECK_EQ(batch.dense.size(), size_t{batch.rows} * 2);
      CHECK_EQ(batch.sparse[0].keys.size(), batch.sparse[0].offsets.back());
      CHECK_EQ(batch.sparse[0].weights.size(), batch.sparse[0].keys.size());
    }
  }
  const uint64_t count = reader.next_record();
  if (reader.can_seek() && count > 0) {
    CHECK(reader.Seek(count - 1, last.offset).ok());
    const StatusOr<bool> is_there = reader.Next(record);
    CHECK(is_there.ok() && *is_there);
    CHECK(record.text == last.text);
  }
}

void Try(std::string_view contents) {
  Job job;
  CHECK(google::protobuf::TextFormat::ParseFromString(kJob, &job));
  MemoryFileSystem fs;
  CHECK(WriteFileAtomically(fs, "/data", contents).ok());
  const StatusOr<std::unique_ptr<BatchBuilder>> builder = BatchBuilder::Create(
      job, std::vector<FeatureStatistics>(2), {.names = {"click"}, .implied = {}});
  CHECK(builder.ok()) << builder.status();
  const StatusOr<std::unique_ptr<RecordReader>> reader =
      RecordReader::Open(fs, "/data", {.separator = job.data_config().separator()});
  StatusOr<CsvColumns> columns =
      CsvColumns::Create(job.data_config(), (*builder)->used_fields(), "/data", "");
  CHECK(columns.ok());
  if (reader.ok()) {
    TryRecords(**reader, *columns, **builder);
  }
}

}  // namespace
}  // namespace antiphon

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  antiphon::Try({reinterpret_cast<const char*>(data), size});
  return 0;
}
