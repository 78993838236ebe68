#include "tests/fuzz/record_fuzz.h"

#include <memory>
#include <vector>

#include <google/protobuf/text_format.h>

#include "common/base/logging.h"
#include "common/data/batch_builder.h"
#include "stream/record_decoder.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

constexpr char kJob[] = R"(
  data_config {
    input_fields { input_name: "click" }
    input_fields { input_name: "age" }
    input_fields { input_name: "tags" }
    label_fields: "click"
  }
  feature_config {
    features { input_names: "age" feature_type: RawFeature raw_input_dim: 2 }
    features { input_names: "tags" feature_type: TagFeature kv_separator: ":" max_values: 3 }
  }
)";

}  // namespace

void TryRecordFile(std::string_view contents, DataConfig::InputType type) {
  Job job;
  CHECK(google::protobuf::TextFormat::ParseFromString(kJob, &job));
  job.mutable_data_config()->set_input_type(type);
  MemoryFileSystem fs;
  CHECK(WriteFileAtomically(fs, "/data", contents).ok());
  const StatusOr<std::unique_ptr<BatchBuilder>> builder = BatchBuilder::Create(
      job, std::vector<FeatureStatistics>(2), {.names = {"click"}, .implied = {}});
  CHECK(builder.ok()) << builder.status();
  const StatusOr<std::unique_ptr<RecordReader>> reader =
      RecordReader::Open(fs, "/data", RecordFormatOf(job.data_config()));
  StatusOr<std::unique_ptr<RecordDecoder>> decoder =
      MakeRecordDecoder(job.data_config(), (*builder)->field_uses(), "/data", "");
  CHECK(decoder.ok());
  if (!reader.ok()) {
    return;
  }
  Batch batch;
  (*builder)->Start(batch);
  DecodedRow row((*builder)->field_count());
  Record record;
  while (true) {
    const StatusOr<bool> is_there = (*reader)->Next(record);
    if (!is_there.ok() || !*is_there) {
      return;
    }
    if (record.reason != BadRowReason::kNone ||
        (*decoder)->Decode(record.text, row) != BadRowReason::kNone) {
      continue;
    }
    const uint32_t rows = batch.rows;
    const bool is_good = (*builder)->AddRow(row.values, row.lists, batch) == BadRowReason::kNone;
    CHECK_EQ(batch.rows, rows + (is_good ? 1 : 0));
    CHECK_EQ(batch.dense.size(), size_t{batch.rows} * 2);
    CHECK_EQ(batch.sparse[0].keys.size(), batch.sparse[0].offsets.back());
  }
}

}  // namespace antiphon
