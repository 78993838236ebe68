// What a cluster has trained, exported, opened again and scored with.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/file_system.h"
#include "common/base/text.h"
#include "common/math/gemm.h"
#include "scoring/frozen_model.h"
#include "scoring/scorer.h"
#include "serving/export/exporter.h"
#include "serving/export/parity.h"
#include "serving/export/row_filter.h"
#include "serving/served_model.h"
#include "serving/signature.h"
#include "tests/cluster/trained_model.h"

namespace antiphon {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr uint64_t kMaxBytes = 1 << 24;

class ExportTest : public ::testing::Test {
 protected:
  ExportTest()
      : folder_(::testing::TempDir() + "antiphon_" +
                ::testing::UnitTest::GetInstance()->current_test_info()->name() + "_" +
                std::to_string(::getpid())) {}
  ~ExportTest() override { std::filesystem::remove_all(folder_); }

  void Train(const std::string& job) {
    TrainSmallJob(job, folder_ + "/snapshots", {.servers = 2, .lanes = 2});
    StatusOr<std::unique_ptr<FrozenModel>> model = FrozenModel::Load(fs_, folder_ + "/snapshots");
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = std::move(model).value();
  }

  std::string Export(const std::string& name, RowPrecision precision = RowPrecision::kFp32) {
    const std::string out = folder_ + "/" + name;
    const Status status = ExportModel(fs_, *model_, {.out = out, .precision = precision}).status();
    EXPECT_TRUE(status.ok()) << status;
    return out;
  }

  // [measure][row] of the first rows of small.csv.
  std::vector<std::vector<float>> Score(const TrainedModel& model) {
    StatusOr<std::unique_ptr<Scorer>> scorer = Scorer::Create(model, gemm_, 1);
    EXPECT_TRUE(scorer.ok()) << scorer.status();
    const std::string text = ReadWholeFile(fs_, folder_ + "/small.csv", kMaxBytes).value();
    const std::vector<std::string_view> lines = Split(Trim(text), "\n");
    const std::vector<std::string_view> header = Split(lines[0], ",");
    const DataConfig& data = model.job().data_config();
    for (size_t i = 1; i <= 300; ++i) {
      const std::vector<std::string_view> columns = Split(lines[i], ",");
      std::vector<std::string_view> values;
      for (const InputField& field : data.input_fields()) {
        const auto place = std::find(header.begin(), header.end(), field.input_name());
        values.push_back(columns[static_cast<size_t>(place - header.begin())]);
      }
      const Status added = (*scorer)->Add(values);
      EXPECT_TRUE(added.ok()) << added;
    }
    return (*scorer)->Run();
  }

  static double LargestDifference(const std::vector<std::vector<float>>& a,
                                  const std::vector<std::vector<float>>& b) {
    double largest = 0;
    for (size_t m = 0; m < a.size(); ++m) {
      for (size_t r = 0; r < a[m].size(); ++r) {
        largest = std::max(largest, std::abs(double{a[m][r]} - double{b[m][r]}));
      }
    }
    return largest;
  }

  void ExpectRefused(const std::string& version, const std::string& what) {
    const Status status = ServedModel::Open(version).status();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(status.message(), HasSubstr(what));
  }

