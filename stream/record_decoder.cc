#include "stream/record_decoder.h"

#include <utility>

#include "stream/csv_columns.h"

namespace antiphon {
namespace {

class CsvDecoder final : public RecordDecoder {
 public:
  explicit CsvDecoder(CsvColumns columns) : columns_(std::move(columns)) {}

  BadRowReason Decode(std::string_view record, DecodedRow& row) override {
    return columns_.Split(record, row.values);
  }

 private:
  CsvColumns columns_;
};

}  // namespace

StatusOr<std::unique_ptr<RecordDecoder>> MakeRecordDecoder(const DataConfig& data,
                                                           std::span<const FieldUse> uses,
                                                           const std::string& path,
                                                           std::string_view header) {
  switch (data.input_type()) {
    case DataConfig::CSVInput:
      break;
    case DataConfig::SlotTextInput:
      return MakeSlotDecoder(data, uses);
    case DataConfig::TFRecordInput:
      return MakeTfExampleDecoder(data, uses);
    case DataConfig::ProtobufInput:
      return MakeSampleDecoder(data, uses);
  }
  std::vector<uint32_t> used;
  for (size_t field = 0; field < uses.size(); ++field) {
    if (uses[field].any()) {
      used.push_back(static_cast<uint32_t>(field));
    }
  }
  AP_ASSIGN_OR_RETURN(CsvColumns columns, CsvColumns::Create(data, used, path, header));
  return std::unique_ptr<RecordDecoder>(new CsvDecoder(std::move(columns)));
}

RecordFormat RecordFormatOf(const DataConfig& data) {
  switch (data.input_type()) {
    case DataConfig::CSVInput:
      break;
    case DataConfig::SlotTextInput:
      return {.framing = Framing::kLines};
    case DataConfig::TFRecordInput:
      return {.framing = Framing::kTfRecord};
    case DataConfig::ProtobufInput:
      return {.framing = Framing::kDelimited};
  }
  return {.framing = Framing::kQuotedLines,
          .separator = data.separator(),
          .header = data.with_header() ? Header::kPresent : Header::kAbsent};
}

}  // namespace antiphon
