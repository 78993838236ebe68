#include "common/optim/row_optimizer.h"

#include <array>
#include <cmath>
#include <fstream>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/base/rng.h"
#include "common/optim/dense_optimizer.h"

namespace antiphon {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

OptimizerConfig ParseConfig(const std::string& text) {
  OptimizerConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return config;
}

std::unique_ptr<RowOptimizer> MakeRows(const std::string& config, uint32_t dim) {
  auto made = MakeRowOptimizer(ParseConfig(config), dim);
  EXPECT_TRUE(made.ok()) << made.status();
  return std::move(made).value();
}

std::string Rate(const std::string& rate) {
  return "learning_rate { constant_learning_rate { learning_rate: " + rate + " } }";
}

// One file of tests/golden/opt and the job-file text that asks for the same optimizer.
struct GoldenCase {
  std::string name;
  std::string config;
  bool dense = true;  // also works on chunks
};

std::ostream& operator<<(std::ostream& out, const GoldenCase& golden) {
  return out << golden.name;
}

std::vector<GoldenCase> GoldenCases() {
  const std::string ftrl = Rate("0.1") + " l2_reg: 0.01 ";
  return {
      {"sgd", "sgd_optimizer {" + Rate("0.1") + "}"},
      {"momentum", "momentum_optimizer {" + Rate("0.05") + "}"},
      {"adagrad", "adagrad_optimizer {" + Rate("0.1") + "}"},
      {"adagrad_rowwise", "rowwise_adagrad_optimizer {" + Rate("0.1") + "}", false},
      {"adam", "adam_optimizer {" + Rate("0.01") + "}"},
      {"adam_torch", "adam_optimizer {" + Rate("0.01") + "epsilon_form: INSIDE}"},
      {"adamw", "adamw_optimizer {" + Rate("0.01") + "weight_decay: 0.1}"},
      {"lazy_adam_row_step", "lazy_adam_optimizer {" + Rate("0.01") + "}"},
      {"lazy_adam_global_step", "lazy_adam_optimizer {" + Rate("0.01") + "bias_step: GLOBAL}",
       false},
      {"ftrl", "ftrl_optimizer {" + ftrl + "l1_reg: 0.5}"},
      {"ftrl_nonzero_start", "ftrl_optimizer {" + ftrl + "initial_accumulator_value: 0.1}"},
      {"ftrl_tf",
       "ftrl_optimizer {" + ftrl + "l1_reg: 0.5 initial_accumulator_value: 0.1 form: TENSORFLOW}"},
      {"ftrl_group", "group_ftrl_optimizer {" + ftrl + "l1_reg: 3}", false},
  };
}

std::vector<GoldenCase> DenseCases() {
  std::vector<GoldenCase> cases = GoldenCases();
  std::erase_if(cases, [](const GoldenCase& golden) { return !golden.dense; });
  return cases;
}

using Rows = std::vector<std::vector<float>>;

// A vector file in one shape, whether it has one row or several.
struct Golden {
  Rows start;
  std::vector<Rows> gradient;                // [step][row]
  std::vector<std::vector<double>> weights;  // [step], rows one after the other
  std::vector<std::vector<bool>> present;    // [step][row]
  json state;
};

Golden LoadGolden(const std::string& name) {
  std::ifstream file(std::string(ANTIPHON_SOURCE_DIR) + "/tests/golden/opt/opt_" + name + ".json");
  const json vector = json::parse(file);
  const json& inputs = vector["inputs"];
  const bool several = inputs.contains("present");
  Golden golden;
  golden.state = vector["outputs"]["state"];
  golden.start = several ? inputs["w0"].get<Rows>() : Rows{inputs["w0"].get<std::vector<float>>()};
  for (size_t step = 0; step < inputs["g"].size(); ++step) {
    const json& g = inputs["g"][step];
    golden.gradient.push_back(several ? g.get<Rows>() : Rows{g.get<std::vector<float>>()});
    std::vector<double> after;
    for (const json& value : vector["outputs"]["w"][step].flatten()) {
      after.push_back(value.get<double>());
    }
    golden.weights.push_back(after);
    std::vector<bool> present(golden.start.size(), true);
    for (size_t row = 0; several && row < present.size(); ++row) {
      present[row] = inputs["present"][step][row].get<int>() != 0;
    }
    golden.present.push_back(present);
  }
  return golden;
}

void ExpectClose(double expected, float actual, const std::string& where) {
  EXPECT_NEAR(actual, expected, 1e-6 + 1e-5 * std::abs(expected)) << where;
}

void ExpectStateOfRow(const Golden& golden, size_t row, std::span<const float> state) {
  size_t at = 0;
  for (const char* kind : {"z", "m", "v", "n"}) {
    if (golden.state.contains(kind)) {
      const json& expected = golden.state[kind];
      for (const json& value : (golden.start.size() > 1 ? expected[row] : expected).flatten()) {
        ExpectClose(value.get<double>(), state[at++], std::string("final ") + kind);
      }
    }
  }
}

class OptimizerGoldenTest : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(OptimizerGoldenTest, RowsFollowTheReference) {
  const Golden golden = LoadGolden(GetParam().name);
  const size_t dim = golden.start[0].size();
  const auto optimizer = MakeRows(GetParam().config, static_cast<uint32_t>(dim));
  std::vector<std::vector<float>> rows;
  for (const std::vector<float>& start : golden.start) {
    rows.push_back(start);
    rows.back().resize(optimizer->row_floats());
    optimizer->InitState(rows.back().data());
  }