  const std::string folder_;
  PosixFileSystem fs_;
  const Gemm gemm_ = Gemm::Create(GemmBackend::kEigen);
  std::unique_ptr<FrozenModel> model_;
};

TEST_F(ExportTest, AVersionScoresAsTheSnapshotDoesBitForBit) {
  Train(WriteSmallJob(folder_));
  const auto served = ServedModel::Open(Export("version"));
  ASSERT_TRUE(served.ok()) << served.status();
  EXPECT_EQ(Score(**served), Score(*model_));
}

TEST_F(ExportTest, EveryModelWithScenesDoes) {
  for (const SceneModel kind : {SceneModel::kUms, SceneModel::kStar, SceneModel::kPepNet}) {
    std::filesystem::remove_all(folder_);
    Train(WriteSceneJob(folder_, kind));
    const auto served = ServedModel::Open(Export("version"));
    ASSERT_TRUE(served.ok()) << served.status();
    EXPECT_EQ(Score(**served), Score(*model_));
  }
}

TEST_F(ExportTest, FewerBitsStayNear) {
  Train(WriteSmallJob(folder_));
  const auto exact = Score(*model_);
  const auto halves = ServedModel::Open(Export("fp16", RowPrecision::kFp16));
  const auto bytes = ServedModel::Open(Export("int8", RowPrecision::kInt8));
  ASSERT_TRUE(halves.ok() && bytes.ok());
  const double of_halves = LargestDifference(exact, Score(**halves));
  const double of_bytes = LargestDifference(exact, Score(**bytes));
  EXPECT_GT(of_halves, 0);
  EXPECT_LT(of_halves, 1e-3);
  EXPECT_GT(of_bytes, of_halves);
  EXPECT_LT(of_bytes, 2e-2);
}

TEST_F(ExportTest, NeverWritesOverAVersionAndCleansUpAfterItself) {
  Train(WriteSmallJob(folder_));
  fs_.MakeDirectories(folder_ + "/version.tmp/embeddings").IgnoreError();
  std::ofstream(folder_ + "/version.tmp/embeddings/torn.emb") << "half a";
  const std::string version = Export("version");
  EXPECT_FALSE(fs_.Exists(folder_ + "/version.tmp"));
  EXPECT_FALSE(fs_.Exists(version + "/embeddings/torn.emb"));
  EXPECT_EQ(ExportModel(fs_, *model_, {.out = version}).status().code(),
            StatusCode::kAlreadyExists);
}

TEST_F(ExportTest, SaysWhichFileIsTornMissingOrOfAnotherVersion) {
  Train(WriteSmallJob(folder_));
  const std::string version = Export("version");
  const Signature signature = ServedModel::Open(version).value()->signature();
  for (const ServedFile& file : signature.files()) {
    const std::string path = version + "/" + file.name();
    const std::string contents = ReadWholeFile(fs_, path, kMaxBytes).value();
    std::ofstream(path, std::ios::binary) << contents.substr(0, contents.size() / 2);
    ExpectRefused(version, file.name());
    std::string flipped = contents;
    flipped[flipped.size() / 2] ^= 1;
    std::ofstream(path, std::ios::binary) << flipped;
    ExpectRefused(version, "checksum");
    std::filesystem::remove(path);
    ExpectRefused(version, file.name());
    std::ofstream(path, std::ios::binary) << contents;
  }
  EXPECT_TRUE(ServedModel::Open(version).ok());
}

TEST_F(ExportTest, RefusesATableOfAnotherVersion) {
  Train(WriteSmallJob(folder_));
  const std::string version = Export("version");
  Signature signature = ServedModel::Open(version).value()->signature();
  signature.set_version(signature.version() + 1);
  std::ofstream(version + "/" + kSignatureFile) << SignatureJson(signature).value();
  ExpectRefused(version, "version");
}

TEST_F(ExportTest, RefusesTransformsThatAreNotThoseOfTraining) {
  Train(WriteSmallJob(folder_));
  const std::string version = Export("version");
  Signature signature = ServedModel::Open(version).value()->signature();
  signature.mutable_features(0)->set_transform_digest("0000000000000000");
  std::ofstream(version + "/" + kSignatureFile) << SignatureJson(signature).value();
  ExpectRefused(version, "feature \"" + signature.features(0).name() + "\"");
}

class FilteredExportTest : public ExportTest {
 protected:
  static constexpr double kMinScore = 40;  // of the samples of a user: about two in three have less

  // The small job, whose users have scores.
  void TrainWithScores() {
    const std::string job = WriteSmallJob(folder_);
    std::string text = ReadWholeFile(fs_, job, kMaxBytes).value();
    const std::string of_user = "embedding_dim: 8";
    text.insert(text.find(of_user) + of_user.size(), " row_policy { eviction { } }");
    std::ofstream(job) << text;
    Train(job);
  }

