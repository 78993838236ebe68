// Can the truth be found from what the samples show? A logistic regression on attributes, and then
// on attributes and ids, has to get most of the way; what is left needs interactions.
#include <array>
#include <cmath>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "simulation/auc.h"
#include "simulation/platform.h"

namespace antiphon {
namespace {

enum class Inputs { kContentOnly, kAttributes, kAttributesAndIds };

// One weight an input value, trained by Adagrad, one pass.
class LogisticRegression {
 public:
  LogisticRegression(Inputs inputs, const PlatformOptions& options)
      : inputs_(inputs),
        weights_(kFirstUser + static_cast<size_t>(options.users + options.hosts), 0.0),
        squares_(weights_.size(), 0.1) {}

  double Score(const Showing& showing) {
    CollectValues(showing);
    double logit = 0;
    for (const Value& value : values_) {
      logit += weights_[value.index] * value.amount;
    }
    return logit;
  }

  void Learn(const Showing& showing, bool label) {
    const double error = 1 / (1 + std::exp(-Score(showing))) - (label ? 1 : 0);
    for (const Value& value : values_) {
      const double gradient = error * value.amount;
      squares_[value.index] += gradient * gradient;
      weights_[value.index] -= kRate * gradient / std::sqrt(squares_[value.index]);
    }
  }

 private:
  struct Value {
    size_t index;
    double amount;
  };
  static constexpr double kRate = 0.1;
  static constexpr size_t kSpan = 64;  // values of one attribute or one cross
  static constexpr size_t kAttributes = 9;
  static constexpr size_t kFirstFloat = kAttributes * kSpan;
  static constexpr size_t kFirstUser = kFirstFloat + 2 * kVectorDims + 1;

  void CollectValues(const Showing& showing) {
    const User& user = *showing.user;
    const Host& host = *showing.host;
    values_.clear();
    const auto& avatar = host.avatars.at(static_cast<size_t>(showing.avatar));
    const auto& text = host.texts.at(static_cast<size_t>(showing.text));
    for (size_t i = 0; i < kVectorDims; ++i) {
      values_.push_back({kFirstFloat + i, avatar[i]});
      values_.push_back({kFirstFloat + kVectorDims + i, text[i]});
    }
    values_.push_back({kFirstUser - 1, 1});
    if (inputs_ == Inputs::kContentOnly) {
      return;
    }
    const std::array<int, kAttributes> attributes = {
        user.age_band,
        user.city,
        user.device,
        user.favourite * kCategoryCount + host.category,
        user.language * kLanguageCount + host.language,
        host.level,
        showing.position,
        static_cast<int>(showing.scene) * kCategoryCount + host.category,
        static_cast<int>(std::log1p(static_cast<double>(host.fans)) * 2)};
    for (size_t i = 0; i < attributes.size(); ++i) {
      values_.push_back({i * kSpan + static_cast<size_t>(attributes[i]), 1});
    }
    if (inputs_ == Inputs::kAttributesAndIds) {
      const size_t users = weights_.size() - kFirstUser;
      values_.push_back({kFirstUser + user.id, 1});
      values_.push_back({kFirstUser + users - 1 - host.id, 1});
    }
  }

  Inputs inputs_;
  std::vector<Value> values_;
  std::vector<double> weights_;
  std::vector<double> squares_;
};

class LearnabilityTest : public testing::Test {
 protected:
  LearnabilityTest() {
    StatusOr<std::unique_ptr<Platform>> platform =
        Platform::Create({.seed = 2, .days = 4, .users = 600, .hosts = 100});
    CHECK(platform.ok()) << platform.status();
    platform_ = std::move(platform).value();
    std::vector<Impression> request;
    for (int64_t i = 0; i < kStream.requests; ++i) {
      platform_->DrawRequest(kStream, i, request);
      std::vector<Impression>& part = i % 4 == 0 ? held_out_ : train_;
      part.insert(part.end(), request.begin(), request.end());
    }
  }

  // AUC of the click on held-out requests, as a share of what the truth reaches there.
  double ShareOfAttainable(Inputs inputs) {
    constexpr auto kClick = static_cast<size_t>(Task::kClick);
    LogisticRegression model(inputs, platform_->options());
    for (const Impression& impression : train_) {
      model.Learn(impression.showing, impression.labels[kClick]);
    }
    std::vector<ChanceAndLabel> scored;
    std::vector<ChanceAndLabel> known;
    for (const Impression& impression : held_out_) {
      const bool label = impression.labels[kClick];
      scored.push_back({.chance = model.Score(impression.showing), .label = label});
      known.push_back({.chance = impression.chances.click, .label = label});
    }
    return (*AucOfLabels(scored) - 0.5) / (*AucOfLabels(known) - 0.5);
  }

  static constexpr RequestStream kStream = {.requests = 20000};
  std::unique_ptr<Platform> platform_;
  std::vector<Impression> train_;
  std::vector<Impression> held_out_;
};

TEST_F(LearnabilityTest, AttributesExplainMostAndIdsAddToThem) {
  const double by_attributes = ShareOfAttainable(Inputs::kAttributes);
  const double by_ids_too = ShareOfAttainable(Inputs::kAttributesAndIds);

  EXPECT_GT(by_attributes, 0.75);
  EXPECT_LT(by_attributes, 0.95);
  EXPECT_GT(by_ids_too, by_attributes);
}

TEST_F(LearnabilityTest, AvatarsAndTextsAloneTellSomething) {
  const double by_content = ShareOfAttainable(Inputs::kContentOnly);

  EXPECT_GT(by_content, 0.15);
  EXPECT_LT(by_content, 0.6);
}

}  // namespace
}  // namespace antiphon
