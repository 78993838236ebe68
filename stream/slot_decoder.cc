// Slot text: a line of words with blanks between them. The first words are the labels, in the order
// of data_config.label_fields, "-" for one that is not known. Each further word is "slot:value":
// the slot is the name of an input field, and what follows its first colon is one value, whatever
// it holds. A slot that stands there again has several values; one that the job does not name is
// passed over.
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/data/feature_columns.h"
#include "stream/field_collector.h"
#include "stream/record_decoder.h"

namespace antiphon {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kUnknown = "-";

// Takes the next word off the front of `rest`; empty at the end.
std::string_view TakeWord(std::string_view& rest) {
  const size_t begin = std::min(rest.find_first_not_of(kBlanks), rest.size());
  const size_t end = std::min(rest.find_first_of(kBlanks, begin), rest.size());
  const std::string_view word = rest.substr(begin, end - begin);
  rest.remove_prefix(end);
  return word;
}

class SlotDecoder final : public RecordDecoder {
 public:
  SlotDecoder(const DataConfig& data, std::span<const FieldUse> uses) : collector_(data, uses) {
    for (const std::string& label : data.label_fields()) {
      const int field = FindInputField(data, label);
      const bool is_used = field >= 0 && uses[static_cast<size_t>(field)].any();
      labels_.push_back(is_used ? field : FieldCollector::kUnused);
    }
  }

  BadRowReason Decode(std::string_view record, DecodedRow& row) override {
    collector_.Start();
    for (const int label : labels_) {
      const std::string_view word = TakeWord(record);
      if (word.empty() || word.find(':') != std::string_view::npos) {
        return BadRowReason::kColumnCount;
      }
      if (label != FieldCollector::kUnused && word != kUnknown) {
        collector_.AddText(label, word);
      }
    }
    while (true) {
      const std::string_view word = TakeWord(record);
      if (word.empty()) {
        return collector_.Finish(row);
      }
      const size_t colon = word.find(':');
      if (colon == std::string_view::npos || colon == 0) {
        return BadRowReason::kDamaged;
      }
      if (const int field = collector_.Find(word.substr(0, colon));
          field != FieldCollector::kUnused) {
        collector_.AddText(field, word.substr(colon + 1));
      }
    }
  }

 private:
  FieldCollector collector_;
  std::vector<int> labels_;  // input fields, in the order of their words
};

}  // namespace

std::unique_ptr<RecordDecoder> MakeSlotDecoder(const DataConfig& data,
                                               std::span<const FieldUse> uses) {
  return std::make_unique<SlotDecoder>(data, uses);
}

}  // namespace antiphon
