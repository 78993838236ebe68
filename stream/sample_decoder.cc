// Samples as protobuf messages (proto/sample.proto).
#include "proto/sample.pb.h"
#include "stream/field_collector.h"
#include "stream/record_decoder.h"

namespace antiphon {
namespace {

class SampleDecoder final : public RecordDecoder {
 public:
  SampleDecoder(const DataConfig& data, std::span<const FieldUse> uses) : collector_(data, uses) {}

  BadRowReason Decode(std::string_view record, DecodedRow& row) override {
    collector_.Start();
    if (!sample_.ParseFromArray(record.data(), static_cast<int>(record.size()))) {
      return BadRowReason::kDamaged;
    }
    for (const SampleField& given : sample_.fields()) {
      if (const int field = collector_.Find(given.name()); field != FieldCollector::kUnused) {
        Add(field, given);
      }
    }
    return collector_.Finish(row);
  }

 private:
  void Add(int field, const SampleField& given) {
    for (const std::string& text : given.text()) {
      collector_.AddText(field, text);
    }
    for (const int64_t whole : given.whole()) {
      collector_.AddWhole(field, whole);
    }
    for (const double number : given.number()) {
      collector_.AddNumber(field, number);
    }
  }

  FieldCollector collector_;
  Sample sample_;  // kept: parsing again takes no new memory
};

}  // namespace

std::unique_ptr<RecordDecoder> MakeSampleDecoder(const DataConfig& data,
                                                 std::span<const FieldUse> uses) {
  return std::make_unique<SampleDecoder>(data, uses);
}

}  // namespace antiphon
