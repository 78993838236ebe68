#include "serving/version_chain.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/serving/version_folder.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr char kDir[] = "/out";

class VersionChainTest : public ::testing::Test {
 protected:
  // Version 3 with all rows, and steps to 5, 6 and 9.
  VersionChainTest() {
    links_.push_back(WriteVersion(fs_, kDir, FullSignature(3)));
    for (const uint64_t version : {5, 6, 9}) {
      links_.push_back(WriteVersion(fs_, kDir, StepSignature(links_.back(), version)));
    }
  }

  static std::string Folder(uint64_t version) {
    return std::string(kDir) + "/" + VersionFolderName(version);
  }
  void ExpectRefused(StatusCode code, const std::string& what) {
    const Status status = ReadVersionChain(fs_, Folder(9)).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(status.message(), HasSubstr(what));
  }

  MemoryFileSystem fs_;
  std::vector<VersionLink> links_;
};

TEST_F(VersionChainTest, HasTheBaseFirstAndItsStepsInOrder) {
  const StatusOr<VersionChain> chain = ReadVersionChain(fs_, Folder(9) + "/");
  ASSERT_TRUE(chain.ok()) << chain.status();
  ASSERT_EQ(chain->size(), links_.size());
  for (size_t i = 0; i < links_.size(); ++i) {
    EXPECT_EQ((*chain)[i].folder, links_[i].folder);
    EXPECT_EQ((*chain)[i].digest, links_[i].digest);
    EXPECT_EQ(BaseOf((*chain)[i].signature), 3U);
    EXPECT_EQ(SequenceOf((*chain)[i].signature), i);
  }
}

TEST_F(VersionChainTest, AVersionWithAllRowsIsAChainOfItsOwnWhateverItsFolderIsCalled) {
  ASSERT_TRUE(fs_.Rename(Folder(3), "/elsewhere").ok());
  const StatusOr<VersionChain> chain = ReadVersionChain(fs_, "/elsewhere");
  ASSERT_TRUE(chain.ok()) << chain.status();
  EXPECT_EQ(chain->size(), 1U);
}

TEST_F(VersionChainTest, EndsWithTheVersionThatIsCurrent) {
  EXPECT_EQ(ReadCurrentChain(fs_, kDir).status().code(), StatusCode::kNotFound);
  ASSERT_TRUE(WriteCurrent(fs_, kDir, 6).ok());
  const StatusOr<VersionChain> chain = ReadCurrentChain(fs_, kDir);
  ASSERT_TRUE(chain.ok()) << chain.status();
  EXPECT_EQ(chain->back().signature.version(), 6U);
  EXPECT_EQ(chain->size(), 3U);
}

TEST_F(VersionChainTest, SaysWhatIsMissing) {
  ASSERT_TRUE(fs_.Remove(Folder(6) + "/" + kSignatureFile).ok());
  ExpectRefused(StatusCode::kNotFound, "version-6, which comes right before it, is missing");
  const Status status = ReadVersionChain(fs_, Folder(6)).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("version-6/signature.json is not there"));
}

TEST_F(VersionChainTest, SaysWhatIsMissingOfWhatIsCurrent) {
  ASSERT_TRUE(WriteCurrent(fs_, kDir, 9).ok());
  ASSERT_TRUE(fs_.Remove(Folder(3) + "/" + kSignatureFile).ok());
  const Status status = ReadCurrentChain(fs_, kDir).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("CURRENT names version-9"), HasSubstr("missing")));
}

TEST_F(VersionChainTest, NoticesAnotherVersionUnderThePredecessorsNumber) {
  Signature other = links_[1].signature;
  other.set_created_seconds(1);
  WriteVersion(fs_, kDir, other);
  ExpectRefused(StatusCode::kDataLoss, "torn, or another one");
}

TEST_F(VersionChainTest, NoticesATornSignature) {
  const std::string path = Folder(5) + "/" + kSignatureFile;
  const std::string json = ReadWholeFile(fs_, path, 1 << 20).value();
  for (size_t bytes = 0; bytes < json.size(); bytes += 7) {
    ASSERT_TRUE(WriteFileAtomically(fs_, path, json.substr(0, bytes)).ok());
    ExpectRefused(StatusCode::kDataLoss, "version-5");
  }
}

