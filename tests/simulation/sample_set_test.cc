#include "simulation/sample_set.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>
#include <zstd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "simulation/sample_csv.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint64_t kMaxFileBytes = 16 << 20;

class SampleSetTest : public testing::Test {
 protected:
  SampleSetTest() {
    StatusOr<std::unique_ptr<Platform>> platform =
        Platform::Create({.seed = 1, .days = 2, .users = 300, .hosts = 60});
    CHECK(platform.ok()) << platform.status();
    platform_ = std::move(platform).value();
    options_ = {.directory = "out",
                .samples = 1001,
                .eval_samples = 402,
                .samples_per_file = 500,
                .compression = Compression::kNone};
  }

  std::string Read(const std::string& name) {
    StatusOr<std::string> text = ReadWholeFile(fs_, "out/" + name, kMaxFileBytes);
    CHECK(text.ok()) << text.status();
    return std::move(text).value();
  }

  // Lines without the header; every one has as many values as the header.
  static std::vector<std::vector<std::string>> Rows(const std::string& text) {
    std::vector<std::vector<std::string>> rows;
    const std::vector<std::string_view> lines = Split(text, "\n");
    EXPECT_EQ(std::string(lines.front()) + "\n", SampleCsv::Header());
    EXPECT_EQ(lines.back(), "");
    for (size_t i = 1; i + 1 < lines.size(); ++i) {
      const std::vector<std::string_view> values = Split(lines[i], ",");
      EXPECT_EQ(values.size(), Split(lines.front(), ",").size()) << lines[i];
      rows.emplace_back(values.begin(), values.end());
    }
    return rows;
  }

  MemoryFileSystem fs_;
  std::unique_ptr<Platform> platform_;
  SampleSetOptions options_;
};

TEST_F(SampleSetTest, WritesTrainFilesHeldOutSamplesAndTruth) {
  const StatusOr<std::string> truth = WriteSampleSet(*platform_, options_, fs_);

  ASSERT_TRUE(truth.ok()) << truth.status();
  EXPECT_THAT(*fs_.List("out"), ElementsAre("eval.csv", "train-00000.csv", "train-00001.csv",
                                            "train-00002.csv", "truth.json"));
  EXPECT_EQ(Rows(Read("train-00000.csv")).size(), 500U);
  EXPECT_EQ(Rows(Read("train-00001.csv")).size(), 500U);
  EXPECT_EQ(Rows(Read("train-00002.csv")).size(), 1U);
  EXPECT_EQ(Rows(Read("eval.csv")).size(), 402U);
  EXPECT_EQ(Read("truth.json"), *truth);
}

TEST_F(SampleSetTest, HeldOutRequestsAreNotTrainedOn) {
  ASSERT_TRUE(WriteSampleSet(*platform_, options_, fs_).ok());

  std::set<std::string> trained;
  int64_t last_train_ms = 0;
  for (const char* file : {"train-00000.csv", "train-00001.csv", "train-00002.csv"}) {
    for (const std::vector<std::string>& row : Rows(Read(file))) {
      trained.insert(row[0]);
      last_train_ms = *ParseInt(row[1]);
    }
  }
  const int64_t first_held_out_ms = *ParseInt(Rows(Read("eval.csv")).front()[1]);
  for (const std::vector<std::string>& row : Rows(Read("eval.csv"))) {
    EXPECT_FALSE(trained.contains(row[0])) << "request " << row[0];
  }
  EXPECT_LT(first_held_out_ms, last_train_ms) << "held-out samples lie in the training period";
}

TEST_F(SampleSetTest, TruthCountsWhatTheFilesSay) {
  ASSERT_TRUE(WriteSampleSet(*platform_, options_, fs_).ok());
  const nlohmann::json truth = nlohmann::json::parse(Read("truth.json"));

  int64_t clicks = 0;
  int64_t live_tab_clicks = 0;
  const size_t click = Split(SampleCsv::Header(), ",").size() - kTaskCount;
  for (const std::vector<std::string>& row : Rows(Read("eval.csv"))) {
    clicks += row[click] == "1" ? 1 : 0;
    live_tab_clicks += row[click] == "1" && row[3] == "live_tab" ? 1 : 0;
  }

  EXPECT_EQ(truth["eval"]["click"]["positives"], clicks);
  EXPECT_EQ(truth["eval"]["click"]["scenes"]["live_tab"]["positives"], live_tab_clicks);
  EXPECT_EQ(truth["train"]["samples"], 1001);
  EXPECT_GT(truth["eval"]["click"]["auc"], 0.6);
}

