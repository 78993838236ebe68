#include "serving/layered_table.h"

#include <map>
#include <memory>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/hash.h"
#include "common/base/rng.h"
#include "tests/serving/emb_file.h"

namespace antiphon {
namespace {

constexpr uint32_t kDim = 5;
constexpr uint64_t kIds = 2000;

// Encoded rows of a step, of float values that depend on key and stamp.
class Step {
 public:
  explicit Step(RowPrecision precision) : precision_(precision) {}

  void Put(Key key, const std::vector<float>& row) {
    keys_.push_back(key);
    rows_.resize(keys_.size() * RowBytes(precision_, kDim));
    EncodeRow(precision_, row, rows_.data() + rows_.size() - RowBytes(precision_, kDim));
  }
  void Remove(Key key) { removed_.push_back(key); }
  RowChanges changes() const { return {.keys = keys_, .rows = rows_.data(), .removed = removed_}; }

 private:
  const RowPrecision precision_;
  std::vector<Key> keys_;
  std::vector<std::byte> rows_;
  std::vector<Key> removed_;
};

// What a file of this precision gives back of a row.
std::vector<float> RoundTrip(RowPrecision precision, const std::vector<float>& row) {
  std::vector<std::byte> bytes(RowBytes(precision, row.size()));
  EncodeRow(precision, row, bytes.data());
  std::vector<float> out(row.size());
  DecodeRow(precision, bytes.data(), out);
  return out;
}

std::vector<float> BaseRow(Key key) {
  std::vector<float> row;
  for (size_t i = 0; i < kDim; ++i) {
    row.push_back(EmbValue(key, i));
  }
  return row;
}

class LayeredTableTest : public ::testing::TestWithParam<RowPrecision> {
 protected:
  LayeredTableTest() {
    std::set<Key> keys;
    for (uint64_t i = 0; i < kIds; i += 2) {
      keys.insert(Mix64(i));
    }
    const std::vector<Key> sorted(keys.begin(), keys.end());
    file_ = std::make_unique<EmbFile>(
        EmbOptions{.model_id = 1, .version = 1, .dim = kDim, .precision = GetParam()}, sorted);
    for (const Key key : sorted) {
      expected_[key] = RoundTrip(GetParam(), BaseRow(key));
    }
  }

  LayeredTable Base() {
    return LayeredTable(std::make_shared<EmbTable>(EmbTable::Open(file_->bytes()).value()));
  }

  void ExpectTable(const LayeredTable& table) {
    EXPECT_EQ(table.rows(), expected_.size());
    std::vector<Key> keys;
    for (uint64_t i = 0; i < kIds; ++i) {
      keys.push_back(Mix64(i));
    }
    std::vector<float> found(keys.size() * kDim, -1);
    EXPECT_EQ(table.Lookup(keys, found.data()), expected_.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      const auto row = expected_.find(keys[i]);
      const std::vector<float> wanted =
          row == expected_.end() ? std::vector<float>(kDim) : row->second;
      const std::vector<float> got(found.begin() + static_cast<ptrdiff_t>(i * kDim),
                                   found.begin() + static_cast<ptrdiff_t>((i + 1) * kDim));
      EXPECT_EQ(got, wanted) << keys[i];
      std::vector<float> one(kDim);
      EXPECT_EQ(table.CopyRow(keys[i], one.data()), row != expected_.end());
      EXPECT_EQ(one, wanted);
    }
  }

  std::unique_ptr<EmbFile> file_;
  std::map<Key, std::vector<float>> expected_;
};

TEST_P(LayeredTableTest, WithoutAStepItIsItsFile) {
  ExpectTable(Base());
}

TEST_P(LayeredTableTest, AfterEveryStepItIsWhatAFileOfAllRowsWouldBe) {
  LayeredTable table = Base();
  Rng rng(GetParam() == RowPrecision::kInt8 ? 2 : 1);
  for (int number = 0; number < 30; ++number) {
    Step step(GetParam());
    std::set<Key> touched;
    for (int i = 0; i < 50; ++i) {
      const Key key = Mix64(rng.Below(kIds));
      if (!touched.insert(key).second) {
        continue;
      }
      if (rng.Below(3) == 0) {
        step.Remove(key);
        expected_.erase(key);
      } else {
        std::vector<float> row = BaseRow(key);
        row[0] = static_cast<float>(number);
        step.Put(key, row);
        expected_[key] = RoundTrip(GetParam(), row);
      }
    }
    table = table.After(step.changes());
  }
  ExpectTable(table);
}

TEST_P(LayeredTableTest, TheTableBeforeAStepStaysAsItWas) {
  const LayeredTable before = Base();
  Step step(GetParam());
  step.Put(Mix64(0), std::vector<float>(kDim, 1));
  step.Remove(Mix64(2));
  const LayeredTable after = before.After(step.changes());
  ExpectTable(before);
  EXPECT_EQ(after.rows(), before.rows() - 1);
  EXPECT_EQ(after.changes(), 2U);
}

INSTANTIATE_TEST_SUITE_P(Precisions, LayeredTableTest,
                         ::testing::Values(RowPrecision::kFp32, RowPrecision::kFp16,
                                           RowPrecision::kInt8));

}  // namespace
}  // namespace antiphon