  for (size_t step = 0; step < golden.gradient.size(); ++step) {
    std::vector<float*> pointers;
    std::vector<float> gradients;
    for (size_t row = 0; row < rows.size(); ++row) {
      pointers.push_back(golden.present[step][row] ? rows[row].data() : nullptr);
      gradients.insert(gradients.end(), golden.gradient[step][row].begin(),
                       golden.gradient[step][row].end());
    }
    optimizer->Apply(pointers, gradients.data(), step + 1);

    for (size_t i = 0; i < rows.size() * dim; ++i) {
      ExpectClose(golden.weights[step][i], rows[i / dim][i % dim],
                  "step " + std::to_string(step) + ", weight " + std::to_string(i));
    }
  }
  for (size_t row = 0; row < rows.size(); ++row) {
    ExpectStateOfRow(golden, row, std::span(rows[row]).subspan(dim));
  }
}

class DenseOptimizerGoldenTest : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(DenseOptimizerGoldenTest, ChunksFollowTheReference) {
  const Golden golden = LoadGolden(GetParam().name);
  const auto made = MakeDenseOptimizer(ParseConfig(GetParam().config));
  ASSERT_TRUE(made.ok()) << made.status();
  std::vector<float> weights = golden.start[0];
  std::vector<float> state(made.value()->state_floats(weights.size()));
  made.value()->InitState(weights.size(), weights.data(), state.data());
  uint64_t steps = 0;

