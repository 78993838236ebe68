#include "scoring/named_rows.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using testing::ElementsAre;

class NamedRowsTest : public testing::Test {
 protected:
  NamedRowsTest() {
    data_.set_with_header(false);
    data_.set_separator(",");
    data_.add_input_fields()->set_input_name("first");
    data_.add_input_fields()->set_input_name("second");
    CHECK(fs_.MakeDirectories("d").ok());
  }

  StatusOr<NamedRows> Open(const std::string& text, NamedRows::Header header) {
    CHECK(WriteFileAtomically(fs_, "d/rows.csv", text).ok());
    return NamedRows::Open(fs_, "d/rows.csv", data_, header);
  }

  MemoryFileSystem fs_;
  DataConfig data_;
};

TEST_F(NamedRowsTest, TakesTheNamesOfTheHeaderWhateverTheJobHas) {
  StatusOr<NamedRows> rows = Open("b,a\n1,\"x,y\"\n", NamedRows::Header::kNeeded);

  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_THAT(rows->columns(), ElementsAre("b", "a"));
  EXPECT_EQ(rows->FindColumn("a"), 1);
  EXPECT_EQ(rows->FindColumn("first"), -1);
  ASSERT_TRUE(rows->Next().value());
  EXPECT_THAT(std::vector<std::string>(rows->values().begin(), rows->values().end()),
              ElementsAre("1", "x,y"));
  EXPECT_FALSE(rows->Next().value());
}

TEST_F(NamedRowsTest, AFileLikeTheJobsHasTheJobsNames) {
  StatusOr<NamedRows> rows = Open("1,2\n", NamedRows::Header::kOfJob);

  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_THAT(rows->columns(), ElementsAre("first", "second"));
  EXPECT_TRUE(rows->Next().value());
}

TEST_F(NamedRowsTest, ErrorsNameTheLineAndCountEmptyAndQuotedOnes) {
  StatusOr<NamedRows> rows =
      Open("a,b\n\n\"one\ntwo\",1\n\r\n3,4\n5,6,7\n", NamedRows::Header::kNeeded);
  ASSERT_TRUE(rows.ok()) << rows.status();

  ASSERT_TRUE(rows->Next().value());
  EXPECT_EQ(rows->Error("what").message(), "d/rows.csv:3: what");
  ASSERT_TRUE(rows->Next().value());
  EXPECT_EQ(rows->Error("what").message(), "d/rows.csv:6: what");
  const Status status = rows->Next().status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_EQ(status.message(), "d/rows.csv:7: wrong number of columns, expected 2");
}

TEST_F(NamedRowsTest, RefusesAColumnThatIsThereTwice) {
  EXPECT_EQ(Open("a,a\n", NamedRows::Header::kNeeded).status().message(),
            "d/rows.csv: the header has column \"a\" twice, expected once");
}

}  // namespace
}  // namespace antiphon
