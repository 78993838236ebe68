#include "scoring/catalogue.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class CatalogueTest : public testing::Test {
 protected:
  StatusOr<Catalogue> Load(const std::string& text) {
    CHECK(fs_.MakeDirectories("d").ok());
    CHECK(WriteFileAtomically(fs_, "d/texts.csv", text).ok());
    return Catalogue::Load(fs_, "d/texts.csv", DataConfig());
  }

  MemoryFileSystem fs_;
};

TEST_F(CatalogueTest, AKeyHasAsManyEntriesAsLines) {
  const StatusOr<Catalogue> texts = Load("host,text_id,text\n7,t1,a\n9,t2,b\n7,t3,c\n");

  ASSERT_TRUE(texts.ok()) << texts.status();
  EXPECT_EQ(texts->key_column(), "host");
  EXPECT_EQ(texts->id_column(), "text_id");
  EXPECT_THAT(texts->Find("7"),
              ElementsAre(ElementsAre("7", "t1", "a"), ElementsAre("7", "t3", "c")));
  EXPECT_THAT(texts->Find("9"), ElementsAre(ElementsAre("9", "t2", "b")));
  EXPECT_THAT(texts->Find("8"), IsEmpty());
}

TEST_F(CatalogueTest, RefusesAFileWithNothingToChooseFrom) {
  EXPECT_THAT(Load("host\n7\n").status().message(), HasSubstr("the header has one column"));
  EXPECT_THAT(Load("host,text_id\n").status().message(), HasSubstr("no entry behind its header"));
  EXPECT_THAT(Load("host,text_id\n7\n").status().message(), HasSubstr("d/texts.csv:2: "));
}

}  // namespace
}  // namespace antiphon