  for (size_t step = 0; step < golden.gradient.size(); ++step) {
    if (golden.present[step][0]) {
      made.value()->Apply(weights.size(), ++steps, golden.gradient[step][0].data(), weights.data(),
                          state.data());
    }
    for (size_t i = 0; i < weights.size(); ++i) {
      ExpectClose(golden.weights[step][i], weights[i], "step " + std::to_string(step));
    }
  }
}

std::string NameOf(const ::testing::TestParamInfo<GoldenCase>& tested) {
  return tested.param.name;
}

INSTANTIATE_TEST_SUITE_P(All, OptimizerGoldenTest, ::testing::ValuesIn(GoldenCases()), NameOf);
INSTANTIATE_TEST_SUITE_P(All, DenseOptimizerGoldenTest, ::testing::ValuesIn(DenseCases()), NameOf);

TEST(RowOptimizerTest, SizesStateByDim) {
  EXPECT_EQ(MakeRows("sgd_optimizer {}", 16)->state_floats(), 0U);
  EXPECT_EQ(MakeRows("rowwise_adagrad_optimizer {}", 16)->state_floats(), 1U);
  EXPECT_EQ(MakeRows("adagrad_optimizer {}", 16)->state_floats(), 16U);
  EXPECT_EQ(MakeRows("ftrl_optimizer {}", 16)->row_floats(), 48U);
  EXPECT_EQ(MakeRows("adam_optimizer {}", 16)->state_floats(), 33U);
  EXPECT_EQ(MakeRows("lazy_adam_optimizer { bias_step: GLOBAL }", 16)->state_floats(), 32U);
}

// An FTRL row whose first gradient is 0 keeps the weights that it was given, lasso or not.
TEST(RowOptimizerTest, FtrlKeepsInitialWeights) {
  for (const std::string config :
       {"ftrl_optimizer { l1_reg: 0.7 l2_reg: 0.1 }",
        "ftrl_optimizer { l1_reg: 0.7 initial_accumulator_value: 0.1 form: TENSORFLOW }",
        "group_ftrl_optimizer { l1_reg: 2 l2_reg: 0.1 }"}) {
    const auto optimizer = MakeRows(config, 3);
    std::vector<float> row = {0.25F, -0.5F, 0};
    row.resize(optimizer->row_floats());
    optimizer->InitState(row.data());
    const std::array<float*, 1> rows = {row.data()};
    const std::array<float, 3> no_gradient = {};

    optimizer->Apply(rows, no_gradient.data(), 1);

    EXPECT_NEAR(row[0], 0.25F, 1e-6) << config;
    EXPECT_NEAR(row[1], -0.5F, 1e-6) << config;
    EXPECT_NEAR(row[2], 0, 1e-6) << config;
  }
}

// The tabled rates of Adam's first steps and the computed ones after them are the same function.
TEST(RowOptimizerTest, AdamRowsMatchChunksOverThousandsOfSteps) {
  const std::string config = "adam_optimizer {}";
  const auto rows = MakeRows(config, 5);
  const auto chunks = MakeDenseOptimizer(ParseConfig(config)).value();
  std::vector<float> row(rows->row_floats(), 0.0F);
  std::vector<float> weights(5, 0.0F);
  std::vector<float> state(10, 0.0F);
  const std::array<float*, 1> pointers = {row.data()};
  Rng rng(7);

  for (uint64_t step = 1; step <= 3000; ++step) {
    std::array<float, 5> gradient;
    for (float& g : gradient) {
      g = static_cast<float>(rng.Normal());
    }
    rows->Apply(pointers, gradient.data(), 999);
    chunks->Apply(5, step, gradient.data(), weights.data(), state.data());
  }

  EXPECT_EQ(std::vector<float>(row.begin(), row.begin() + 5), weights);
  EXPECT_EQ(row.back(), 3000.0F);
}

TEST(RowOptimizerTest, RefusesNumbersOutOfRange) {
  const auto message = [](const std::string& config) {
    return MakeRowOptimizer(ParseConfig(config), 4).status().message();
  };

  EXPECT_THAT(message(""), HasSubstr("chooses no optimizer"));
  EXPECT_THAT(message("sgd_optimizer {" + Rate("-1") + "}"), HasSubstr("learning_rate is -1"));
  EXPECT_THAT(message("sgd_optimizer {" + Rate("nan") + "}"), HasSubstr("learning_rate is nan"));
  EXPECT_THAT(message("adam_optimizer { beta2: 1 }"), HasSubstr("expected a number in [0, 1)"));
  EXPECT_THAT(message("adagrad_optimizer { initial_accumulator_value: 0 }"),
              HasSubstr("initial_accumulator_value is 0"));
  EXPECT_THAT(message("ftrl_optimizer { form: TENSORFLOW }"), HasSubstr("divide by 0"));
}

TEST(DenseOptimizerTest, RefusesOptimizersOfWholeRows) {
  for (const std::string config : {"rowwise_adagrad_optimizer {}", "group_ftrl_optimizer {}"}) {
    const auto made = MakeDenseOptimizer(ParseConfig(config));

    EXPECT_EQ(made.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(made.status().message(), HasSubstr("give a second optimizer_config"));
  }
}

// A bias by FTRL, then a vector by `vector`.
TableSpec TwoSegments(const std::string& vector) {
  TableSpec table;
  table.set_dim(4);
  table.add_segments()->set_dim(1);
  *table.mutable_segments(0)->mutable_optimizer() =
      ParseConfig("ftrl_optimizer {" + Rate("0.1") + "}");
  table.add_segments()->set_dim(3);
  *table.mutable_segments(1)->mutable_optimizer() = ParseConfig(vector);
  return table;
}

TEST(SegmentedRowsTest, EachSegmentMovesAsARowOfItsOwn) {
  for (const std::string vector :
       {"rowwise_adagrad_optimizer {", "adam_optimizer {", "lazy_adam_optimizer {",
        "lazy_adam_optimizer { bias_step: GLOBAL ", "group_ftrl_optimizer {"}) {
    SCOPED_TRACE(vector);
    const std::string config = vector + Rate("0.1") + "}";
    const auto whole = MakeRowOptimizer(TwoSegments(config));
    ASSERT_TRUE(whole.ok()) << whole.status();
    const auto bias = MakeRows("ftrl_optimizer {" + Rate("0.1") + "}", 1);
    const auto embedding = MakeRows(config, 3);
    ASSERT_EQ((*whole)->state_floats(), bias->state_floats() + embedding->state_floats());
    std::vector<float> row((*whole)->row_floats(), 0.5F);
    std::vector<float> a(bias->row_floats(), 0.5F);
    std::vector<float> b(embedding->row_floats(), 0.5F);
    (*whole)->InitState(row.data());
    bias->InitState(a.data());
    embedding->InitState(b.data());
    Rng rng(3);

    for (uint64_t push = 1; push <= 20; ++push) {
      float gradients[8];  // of two rows, the first of which is absent
      for (float& gradient : gradients)
        gradient = static_cast<float>(rng.Normal());
      float* const rows[] = {nullptr, row.data()};
      (*whole)->Apply(rows, gradients, push);
      float* const row_a[] = {a.data()};
      float* const row_b[] = {b.data()};
      bias->Apply(row_a, gradients + 4, push);
      embedding->Apply(row_b, gradients + 5, push);
    }

    std::vector<float> expected = {a[0], b[0], b[1], b[2]};
    expected.insert(expected.end(), a.begin() + 1, a.end());
    expected.insert(expected.end(), b.begin() + 3, b.end());
    EXPECT_EQ(row, expected);
  }
}

}  // namespace
}  // namespace antiphon
