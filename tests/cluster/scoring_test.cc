// What a cluster has trained, read back from its snapshot and asked.
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/base/file_system.h"
#include "common/base/text.h"
#include "common/math/gemm.h"
#include "scoring/frozen_model.h"
#include "scoring/score_file.h"
#include "scoring/scorer.h"
#include "tests/cluster/trained_model.h"

namespace antiphon {
namespace {

using testing::HasSubstr;

constexpr uint64_t kMaxBytes = 1 << 20;

class ScoringTest : public ::testing::Test {
 protected:
  ScoringTest()
      : folder_(::testing::TempDir() + "antiphon_" +
                ::testing::UnitTest::GetInstance()->current_test_info()->name() + "_" +
                std::to_string(::getpid())) {}
  ~ScoringTest() override { std::filesystem::remove_all(folder_); }

  void Train(const std::string& job, std::vector<std::string> overrides = {}) {
    TrainSmallJob(job, folder_ + "/model",
                  {.servers = 2,
                   .lanes = 2,
                   .overrides = std::move(overrides),
                   .report_path = folder_ + "/report.json"});
    StatusOr<std::unique_ptr<FrozenModel>> model = FrozenModel::Load(fs_, folder_ + "/model");
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = std::move(model).value();
    StatusOr<std::unique_ptr<Scorer>> scorer = Scorer::Create(*model_, gemm_, 2);
    ASSERT_TRUE(scorer.ok()) << scorer.status();
    scorer_ = std::move(scorer).value();
  }

  std::string Write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(WriteFileAtomically(fs_, folder_ + "/" + name, text).ok());
    return folder_ + "/" + name;
  }
  std::string Read(const std::string& name) {
    return ReadWholeFile(fs_, folder_ + "/" + name, kMaxBytes).value();
  }

  // By column name; every value as text.
  using Table = std::map<std::string, std::vector<std::string>>;
  static Table ParseCsv(const std::string& csv) {
    Table table;
    const std::vector<std::string_view> lines = Split(Trim(csv), "\n");
    const std::vector<std::string_view> header = Split(lines[0], ",");
    for (size_t i = 1; i < lines.size(); ++i) {
      const std::vector<std::string_view> values = Split(lines[i], ",");
      for (size_t c = 0; c < header.size(); ++c)
        table[std::string(header[c])].emplace_back(values[c]);
    }
    return table;
  }

  Table Score(const ScoreFileOptions& options) {
    std::ostringstream out;
    const Status status = ScoreFile(options, *scorer_, fs_, out);
    EXPECT_TRUE(status.ok()) << status;
    return ParseCsv(out.str());
  }
  std::string ErrorOf(const ScoreFileOptions& options) {
    std::ostringstream out;
    return ScoreFile(options, *scorer_, fs_, out).message();
  }

  // Mean log loss of `task` over the rows of small.csv.
  double LogLoss(const Table& scores, const std::string& task) {
    const Table rows = ParseCsv(Read("small.csv"));
    double sum = 0;
    for (size_t i = 0; i < rows.at(task).size(); ++i) {
      const double p = std::stod(scores.at(task)[i]);
      sum -= std::log(rows.at(task)[i] == "1" ? p : 1 - p);
    }
    return sum / static_cast<double>(rows.at(task).size());
  }

