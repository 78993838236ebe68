#include "stream/record_decoder.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "proto/sample.pb.h"
#include "proto/tf_example.pb.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// click: read as a text; tags: ids; size: a number; both: ids and a number.
class RecordDecoderTest : public ::testing::Test {
 protected:
  RecordDecoderTest() : row_(4) {
    for (const char* name : {"click", "tags", "size", "both"}) {
      data_.add_input_fields()->set_input_name(name);
    }
    data_.add_label_fields("click");
    uses_.resize(4);
    uses_[0].as_text = true;
    uses_[1].as_texts = true;
    uses_[2].as_numbers = true;
    uses_[3].as_texts = uses_[3].as_numbers = true;
  }

  BadRowReason Decode(DataConfig::InputType type, std::string_view record) {
    data_.set_input_type(type);
    StatusOr<std::unique_ptr<RecordDecoder>> decoder = MakeRecordDecoder(data_, uses_, "f", "");
    CHECK(decoder.ok()) << decoder.status();
    decoder_ = std::move(decoder).value();
    return decoder_->Decode(record, row_);
  }

  BadRowReason DecodeSample(const std::string& text) {
    Sample sample;
    CHECK(google::protobuf::TextFormat::ParseFromString(text, &sample));
    record_ = sample.SerializeAsString();
    return Decode(DataConfig::ProtobufInput, record_);
  }

  BadRowReason DecodeExample(const std::string& text) {
    TfExample example;
    CHECK(google::protobuf::TextFormat::ParseFromString(text, &example));
    record_ = example.SerializeAsString();
    return Decode(DataConfig::TFRecordInput, record_);
  }

  DataConfig data_;
  std::vector<FieldUse> uses_;
  std::unique_ptr<RecordDecoder> decoder_;
  std::string record_;
  DecodedRow row_;
};

TEST_F(RecordDecoderTest, ReadsSlotsOfAnyOrderAndNumber) {
  ASSERT_EQ(Decode(DataConfig::SlotTextInput, " 1\ttags:a|b size:2.5 other:x  tags:c:d both:7"),
            BadRowReason::kNone);

  EXPECT_EQ(row_.values[0], "1");
  EXPECT_THAT(row_.lists[1].texts, ElementsAre("a|b", "c:d"));
  EXPECT_THAT(row_.lists[2].numbers, ElementsAre(2.5));
  EXPECT_THAT(row_.lists[3].texts, ElementsAre("7"));
  EXPECT_THAT(row_.lists[3].numbers, ElementsAre(7));
}

TEST_F(RecordDecoderTest, TakesADashForALabelThatIsNotKnown) {
  ASSERT_EQ(Decode(DataConfig::SlotTextInput, "- tags:a"), BadRowReason::kNone);

  EXPECT_EQ(row_.values[0], "");
}

TEST_F(RecordDecoderTest, RefusesSlotTextWithoutLabelsOrSlots) {
  EXPECT_EQ(Decode(DataConfig::SlotTextInput, "tags:a"), BadRowReason::kColumnCount);
  EXPECT_EQ(Decode(DataConfig::SlotTextInput, ""), BadRowReason::kColumnCount);
  EXPECT_EQ(Decode(DataConfig::SlotTextInput, "1 tags"), BadRowReason::kDamaged);
  EXPECT_EQ(Decode(DataConfig::SlotTextInput, "1 :a"), BadRowReason::kDamaged);
  EXPECT_EQ(Decode(DataConfig::SlotTextInput, "1 size:big"), BadRowReason::kBadNumber);
}

TEST_F(RecordDecoderTest, WritesNumbersOutOnlyWhereTheyAreIds) {
  ASSERT_EQ(DecodeSample(R"(fields { name: "click" whole: 1 }
                            fields { name: "tags" whole: [-3, 4] }
                            fields { name: "size" number: [0.1, 2] }
                            fields { name: "nobody" text: "x" })"),
            BadRowReason::kNone);

  EXPECT_EQ(row_.values[0], "1");
  EXPECT_THAT(row_.lists[1].texts, ElementsAre("-3", "4"));
  EXPECT_THAT(row_.lists[2].numbers, ElementsAre(0.1, 2));
  EXPECT_THAT(row_.lists[2].texts, IsEmpty());
}

TEST_F(RecordDecoderTest, ReadsTfExamples) {
  ASSERT_EQ(DecodeExample(R"(
    features {
      feature { key: "click" value { float_list { value: 1 } } }
      feature { key: "tags" value { bytes_list { value: "a" value: "b" } } }
      feature { key: "size" value { float_list { value: 0.1 } } }
      feature { key: "both" value { int64_list { value: 9007199254740993 } } }
    })"),
            BadRowReason::kNone);

  EXPECT_EQ(row_.values[0], "1");
  EXPECT_THAT(row_.lists[1].texts, ElementsAre("a", "b"));
  EXPECT_THAT(row_.lists[2].numbers, ElementsAre(0.1F));
  EXPECT_EQ(row_.values[3], "9007199254740993");
}

TEST_F(RecordDecoderTest, ForgetsTheRecordBefore) {
  ASSERT_EQ(DecodeSample(R"(fields { name: "tags" text: "a" })"), BadRowReason::kNone);
  ASSERT_EQ(decoder_->Decode("", row_), BadRowReason::kNone);

  EXPECT_EQ(row_.values[1], "");
  EXPECT_TRUE(row_.lists[1].empty());
}

TEST_F(RecordDecoderTest, RefusesWhatIsNoMessageAndSeveralValuesOfOne) {
  EXPECT_EQ(Decode(DataConfig::ProtobufInput, "\x0a\xff"), BadRowReason::kDamaged);
  EXPECT_EQ(Decode(DataConfig::TFRecordInput, "\x0a\xff"), BadRowReason::kDamaged);
  EXPECT_EQ(DecodeSample(R"(fields { name: "click" whole: [0, 1] })"), BadRowReason::kValueCount);
}

}  // namespace
}  // namespace antiphon