TEST_F(VersionChainTest, NoticesAStepOfAnotherModel) {
  Signature other = links_[2].signature;
  other.set_model_id("00000000000000bb");
  WriteVersion(fs_, kDir, other);
  ExpectRefused(StatusCode::kInvalidArgument, "of model 00000000000000bb");
}

TEST_F(VersionChainTest, NoticesAFolderThatWasRenamed) {
  ASSERT_TRUE(fs_.Rename(Folder(5), "/aside").ok());
  ASSERT_TRUE(fs_.Rename(Folder(6), Folder(5)).ok());
  ASSERT_TRUE(fs_.Rename("/aside", Folder(6)).ok());
  ExpectRefused(StatusCode::kOutOfRange, "version-6 holds version 5");
}

TEST_F(VersionChainTest, NoticesAStepOfAnotherChain) {
  const VersionLink base = WriteVersion(fs_, kDir, FullSignature(5));
  WriteVersion(fs_, kDir, StepSignature(base, 6));
  ExpectRefused(StatusCode::kStaleEpoch, "different chains");
}

TEST_F(VersionChainTest, TellsEveryFaultOfAStepFromTheOthers) {
  const VersionLink& held = links_[2];  // version 6, step 2 behind 3
  const auto check = [&](uint64_t version, uint64_t sequence, uint64_t predecessor) {
    VersionLink step = {.folder = "/s", .signature = StepSignature(held, version), .digest = ""};
    step.signature.mutable_step()->set_sequence(sequence);
    step.signature.mutable_step()->set_predecessor(predecessor);
    return CheckFollows(held, step).code();
  };
  EXPECT_EQ(check(9, 3, 6), StatusCode::kOk);
  EXPECT_EQ(check(6, 2, 5), StatusCode::kAlreadyExists);
  EXPECT_EQ(check(9, 4, 8), StatusCode::kNotFound);
  EXPECT_EQ(check(5, 1, 3), StatusCode::kOutOfRange);
  EXPECT_EQ(check(9, 3, 5), StatusCode::kOutOfRange);
}

TEST_F(VersionChainTest, RefusesStepsThatCannotBe) {
  const auto refused = [](const Signature& signature) {
    return ParseSignature(SignatureJson(signature).value()).status().code() ==
           StatusCode::kDataLoss;
  };
  Signature step = StepSignature(links_[0], 5);
  EXPECT_FALSE(refused(step));
  step.mutable_step()->set_sequence(0);
  EXPECT_TRUE(refused(step));
  step = StepSignature(links_[0], 5);
  step.mutable_step()->set_predecessor(5);
  EXPECT_TRUE(refused(step));
  step = StepSignature(links_[0], 5);
  step.mutable_step()->clear_predecessor_digest();
  EXPECT_TRUE(refused(step));
  step = StepSignature(links_[0], 5);
  step.mutable_step()->set_base(4);
  EXPECT_TRUE(refused(step));
}

TEST(VersionDirectoryTest, ReadsOnlyNamesThatItWouldWrite) {
  EXPECT_EQ(VersionOfFolderName("version-12"), 12U);
  for (const char* name : {"version-", "version-012", "version--1", "version-12.tmp", "snapshot-12",
                           "version-99999999999999999999999", ""}) {
    EXPECT_FALSE(VersionOfFolderName(name).has_value()) << name;
  }
}

TEST(VersionDirectoryTest, RefusesACurrentThatNamesNoVersion) {
  MemoryFileSystem fs;
  ASSERT_TRUE(fs.MakeDirectories(kDir).ok());
  for (const char* line : {"", "version-7/../..", "/etc", "version-7\nversion-8\n"}) {
    ASSERT_TRUE(WriteFileAtomically(fs, std::string(kDir) + "/" + kCurrentFile, line).ok());
    EXPECT_EQ(ReadCurrent(fs, kDir).status().code(), StatusCode::kDataLoss) << line;
  }
  ASSERT_TRUE(WriteCurrent(fs, kDir, 7).ok());
  EXPECT_EQ(*ReadCurrent(fs, kDir), "version-7");
}

TEST(VersionDirectoryTest, KnowsWhatLiesAboveAFolder) {
  EXPECT_EQ(FolderAbove("a/b/c"), "a/b");
  EXPECT_EQ(FolderAbove("a/b/c//"), "a/b");
  EXPECT_EQ(FolderAbove("/a"), "/");
  EXPECT_EQ(FolderAbove("a"), ".");
}

}  // namespace
}  // namespace antiphon
