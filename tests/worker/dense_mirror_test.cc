#include "worker/dense_mirror.h"

#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using testing::ElementsAre;

TEST(DenseMirrorTest, ClipsGradientsAndLeavesStatistics) {
  ParameterSchema schema;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"(shard_count: 4 chunk_floats: 16
         blocks { name: "w" rows: 1 cols: 2 optimizer { sgd_optimizer {} } }
         blocks { name: "counts" rows: 1 cols: 2 optimizer { decayed_sums {} } }
         blocks { name: "absent" rows: 1 cols: 1 optimizer { sgd_optimizer {} } })",
      &schema));
  ClusterView view;
  view.add_lanes();
  for (int shard = 0; shard < 4; ++shard)
    view.add_lane_of_shard(0);
  const DenseMirror mirror(schema, view);
  StepGradients gradients;
  gradients.blocks = {{3, 4}, {100, 200}, {50}};
  gradients.block_present = {1, 1, 0};

  mirror.ClipByNorm(1, gradients);

  EXPECT_THAT(gradients.blocks[0], ElementsAre(0.6F, 0.8F));
  EXPECT_THAT(gradients.blocks[1], ElementsAre(100, 200));
  EXPECT_THAT(gradients.blocks[2], ElementsAre(50));
}

}  // namespace
}  // namespace antiphon