  TableId TableOf(const std::string& name) const {
    const auto& tables = model_->plan().schema().tables();
    const auto found = std::ranges::find(tables, name, &TableSpec::name);
    return static_cast<TableId>(found - tables.begin());
  }
};

TEST_F(FilteredExportTest, RowsOfALowScoreAreLeftOutOfTablesThatHaveScores) {
  TrainWithScores();
  const TableId user = TableOf("user");
  const TableId item = TableOf("item");
  const RowFilter filter = RowFilter::Create(model_->manifest(), kMinScore).value();
  const std::string out = folder_ + "/filtered";

  const auto signature = ExportModel(fs_, *model_, {.out = out, .min_score = kMinScore});

  ASSERT_TRUE(signature.ok()) << signature.status();
  EXPECT_EQ(signature->min_score(), kMinScore);
  const auto served = ServedModel::Open(out);
  ASSERT_TRUE(served.ok()) << served.status();
  uint64_t shows = 0;
  uint64_t kept = 0;
  std::vector<float> weights(8);
  for (size_t i = 0; i < model_->row_count(user); ++i) {
    const RowHistory& row = model_->row_history(user, i);
    shows += row.shows;
    kept += filter.Serves(user, row) ? 1 : 0;
    EXPECT_EQ((*served)->CopyRow(user, model_->row_key(user, i), weights.data()),
              filter.Serves(user, row));
  }
  EXPECT_NEAR(static_cast<double>(shows), 4000, 40) << "two epochs";
  EXPECT_GT(kept, 0U);
  EXPECT_LT(kept, model_->row_count(user));
  EXPECT_EQ(signature->tables(static_cast<int>(user)).rows(), kept);
  EXPECT_EQ(signature->tables(static_cast<int>(item)).rows(), model_->row_count(item));
}

TEST_F(FilteredExportTest, ParityShowsWhatTheRowsThatAreMissingCost) {
  TrainWithScores();
  std::ostringstream out;

  const Status status = CheckParity(fs_,
                                    {.snapshot = folder_ + "/snapshots",
                                     .samples = folder_ + "/small.csv",
                                     .min_score = kMinScore},
                                    out);

  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(out.str(), HasSubstr("ROWS SERVED"));
  EXPECT_THAT(out.str(), HasSubstr("fp32       library  click"));
  EXPECT_THAT(out.str(), Not(HasSubstr("fp32       library  click     2000             0.0e+00")));
}

TEST_F(ExportTest, AnOutsideScorerIsHeldToTheLimitToo) {
  Train(WriteSmallJob(folder_));
  ParityOptions options = {.snapshot = folder_ + "/snapshots",
                           .samples = folder_ + "/small.csv",
                           .version = Export("version"),
                           .scorers = {"half() { awk -F, 'NR == 1 { print \"click,buy\" } NR > 1 "
                                       "{ print \"0.5,0.5\" }' \"${2#--samples=}\"; }; half"}};
  std::ostringstream out;

  const Status far = CheckParity(fs_, options, out);

  EXPECT_EQ(far.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(far.message(), HasSubstr("task click by half differs by"));
  EXPECT_THAT(out.str(), HasSubstr("fp32       half     buy       2000"));
  options.scorers = {"printf 'click,buy\\n0.5,0.5\\n'; :"};
  EXPECT_THAT(CheckParity(fs_, options, out).message(),
              HasSubstr("printed 1 lines of scores for 2000 samples"));
  EXPECT_EQ(fs_.List(folder_ + "/snapshots")->size(), 1U) << "what it made is gone";
}

TEST_F(ExportTest, ParityHoldsAndIsShownForEveryPrecision) {
  Train(WriteSmallJob(folder_));
  std::ostringstream out;
  const Status status = CheckParity(
      fs_, {.snapshot = folder_ + "/snapshots", .samples = folder_ + "/small.csv"}, out);
  EXPECT_TRUE(status.ok()) << status;
  for (const char* line : {"fp32       library  click     2000             0.0e+00",
                           "fp16       library  buy", "int8"}) {
    EXPECT_THAT(out.str(), HasSubstr(line));
  }
  EXPECT_EQ(fs_.List(folder_ + "/snapshots")->size(), 1U);
}

TEST_F(ExportTest, ParityNamesTheFeatureThatAJobFileMakesOtherwise) {
  const std::string job = WriteSmallJob(folder_);
  Train(job);
  const ParityOptions options = {.snapshot = folder_ + "/snapshots",
                                 .samples = folder_ + "/small.csv",
                                 .version = Export("version"),
                                 .job = job};
  std::ostringstream out;
  EXPECT_TRUE(CheckParity(fs_, options, out).ok());
  std::string text = ReadWholeFile(fs_, job, kMaxBytes).value();
  const size_t at = text.find("embedding_dim");
  ASSERT_NE(at, std::string::npos);
  text.insert(at, "hash_bucket_size: 1000 ");
  std::ofstream(job) << text;
  const Status status = CheckParity(fs_, options, out);
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("how its ids are made"));
}

TEST_F(ExportTest, ParityRefusesAVersionThatIsFurtherOffThanTheLimit) {
  Train(WriteSmallJob(folder_));
  const std::string version = Export("of_first");
  std::filesystem::remove_all(folder_ + "/snapshots");
  TrainSmallJob(folder_ + "/small.textproto", folder_ + "/snapshots",
                {.servers = 2, .lanes = 2, .overrides = {"seed=99"}});
  std::ostringstream out;
  const Status status = CheckParity(
      fs_,
      {.snapshot = folder_ + "/snapshots", .samples = folder_ + "/small.csv", .version = version},
      out);
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("differs by"));
}

}  // namespace
}  // namespace antiphon