TEST_F(SampleSetTest, ContentIsWrittenAsTheTruthSeesIt) {
  std::vector<Impression> request;
  platform_->DrawRequest({.requests = 10}, 3, request);
  const Showing& showing = request[0].showing;
  std::string line;

  SampleCsv(*platform_).Append(request[0], line);

  const std::vector<std::string_view> values = Split(Trim(line), ",");
  const std::string header_line = SampleCsv::Header();
  const std::vector<std::string_view> header = Split(header_line, ",");
  const size_t avatar =
      static_cast<size_t>(std::find(header.begin(), header.end(), "avatar") - header.begin());
  const std::vector<std::string_view> floats = Split(values[avatar], "|");
  ASSERT_EQ(floats.size(), static_cast<size_t>(kVectorDims));
  for (size_t i = 0; i < floats.size(); ++i) {
    EXPECT_FLOAT_EQ(static_cast<float>(*ParseFloat(floats[i])),
                    showing.host->avatars.at(static_cast<size_t>(showing.avatar)).at(i));
  }
}

TEST_F(SampleSetTest, RequestsNameHostsThatTheContentFilesKnow) {
  options_.requests = 5;
  ASSERT_TRUE(WriteSampleSet(*platform_, options_, fs_).ok());

  const std::string text = Read("requests.csv");
  const std::vector<std::string_view> lines = Split(Trim(text), "\n");
  const std::vector<std::string_view> header = Split(lines[0], ",");
  const std::string avatars = Read("avatars.csv");
  const std::vector<std::string_view> avatar_lines = Split(Trim(avatars), "\n");

  ASSERT_EQ(lines.size(), 1U + 5 * kImpressionsPerRequest);
  EXPECT_EQ(header[11], "host_id");
  EXPECT_EQ(header.back(), "host_fans");
  EXPECT_EQ(Split(lines[1], ",").size(), header.size());
  EXPECT_EQ(Split(lines[4], ",")[4], "0") << "every candidate would stand at the top";
  EXPECT_EQ(avatar_lines[0], "host_id,avatar_id,avatar");
  EXPECT_EQ(avatar_lines.size(), 1U + 60 * 4);
  EXPECT_TRUE(avatar_lines[6].starts_with("1,5,")) << avatar_lines[6];
  EXPECT_EQ(Split(avatar_lines[6], "|").size(), static_cast<size_t>(kVectorDims));
  EXPECT_TRUE(Read("texts.csv").starts_with("host_id,text_id,text\n0,0,"));
  ASSERT_TRUE(RemoveSampleSet("out", fs_).ok());
  EXPECT_TRUE(fs_.List("out")->empty());
}

TEST_F(SampleSetTest, CompressedFilesHoldTheSameLines) {
  ASSERT_TRUE(WriteSampleSet(*platform_, options_, fs_).ok());
  const std::string plain = Read("eval.csv");
  ASSERT_TRUE(RemoveSampleSet("out", fs_).ok());
  options_.compression = Compression::kZstd;

  ASSERT_TRUE(WriteSampleSet(*platform_, options_, fs_).ok());

  const std::string packed = Read("eval.csv.zst");
  std::string unpacked(plain.size() + 1, '\0');
  const size_t size =
      ZSTD_decompress(unpacked.data(), unpacked.size(), packed.data(), packed.size());
  ASSERT_FALSE(ZSTD_isError(size));
  unpacked.resize(size);
  EXPECT_EQ(unpacked, plain);
  EXPECT_LT(packed.size(), plain.size() / 2);
}

TEST_F(SampleSetTest, RefusesAFolderWithSomethingInIt) {
  ASSERT_TRUE(fs_.MakeDirectories("out").ok());
  ASSERT_TRUE(WriteFileAtomically(fs_, "out/notes.txt", "mine").ok());

  const Status status = WriteSampleSet(*platform_, options_, fs_).status();

  EXPECT_EQ(status.code(), StatusCode::kAlreadyExists);
  EXPECT_THAT(status.message(), HasSubstr("out is not empty (it has notes.txt)"));
}

TEST_F(SampleSetTest, RemovesItsOwnFilesOnly) {
  ASSERT_TRUE(WriteSampleSet(*platform_, options_, fs_).ok());
  ASSERT_TRUE(WriteFileAtomically(fs_, "out/notes.txt", "mine").ok());

  ASSERT_TRUE(RemoveSampleSet("out", fs_).ok());

  EXPECT_THAT(*fs_.List("out"), ElementsAre("notes.txt"));
  EXPECT_TRUE(RemoveSampleSet("nowhere", fs_).ok());
}

TEST_F(SampleSetTest, AFullDiskLeavesNoTruthBehind) {
  fs_.SetCapacity(150'000);

  const Status status = WriteSampleSet(*platform_, options_, fs_).status();

  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_FALSE(fs_.Exists("out/truth.json"));
}

}  // namespace
}  // namespace antiphon
