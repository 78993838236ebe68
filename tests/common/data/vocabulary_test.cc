#include "common/data/vocabulary.h"

#include <gtest/gtest.h>

namespace antiphon {
namespace {

TEST(VocabularyTest, NumbersTextsInOrderOfAppearance) {
  Vocabulary vocabulary;

  EXPECT_EQ(vocabulary.Add("b"), 0U);
  EXPECT_EQ(vocabulary.Add(""), 1U);
  EXPECT_EQ(vocabulary.Add("a"), 2U);
  EXPECT_EQ(vocabulary.Add("b"), 0U);

  EXPECT_EQ(vocabulary.size(), 3U);
  EXPECT_EQ(vocabulary[0], "b");
  EXPECT_EQ(vocabulary[1], "");
  EXPECT_EQ(vocabulary.Find("c"), Vocabulary::kNotFound);
}

TEST(VocabularyTest, KeepsNumbersWhileItGrows) {
  Vocabulary vocabulary;
  for (uint32_t i = 0; i < 20000; ++i) {
    ASSERT_EQ(vocabulary.Add("value " + std::to_string(i)), i);
  }

  for (uint32_t i = 0; i < 20000; ++i) {
    ASSERT_EQ(vocabulary.Find("value " + std::to_string(i)), i);
    ASSERT_EQ(vocabulary[i], "value " + std::to_string(i));
  }
  EXPECT_EQ(vocabulary.Find("value 20000"), Vocabulary::kNotFound);
}

}  // namespace
}  // namespace antiphon
