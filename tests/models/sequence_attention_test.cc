#include "models/sequence_attention.h"

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/golden_vector.h"

namespace antiphon {
namespace {

using nlohmann::json;
using testing::ElementsAre;

std::vector<uint32_t> Offsets(const Segments& segments) {
  return {segments.offsets, segments.offsets + segments.count + 1};
}

TEST(CutSegmentsTest, TheNewestItemsAreTheShortSegment) {
  const Gemm gemm = Gemm::Create(GemmBackend::kEigen);
  Tape<float> tape(gemm, BestKernels());
  const uint32_t offsets[] = {0, 0, 2, 5, 15};  // rows of 0, 2, 3 and 10 items

  const SegmentedItems cut = CutSegments(tape, {offsets, 4}, 2, 3);

  EXPECT_THAT(Offsets(cut.rows), ElementsAre(0, 0, 1, 3, 7));
  EXPECT_THAT(Offsets(cut.segments), ElementsAre(0, 2, 3, 5, 7, 10, 13, 15));
}

template <typename T>
struct Matrix {
  Matrix(const json& rows, size_t cols) : width(cols) { Append(rows); }
  void Append(const json& value) {
    if (value.is_number()) {
      values.push_back(value.get<T>());
      return;
    }
    for (const json& element : value)
      Append(element);
  }
  Var<T> On(Tape<T>& tape, Gradients depends) {
    grads.resize(values.size());
    buffer = {grads.data(), grads.size(), false};
    return tape.Leaf(values.data(), values.size() / width, width, depends, &buffer);
  }

  size_t width;
  std::vector<T> values;
  std::vector<T> grads;
  GradBuffer<T> buffer;
};

// tests/golden/models/hierarchical_attention.json, whose padding is left out as items that are not
// there.
template <typename T>
class AttentionVector {
 public:
  explicit AttentionVector(double tolerance) : tolerance_(tolerance) {
    vector_ = LoadVector("hierarchical_attention");
    ReadItems(vector_["inputs"]["h"]);
  }

  void Check() {
    SequenceFeatures config;
    config.mutable_attention_dnn()->add_hidden_units(3);
    config.mutable_segments()->set_attention_dim(2);
    BlockList blocks;
    const SequenceAttention attention({.name = "a", .dim = 3, .outputs = 2}, config, blocks);
    const std::map<std::string, std::string> names = {{"a.score.0.weight", "att.0.W"},
                                                      {"a.score.0.bias", "att.0.b"},
                                                      {"a.score.logit.weight", "att.1.W"},
                                                      {"a.score.logit.bias", "att.1.b"},
                                                      {"a.query", "Wq"},
                                                      {"a.key", "Wk"},
                                                      {"a.value", "Wv"}};
    std::vector<Matrix<T>> parameters;
    for (const BlockSpec& block : blocks.specs())
      parameters.emplace_back(vector_["params"][names.at(block.name())], block.cols());
    std::vector<Var<T>> vars;
    for (Matrix<T>& parameter : parameters)
      vars.push_back(parameter.On(tape_, kParameters));
    Matrix<T> items(items_, 3);
    Matrix<T> target(vector_["inputs"]["t"], 3);
    const Pass<T> pass{.tape = tape_, .blocks = vars, .dropout = {}};

    const Var<T> out = attention.AttendTwice(
        pass, items.On(tape_, kInputs),
        {{segments_.data(), static_cast<uint32_t>(segments_.size() - 1)}, {rows_.data(), 5}},
        target.On(tape_, kInputs));
    const Matrix<T> delta(vector_["inputs"]["delta"], 2);
    tape_.RecordLoss([out, from = delta.values.data()](Tape<T>& t) {
      std::copy_n(from, out.size(), t.Grad(out));
    });
    tape_.Backward(kBoth);

    ExpectClose({out.value, out.size()}, Matrix<T>(vector_["outputs"]["out"], 2).values, "out");
    for (size_t i = 0; i < parameters.size(); ++i) {
      const std::string& name = names.at(blocks.specs()[i].name());
      ExpectClose(parameters[i].grads, Matrix<T>(vector_["grads"][name], 1).values, name);
    }
    ExpectClose(target.grads, Matrix<T>(vector_["grads"]["t"], 3).values, "t");
    ReadItems(vector_["grads"]["h"]);
    ExpectClose(items.grads, Matrix<T>(items_, 3).values, "h");
  }

 private:
  // The items that the mask lets through, and where segments and rows end; no empty segments.
  void ReadItems(const json& h) {
    items_ = json::array();
    segments_ = {0};
    rows_ = {0};
    for (size_t row = 0; row < h.size(); ++row) {
      for (size_t segment = 0; segment < h[row].size(); ++segment) {
        for (size_t i = 0; i < h[row][segment].size(); ++i) {
          if (vector_["inputs"]["mask"][row][segment][i] == 1)
            items_.push_back(h[row][segment][i]);
        }
        if (items_.size() > segments_.back())
          segments_.push_back(static_cast<uint32_t>(items_.size()));
      }
      rows_.push_back(static_cast<uint32_t>(segments_.size() - 1));
    }
  }

  void ExpectClose(std::span<const T> actual, const std::vector<T>& expected,
                   const std::string& what) const {
    ASSERT_EQ(actual.size(), expected.size()) << what;
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(actual[i], expected[i], tolerance_ * (1 + std::abs(expected[i])))
          << what << " " << i;
    }
  }

  double tolerance_;
  json vector_;
  json items_;
  std::vector<uint32_t> segments_;
  std::vector<uint32_t> rows_;
  Gemm gemm_ = Gemm::Create(GemmBackend::kAuto);
  Tape<T> tape_{gemm_, BestKernelsOf<T>()};
};

TEST(SequenceAttentionTest, HoldsTheReferenceVectorInDouble) {
  AttentionVector<double>(1e-9).Check();
}

TEST(SequenceAttentionTest, HoldsTheReferenceVectorInFloat) {
  AttentionVector<float>(1e-5).Check();
}

}  // namespace
}  // namespace antiphon
