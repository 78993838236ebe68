#include "server/dense_store.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/cluster/shard_map.h"

namespace antiphon {
namespace {

std::string ChangedSince(const DenseStore& store, uint64_t version) {
  std::string bits = "old";
  store.ChangedSince(version, bits);
  return bits;
}

using ::testing::HasSubstr;

// Two blocks, ten chunks: seven of 100 floats or less, and three.
ParameterSchema Schema() {
  ParameterSchema schema;
  schema.set_seed(3);
  schema.set_shard_count(8);
  schema.set_chunk_floats(100);
  for (const uint32_t cols : {65, 25}) {
    BlockSpec* const block = schema.add_blocks();
    block->set_name("block" + std::to_string(cols));
    block->set_rows(10);
    block->set_cols(cols);
    block->mutable_optimizer()->mutable_adam_optimizer();
    block->mutable_initializer()->mutable_uniform_initializer();
  }
  return schema;
}

std::unique_ptr<DenseStore> MakeStore(const ParameterSchema& schema, std::vector<Chunk> chunks) {
  auto made = DenseStore::Create(schema, std::move(chunks));
  EXPECT_TRUE(made.ok()) << made.status();
  return std::move(made).value();
}

std::unique_ptr<DenseStore> MakeWholeStore() {
  return MakeStore(Schema(), AllChunks(Schema()));
}

std::vector<float> ReadAll(const DenseStore& store) {
  const std::string bits = ChangedSince(store, 0);
  std::vector<float> values(store.FloatsOf(bits).value());
  store.Read(bits, values);
  return values;
}

std::string Bits(std::initializer_list<size_t> chunks) {
  std::string bits(2, '\0');
  for (const size_t i : chunks) {
    bits[i / 8] = static_cast<char>(bits[i / 8] | 1 << (i % 8));
  }
  return bits;
}

TEST(DenseStoreTest, FirstReadHasEverything) {
  const auto store = MakeWholeStore();

  const std::string bits = ChangedSince(*store, 0);

  EXPECT_EQ(store->chunk_count(), 10U);
  EXPECT_EQ(bits, "\xff\x03");
  EXPECT_EQ(store->FloatsOf(bits).value(), 900U);
  EXPECT_EQ(store->floats(), 900U);
  EXPECT_EQ(store->bytes(), 3 * 900 * sizeof(float));
}

TEST(DenseStoreTest, LaterReadsHaveWhatChanged) {
  const auto store = MakeWholeStore();
  const uint64_t start = store->version();
  EXPECT_EQ(ChangedSince(*store, start), Bits({}));

  store->Apply(Bits({6, 8}), std::vector<float>(150, 1.0F));
  const uint64_t middle = store->version();
  store->Apply(Bits({2}), std::vector<float>(100, 1.0F));

  EXPECT_EQ(ChangedSince(*store, start), Bits({2, 6, 8}));
  EXPECT_EQ(ChangedSince(*store, middle), Bits({2}));
  EXPECT_EQ(ChangedSince(*store, store->version()), Bits({}));
}

TEST(DenseStoreTest, AnEmptyPushChangesNothing) {
  const auto store = MakeWholeStore();
  const uint64_t version = store->version();

  store->Apply(Bits({}), {});

  EXPECT_EQ(store->version(), version);
}

TEST(DenseStoreTest, ChunksCountTheirOwnSteps) {
  const auto store = MakeWholeStore();
  const std::vector<float> before = ReadAll(*store);

  store->Apply(Bits({1}), std::vector<float>(100, 2.0F));
  store->Apply(Bits({0, 1}), std::vector<float>(200, 2.0F));

  EXPECT_EQ(store->chunk(0).steps, 1U);
  EXPECT_EQ(store->chunk(1).steps, 2U);
  EXPECT_EQ(store->chunk(2).steps, 0U);
  // Adam moves by its learning rate where the gradient is constant.
  const std::vector<float> after = ReadAll(*store);
  EXPECT_NEAR(after[0], before[0] - 0.001, 1e-6);
  EXPECT_NEAR(after[100], before[100] - 0.002, 1e-6);
  EXPECT_EQ(after[200], before[200]);
}

// Two pushes of one step, in either order, do what one push of their mean does.
TEST(DenseStoreTest, WeightsOfTasksMoveOnceAStepByTheMeanOfItsPushes) {
  ParameterSchema schema = Schema();
  schema.clear_blocks();
  BlockSpec& block = *schema.add_blocks();
  block.set_rows(3);
  block.set_cols(2);
  block.mutable_initializer()->mutable_constant_initializer()->set_value(1);
  block.mutable_loss_balance()->mutable_grad_norm()->set_initial_loss(GradNormConfig::FIXED);
  const std::vector<float> ann = {1, 5, 0.75F, 0.25F, 1, 1};
  const std::vector<float> bob = {2, 3, 0.5F, 0.5F, 1, 1};
  const auto train = [&](const std::vector<std::vector<float>>& pushes) {
    const auto store = MakeStore(schema, AllChunks(schema));
    for (int step = 0; step < 3; ++step) {
      for (const std::vector<float>& push : pushes) {
        store->Apply("\x01", push);
      }
      const uint64_t version = store->version();
      store->EndStep();
      EXPECT_EQ(store->version(), version + 1);
      store->EndStep();
      EXPECT_EQ(store->version(), version + 1) << "nothing was measured since";
    }
    EXPECT_EQ(store->chunk(0).steps, 3U);
    return ReadAll(*store);
  };

  EXPECT_EQ(train({ann, bob}), train({bob, ann}));
  EXPECT_EQ(train({ann, bob}), train({{1.5F, 4, 0.625F, 0.375F, 1, 1}}));
  EXPECT_NE(train({ann}), train({bob}));
}

// What a broken-off step has measured counts in the next one, where there is one task more.
TEST(DenseStoreTest, KeepsWhatAStepHasMeasuredWhenTheTasksBecomeMore) {
  const auto schema_of = [](const std::vector<std::string>& tasks) {
    ParameterSchema schema = Schema();
    schema.clear_blocks();
    BlockSpec& block = *schema.add_blocks();
    block.set_rows(3);
    block.set_cols(static_cast<uint32_t>(tasks.size()));
    block.mutable_initializer()->mutable_constant_initializer()->set_value(1);
    block.mutable_loss_balance()->mutable_grad_norm()->set_initial_loss(GradNormConfig::FIXED);
    block.mutable_loss_balance()->mutable_tasks()->Assign(tasks.begin(), tasks.end());
    return schema;
  };
  const ParameterSchema small = schema_of({"click", "like"});
  const ParameterSchema large = schema_of({"click", "like", "gift"});
  const auto store = MakeStore(small, AllChunks(small));
  store->Apply("\x01", std::vector<float>{1, 5, 0.75F, 0.25F, 1, 1});

  const auto grown = store->Grow(large, AllChunks(large)).value();
  grown->EndStep();

  const auto other = MakeStore(large, AllChunks(large));
  other->Apply("\x01", std::vector<float>{1, 5, 0, 0.75F, 0.25F, 0, 1, 1, 0});
  other->EndStep();
  EXPECT_EQ(ReadAll(*grown), ReadAll(*other));
  EXPECT_NE(ReadAll(*grown), ReadAll(*MakeStore(large, AllChunks(large))));
}

TEST(DenseStoreTest, SameValuesForAnyNumberOfLanesAndAnyCut) {
  const std::vector<float> whole = ReadAll(*MakeWholeStore());
  std::map<std::pair<BlockId, uint64_t>, float> expected;
  for (size_t i = 0; i < whole.size(); ++i) {
    expected[i < 650 ? std::pair(0U, i) : std::pair(1U, i - 650)] = whole[i];
  }

  for (const uint32_t lanes : {1U, 2U, 5U}) {
    ParameterSchema schema = Schema();
    schema.set_chunk_floats(37);
    size_t seen = 0;
    for (LaneId lane = 0; lane < lanes; ++lane) {
      const auto store = MakeStore(schema, LaneChunks(schema, AssignShards(8, lanes), lane));
      for (size_t i = 0; i < store->chunk_count(); ++i) {
        const DenseChunk chunk = store->chunk(i);
        for (size_t j = 0; j < chunk.values.size(); ++j, ++seen) {
          ASSERT_EQ(chunk.values[j],
                    (expected[std::pair(chunk.place->block, chunk.place->offset + j)]));
        }
      }
    }
    EXPECT_EQ(seen, 900U);
  }
}

TEST(DenseStoreTest, RefusesBitsThatDoNotFit) {
  const auto store = MakeWholeStore();

  EXPECT_THAT(store->FloatsOf("\xff").status().message(), HasSubstr("has 1 bytes, expected 2"));
  EXPECT_THAT(store->FloatsOf("\x01\x04").status().message(), HasSubstr("names chunk 10"));
}

TEST(DenseStoreTest, RestoresEveryBitOfItsChunks) {
  const auto original = MakeWholeStore();
  original->Apply(Bits({0, 1, 6}), std::vector<float>(250, 0.5F));
  const auto copy = MakeWholeStore();
  const uint64_t version = copy->version();

  for (size_t i = 0; i < original->chunk_count(); ++i) {
    const DenseChunk chunk = original->chunk(i);
    ASSERT_TRUE(copy->Restore(chunk.place->block, chunk.place->index, chunk.steps, chunk.values,
                              chunk.state)
                    .ok());
  }
  EXPECT_EQ(ChangedSince(*copy, version), Bits({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  original->Apply(Bits({0}), std::vector<float>(100, -2.0F));
  copy->Apply(Bits({0}), std::vector<float>(100, -2.0F));

  EXPECT_EQ(ReadAll(*copy), ReadAll(*original));
}

TEST(DenseStoreTest, RefusesChunksThatDoNotFit) {
  const auto store = MakeWholeStore();
  const std::vector<float> values(100);

  EXPECT_EQ(store->Restore(5, 0, 1, values, values).code(), StatusCode::kNotFound);
  EXPECT_EQ(store->Restore(0, 7, 1, values, values).code(), StatusCode::kNotFound);
  EXPECT_THAT(store->Restore(0, 0, 1, values, values).message(), HasSubstr("expected 100 and 200"));
}

TEST(DenseStoreTest, NamesTheBlockWhoseOptimizerIsWrong) {
  ParameterSchema schema = Schema();
  schema.mutable_blocks(1)->mutable_optimizer()->mutable_rowwise_adagrad_optimizer();

  EXPECT_THAT(DenseStore::Create(schema, {}).status().message(), HasSubstr("block 'block25'"));
}

}  // namespace
}  // namespace antiphon
