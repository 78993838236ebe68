// Rows become a batch, and a batch a prepared one, in the memory of the batch before.
#include <memory>
#include <string_view>
#include <vector>

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "common/base/logging.h"
#include "common/data/batch_builder.h"
#include "tests/steady_state/allocation_counter.h"
#include "worker/prepared_batch.h"

namespace antiphon {
namespace {

constexpr char kJob[] = R"(
  data_config {
    input_fields { input_name: "user" }
    input_fields { input_name: "age" input_type: DOUBLE }
    input_fields { input_name: "tags" }
    input_fields { input_name: "vector" }
    input_fields { input_name: "click" input_type: INT64 }
    input_fields { input_name: "play" input_type: DOUBLE }
    input_fields { input_name: "scene" }
    label_fields: "click"
    labels { label_name: "long" expression: "play >= 18" known_if: "click == 1" }
    scene_field: "scene" scenes: ["home", "live"]
  }
  feature_config {
    features { input_names: "tags" feature_type: TagFeature }
    features { input_names: "vector" feature_type: RawFeature raw_input_dim: 2 }
    features { input_names: "user" }
    features { input_names: "age" feature_type: RawFeature }
  }
)";

TEST(BatchSteadyTest, BuildsAndPreparesWithoutAnAllocation) {
  Job job;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(kJob, &job));
  const auto builder = BatchBuilder::Create(job, std::vector<FeatureStatistics>(4),
                                            {.names = {"long", "click"}, .implied = {}})
                           .value();
  ParameterSchema schema;
  schema.set_shard_count(8);
  schema.add_tables();
  schema.add_tables();
  ClusterView view;
  for (LaneId shard = 0; shard < 8; ++shard) {
    view.add_lane_of_shard(shard % 2);
  }
  view.add_lanes();
  view.add_lanes();
  BatchPreparer preparer(schema, view, {0, 1});
  PreparedBatch prepared;
  const auto build = [&] {
    builder->Start(prepared.batch);
    std::vector<std::string_view>::size_type bad = 0;
    constexpr std::string_view kUsers[] = {"ann", "bob", "a user with a name of forty characters"};
    std::string_view values[7];
    for (int row = 0; row < 300; ++row) {
      values[0] = kUsers[row % 3];
      values[1] = row % 7 == 0 ? "no number" : "33.5";
      values[2] = "pop|rock|a tag that is longer than any small string";
      values[3] = "0.25|-1";
      values[4] = "1";
      values[5] = "20";
      values[6] = row % 2 == 0 ? "home" : "live";
      bad += builder->AddRow(values, prepared.batch) == BadRowReason::kNone ? 0 : 1;
    }
    CHECK_EQ(bad, 43U);
    preparer.Prepare(prepared);
  };
  build();
  const AllocationCounter counter;

  build();

  EXPECT_EQ(counter.count(), 0U);
  EXPECT_EQ(prepared.tables[0].keys.size(), 3U);
  EXPECT_EQ(prepared.tables[1].keys.size(), 3U);
}

}  // namespace
}  // namespace antiphon
