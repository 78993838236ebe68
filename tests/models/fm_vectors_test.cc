// FM alone against tests/golden/models/fm.json, where features have values that multiply them.
#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "models/model.h"
#include "models/tape/pair_ops.h"
#include "tests/support/golden_vector.h"

namespace antiphon {
namespace {

using nlohmann::json;

template <typename T>
class FmVectorTest : public testing::Test {
 protected:
  static constexpr double kTolerance = sizeof(T) == 8 ? 1e-9 : 1e-5;

  void ExpectClose(double actual, const json& expected) {
    const double value = expected.get<double>();
    EXPECT_NEAR(actual, value, kTolerance * (1 + std::abs(value)));
  }

  Gemm gemm_ = Gemm::Create(GemmBackend::kAuto);
  Tape<T> tape_{gemm_, BestKernelsOf<T>()};
};
using Numbers = testing::Types<float, double>;
TYPED_TEST_SUITE(FmVectorTest, Numbers);

TYPED_TEST(FmVectorTest, PairProductsEqualTheBiVector) {
  const json vector = LoadVector("fm_bi_vector");
  const json& e = vector["inputs"]["e"];
  const size_t rows = e.size();
  std::vector<TypeParam> x;
  for (const json& row : e) {
    for (const json& field : row)
      for (const json& value : field)
        x.push_back(value.get<TypeParam>());
  }
  std::vector<TypeParam> grad(x.size());
  GradBuffer<TypeParam> buffer{grad.data(), grad.size(), false};
  const uint32_t begins[] = {0, 3, 6, 9};
  const Var<TypeParam> leaf = this->tape_.Leaf(x.data(), rows, 12, kInputs, &buffer);

  const Var<TypeParam> b = PairProducts<TypeParam>(this->tape_, leaf, begins, 3);
  const json& delta = vector["inputs"]["delta"];
  this->tape_.RecordLoss([b, &delta](Tape<TypeParam>& t) {
    TypeParam* db = t.Grad(b);
    for (size_t i = 0; i < b.size(); ++i)
      db[i] += delta[i / 3][i % 3].get<TypeParam>();
  });
  this->tape_.Backward(kBoth);

  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < 3; ++c)
      this->ExpectClose(b.value[r * 3 + c], vector["outputs"]["bi_vector"][r][c]);
    for (size_t i = 0; i < 12; ++i)
      this->ExpectClose(grad[r * 12 + i], vector["grads"]["e"][r][i / 3][i % 3]);
  }
}

// The input of the model is what pooling makes: [sum of w val ; e val].
TYPED_TEST(FmVectorTest, ForwardAndEveryGradientEqualTheVector) {
  const json vector = LoadVector("fm");
  const json& in = vector["inputs"];
  const size_t rows = in["e"].size();
  std::vector<TypeParam> x;
  std::vector<TypeParam> label;
  const std::vector<TypeParam> weight(rows, 1);
  for (size_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (size_t i = 0; i < 4; ++i)
      sum += in["w"][r][i].get<double>() * in["val"][r][i].get<double>();
    x.push_back(static_cast<TypeParam>(sum));
    for (size_t i = 0; i < 12; ++i)
      x.push_back(static_cast<TypeParam>(in["e"][r][i / 3][i % 3].get<double>() *
                                         in["val"][r][i / 3].get<double>()));
    label.push_back(in["y"][r].get<TypeParam>());
  }
  ModelConfig config;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"(model_class: "FM" fm_model { task_towers { tower_name: "t" } })", &config));
  InputShape shape{.width = 13, .linear = 1};
  shape.fields = {{1, 3}, {4, 3}, {7, 3}, {10, 3}};
  BlockList blocks;
  const auto model = MakeModel<TypeParam>(config, shape, blocks);
  ASSERT_EQ(blocks.specs().size(), 1U);  // the bias
  std::vector<TypeParam> bias = {vector["params"]["w0"][0].get<TypeParam>()};
  std::vector<TypeParam> bias_grad(1);
  std::vector<TypeParam> grad(x.size());
  GradBuffer<TypeParam> bias_buffer{bias_grad.data(), 1, false};
  GradBuffer<TypeParam> buffer{grad.data(), grad.size(), false};
  const Var<TypeParam> block = this->tape_.Leaf(bias.data(), 1, 1, kParameters, &bias_buffer);
  std::vector<Var<TypeParam>> logits(1);

  model->Forward({.tape = this->tape_, .blocks = std::span(&block, 1), .dropout = {}},
                 this->tape_.Leaf(x.data(), rows, 13, kInputs, &buffer), logits);
  const std::vector<Target<TypeParam>> targets = {{label.data(), weight.data()}};
  const std::vector<TypeParam> scales = {TypeParam{1} / static_cast<TypeParam>(rows)};
  std::vector<double> sums(1);
  model->Losses(this->tape_, logits, targets, scales, sums);
  this->tape_.Backward(kBoth);

  const json& grads = vector["grads"];
  this->ExpectClose(sums[0] / static_cast<double>(rows), vector["outputs"]["loss"]);
  this->ExpectClose(bias_grad[0], grads["w0"][0]);
  for (size_t r = 0; r < rows; ++r) {
    const TypeParam* g = grad.data() + r * 13;
    this->ExpectClose(logits[0].value[r], vector["outputs"]["fm_logit"][r]);
    for (size_t i = 0; i < 4; ++i) {
      const double val = in["val"][r][i].get<double>();
      double dval = in["w"][r][i].get<double>() * g[0];
      for (size_t c = 0; c < 3; ++c) {
        this->ExpectClose(val * g[1 + i * 3 + c], grads["e"][r][i][c]);
        dval += in["e"][r][i][c].get<double>() * g[1 + i * 3 + c];
      }
      this->ExpectClose(val * g[0], grads["w"][r][i]);
      this->ExpectClose(dval, grads["val"][r][i]);
    }
  }
}

}  // namespace
}  // namespace antiphon
