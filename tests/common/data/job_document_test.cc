// docs/job_file.md is true: its example is a good job, and it names every field there is.
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/file_system.h"
#include "common/data/job_check.h"
#include "common/data/job_defaults.h"
#include "common/data/job_text.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string ReadDocument() {
  PosixFileSystem fs;
  const StatusOr<std::string> text =
      ReadWholeFile(fs, std::string(ANTIPHON_SOURCE_DIR) + "/docs/job_file.md", 1 << 20);
  CHECK(text.ok()) << text.status();
  return *text;
}

// Names of all fields and enum values of `type` and of the messages inside it.
void CollectNames(const google::protobuf::Descriptor& type, std::set<std::string>& seen,
                  std::set<std::string>& names) {
  if (!seen.insert(type.full_name()).second) {
    return;
  }
  for (int i = 0; i < type.field_count(); ++i) {
    const google::protobuf::FieldDescriptor& field = *type.field(i);
    names.insert(field.name());
    if (field.message_type() != nullptr) {
      CollectNames(*field.message_type(), seen, names);
    }
    for (int j = 0; field.enum_type() != nullptr && j < field.enum_type()->value_count(); ++j) {
      names.insert(field.enum_type()->value(j)->name());
    }
  }
}

TEST(JobDocumentTest, ExampleIsAGoodJob) {
  const std::string text = ReadDocument();
  const std::string fence = "```textproto\n";
  const size_t begin = text.find(fence) + fence.size();
  StatusOr<ParsedJob> parsed =
      ParseJobText("docs/job_file.md", text.substr(begin, text.find("```", begin) - begin));

  ASSERT_TRUE(parsed.ok()) << parsed.status();
  FillDefaults(parsed->job);
  EXPECT_THAT(CheckJob(parsed->job), IsEmpty());
}

TEST(JobDocumentTest, NamesEveryField) {
  const std::string text = ReadDocument();
  std::set<std::string> seen;
  std::set<std::string> names;
  CollectNames(*Job::descriptor(), seen, names);

  for (const std::string& name : names) {
    EXPECT_THAT(text, HasSubstr(name));
  }
}

}  // namespace
}  // namespace antiphon
