// tf.Example: each used input field is the feature of that name.
#include "proto/tf_example.pb.h"
#include "stream/field_collector.h"
#include "stream/record_decoder.h"

namespace antiphon {
namespace {

class TfExampleDecoder final : public RecordDecoder {
 public:
  TfExampleDecoder(const DataConfig& data, std::span<const FieldUse> uses)
      : collector_(data, uses) {}

  BadRowReason Decode(std::string_view record, DecodedRow& row) override {
    collector_.Start();
    if (!example_.ParseFromArray(record.data(), static_cast<int>(record.size()))) {
      return BadRowReason::kDamaged;
    }
    for (const TfFeatureEntry& entry : example_.features().feature()) {
      if (const int field = collector_.Find(entry.key()); field != FieldCollector::kUnused) {
        Add(field, entry.value());
      }
    }
    return collector_.Finish(row);
  }

 private:
  void Add(int field, const TfFeature& feature) {
    for (const std::string& text : feature.bytes_list().value()) {
      collector_.AddText(field, text);
    }
    for (const float number : feature.float_list().value()) {
      collector_.AddFloat(field, number);
    }
    for (const int64_t whole : feature.int64_list().value()) {
      collector_.AddWhole(field, whole);
    }
  }

  FieldCollector collector_;
  TfExample example_;  // kept: parsing again takes no new memory
};

}  // namespace

std::unique_ptr<RecordDecoder> MakeTfExampleDecoder(const DataConfig& data,
                                                    std::span<const FieldUse> uses) {
  return std::make_unique<TfExampleDecoder>(data, uses);
}

}  // namespace antiphon
