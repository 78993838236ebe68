#include "common/data/job_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/data/job_defaults.h"
#include "common/data/job_text.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;

class JobFileTest : public ::testing::Test {
 protected:
  JobFileTest() { CHECK(fs_.MakeDirectories("/jobs").ok()); }

  void Write(std::string_view text) {
    const Status status = WriteFileAtomically(fs_, path_, text);
    CHECK(status.ok()) << status;
  }

  MemoryFileSystem fs_;
  const std::string path_ = "/jobs/job_file_test.textproto";
};

TEST_F(JobFileTest, FillsInDefaultsAndNames) {
  Write(R"(feature_config { features { input_names: "user" embedding_dim: 4 }
                            features { input_names: "age" feature_type: RawFeature } })");

  const StatusOr<JobFile> file = LoadJob(fs_, path_, {});

  ASSERT_TRUE(file.ok()) << file.status();
  const FeatureConfig& user = file->job.feature_config().features(0);
  EXPECT_EQ(user.feature_name(), "user");
  EXPECT_EQ(user.embedding_name(), "user");
  EXPECT_EQ(user.initializer().normal_initializer().stddev(), 0.01F);
  EXPECT_FALSE(file->job.feature_config().features(1).has_embedding_name());
  EXPECT_THAT(JobText(file->job), HasSubstr("batch_size: 512"));
}

TEST_F(JobFileTest, EffectiveTextReadsBackAsTheSameJob) {
  Write(R"(name: "a \"b\" \\ c" feature_config { features { input_names: "marital stat" } }
           train_config { optimizer_config { adam_optimizer { } } })");
  const StatusOr<JobFile> file = LoadJob(fs_, path_, {});
  ASSERT_TRUE(file.ok()) << file.status();

  const StatusOr<ParsedJob> again = ParseJobText("plan", JobText(file->job));

  ASSERT_TRUE(again.ok()) << again.status();
  Job filled = again->job;
  FillDefaults(filled);
  EXPECT_EQ(JobText(filled), JobText(file->job));
  EXPECT_EQ(JobDigest(filled), JobDigest(file->job));
}

TEST_F(JobFileTest, DigestSeesOverridesAndIgnoresLayout) {
  Write("seed: 1 name: \"a\"");
  const std::vector<std::string> overrides = {"seed=2"};
  const StatusOr<JobFile> plain = LoadJob(fs_, path_, {});
  const StatusOr<JobFile> changed = LoadJob(fs_, path_, overrides);
  Write("# same\nname: 'a'\n");
  const StatusOr<JobFile> same = LoadJob(fs_, path_, {});
  ASSERT_TRUE(plain.ok() && changed.ok() && same.ok());

  EXPECT_NE(JobDigest(plain->job), JobDigest(changed->job));
  EXPECT_EQ(JobDigest(plain->job), JobDigest(same->job));
}

TEST_F(JobFileTest, SaysWhatIsWrongWithTheFileItself) {
  EXPECT_THAT(LoadJob(fs_, "/jobs", {}).status().message(), HasSubstr("is a folder"));
  EXPECT_THAT(LoadJob(fs_, path_ + ".none", {}).status().message(), HasSubstr(path_ + ".none"));
  Write(std::string(17 << 20, ' '));
  EXPECT_FALSE(LoadJob(fs_, path_, {}).ok());
}

TEST_F(JobFileTest, ResolvesPathsAgainstTheFolderOfTheFile) {
  Write("seed: 1");
  const StatusOr<JobFile> file = LoadJob(fs_, path_, {});
  ASSERT_TRUE(file.ok());

  EXPECT_EQ(ResolvePath(file->folder, "x.csv"), "/jobs/x.csv");
  EXPECT_EQ(ResolvePath(file->folder, "/data/x.csv"), "/data/x.csv");
}

}  // namespace
}  // namespace antiphon