  const std::string folder_;
  PosixFileSystem fs_;
  const Gemm gemm_ = Gemm::Create(GemmBackend::kEigen);
  std::unique_ptr<FrozenModel> model_;
  std::unique_ptr<Scorer> scorer_;
};

TEST_F(ScoringTest, PredictsWhatTheEvaluationOfTheClusterPredicted) {
  Train(WriteSmallJob(folder_));

  const Table scores = Score({.path = folder_ + "/small.csv"});

  const nlohmann::json report = nlohmann::json::parse(Read("report.json"));
  ASSERT_EQ(scores.at("click").size(), 2000U);
  for (const char* task : {"click", "buy"}) {
    EXPECT_NEAR(LogLoss(scores, task), report["eval"][task]["logloss"].get<double>(), 1e-5) << task;
  }
}

TEST_F(ScoringTest, PredictsByScene) {
  Train(WriteSceneJob(folder_));

  const Table scores = Score({.path = folder_ + "/small.csv"});
  const Table unlisted =
      Score({.path = Write("one.csv", "user,item,price,scene\nu1,i1,0.5,elsewhere\n")});

  const nlohmann::json report = nlohmann::json::parse(Read("report.json"));
  EXPECT_NEAR(LogLoss(scores, "click"), report["eval"]["click"]["logloss"].get<double>(), 1e-5);
  EXPECT_EQ(unlisted.at("click").size(), 1U);
}

TEST_F(ScoringTest, AnUnknownIdIsZerosAndLabelsNeedNotBeThere) {
  Train(WriteSmallJob(folder_));

  const Table scores = Score({.path = Write("new.csv",
                                            "price,item,user\n0.5,i1,nobody\n0.5,i1,noone\n"
                                            "0.5,i1,\n0.5,i1,u2\n"),
                              .columns = {"user"}});

  const std::vector<std::string>& click = scores.at("click");
  ASSERT_EQ(click.size(), 4U);
  EXPECT_EQ(scores.at("user")[1], "noone");
  EXPECT_EQ(click[0], click[1]);
  EXPECT_EQ(click[0], click[2]) << "as a row without a user";
  EXPECT_NE(click[0], click[3]);
}

TEST_F(ScoringTest, TheBestOfACatalogueIsTheBestOfAllItsCombinations) {
  Train(WriteSmallJob(folder_));
  const std::string items =
      Write("items.csv", "shop,item,note\ns1,i3,\"a, b\"\ns1,i4,\ns2,i5,\ns1,i6,\n");
  const std::string prices = Write("prices.csv", "shop,price\ns1,0.1\ns1,0.9\ns2,0.5\n");
  std::string requests = "user,shop\n";
  std::string all = "user,item,price\n";
  for (int user = 0; user < 20; ++user) {
    requests += "u" + std::to_string(user) + ",s1\n";
    for (const char* item : {"i3", "i4", "i6"}) {
      for (const char* price : {"0.1", "0.9"})
        all += "u" + std::to_string(user) + "," + item + "," + price + "\n";
    }
  }
  requests += "u1,s2\n";

  const Table best = Score(
      {.path = Write("requests.csv", requests), .catalogues = {items, prices}, .task = "buy"});

  const Table every = Score({.path = Write("all.csv", all), .columns = {"user", "item", "price"}});
  ASSERT_EQ(best.at("buy").size(), 21U);
  EXPECT_EQ(best.at("shop")[20], "s2");
  EXPECT_EQ(best.at("item")[20], "i5");
  for (size_t request = 0; request < 20; ++request) {
    size_t expected = request * 6;
    for (size_t i = request * 6; i < request * 6 + 6; ++i) {
      if (std::stof(every.at("buy")[i]) > std::stof(every.at("buy")[expected]))
        expected = i;
    }
    EXPECT_EQ(best.at("item")[request], every.at("item")[expected]) << request;
    EXPECT_EQ(best.at("price")[request], every.at("price")[expected]) << request;
    EXPECT_NEAR(std::stof(best.at("buy")[request]), std::stof(every.at("buy")[expected]), 1e-6);
    EXPECT_NEAR(std::stof(best.at("click")[request]), std::stof(every.at("click")[expected]), 1e-6);
  }
}

TEST_F(ScoringTest, ARankingHasScoresAndNoProbabilities) {
  Train(WriteSmallJob(folder_), {"model_config.mmoe.task_towers[0].loss_type=PAIRWISE",
                                 "data_config.request_field=user", "data_config.shuffle=false"});

  const Table scores = Score({.path = folder_ + "/small.csv"});

  double least = 1;
  double most = 0;
  for (const std::string& value : scores.at("click")) {
    least = std::min(least, std::stod(value));
    most = std::max(most, std::stod(value));
  }
  EXPECT_TRUE(least < 0 || most > 1) << least << " to " << most;
}

TEST_F(ScoringTest, ErrorsSayWhere) {
  Train(WriteSmallJob(folder_));
  const std::string items = Write("items.csv", "shop,item\ns1,i3\n");
  const std::string header = "user,shop,price\n";
  const auto requests = [&](const std::string& lines) {
    return ScoreFileOptions{.path = Write("r.csv", lines), .catalogues = {items}};
  };

  EXPECT_EQ(ErrorOf(requests(header + "u1,s1,0.5\nu1,s1,cheap\n")),
            folder_ + "/r.csv:3: column \"price\": not a number: \"cheap\"");
  EXPECT_EQ(ErrorOf(requests(header + "u1,s9,0.5\n")),
            folder_ + "/r.csv:2: column \"shop\": \"s9\" has no line in " + items);
  EXPECT_THAT(ErrorOf(requests("user,shop,prise\nu1,s1,1\n")),
              HasSubstr("no column \"price\", which the model reads, in the requests or a "
                        "catalogue; did you mean \"prise\"?"));
  EXPECT_THAT(ErrorOf(requests("user,price\nu1,1\n")), HasSubstr("items.csv:1: the first column"));
  EXPECT_THAT(ErrorOf(requests("user,shop,price,item\nu1,s1,1,i1\n")),
              HasSubstr("items.csv:1: column \"item\" is also in the requests"));
  ScoreFileOptions options = requests(header + "u1,s1,0.5\n");
  options.task = "like";
  EXPECT_EQ(ErrorOf(options), "the model predicts no \"like\", expected one of click, buy");
  options.task = "buy";
  options.columns = {"colour"};
  EXPECT_THAT(ErrorOf(options), HasSubstr("no column \"colour\" to show"));
}

TEST_F(ScoringTest, AFullDiskIsNamedAndLeavesNothingBehind) {
  Train(WriteSmallJob(folder_));
  const std::string many = folder_ + "/small.csv";
  const std::string rows = Read("small.csv");
  const std::string few = Write("few.csv", rows.substr(0, rows.find('\n', 100) + 1));
  const std::string scores = folder_ + "/scores.csv";

  // Few scores meet the full disk when the file is closed, many before.
  for (const std::string& path : {few, many}) {
    std::filesystem::create_symlink("/dev/full", scores + ".tmp");
    const Status full = ScoreFileTo(scores, {.path = path}, *scorer_, fs_);
    EXPECT_EQ(full.code(), StatusCode::kResourceExhausted);
    EXPECT_EQ(full.message(), "cannot write all of " + scores + ".tmp; is the disk full?");
    EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(scores + ".tmp")));
    EXPECT_FALSE(fs_.Exists(scores));
  }
  const Status roomy = ScoreFileTo(scores, {.path = many}, *scorer_, fs_);

  ASSERT_TRUE(roomy.ok()) << roomy;
  EXPECT_EQ(ParseCsv(Read("scores.csv")).at("click").size(), 2000U);
}

TEST_F(ScoringTest, RefusesASnapshotThatIsNotWhole) {
  EXPECT_EQ(FrozenModel::Load(fs_, folder_).status().code(), StatusCode::kNotFound);
  Train(WriteSmallJob(folder_));
  const std::string lane_file = model_->folder() + "/lane-1.aps";
  const std::string bytes = ReadWholeFile(fs_, lane_file, kMaxBytes).value();

  ASSERT_TRUE(WriteFileAtomically(fs_, lane_file, bytes.substr(0, bytes.size() - 40)).ok());

  const Status status = FrozenModel::Load(fs_, folder_ + "/model").status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("lane-1.aps"));
}

}  // namespace
}  // namespace antiphon
