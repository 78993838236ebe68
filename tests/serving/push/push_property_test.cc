// Chains of versions over a log that loses, doubles, holds back, cuts and damages records and mixes
// in old ones and those of another model: at every swap, and at the end, the served table is the
// trainer's.
#include <deque>

#include <gtest/gtest.h>

#include "serving/push/version_receiver.h"
#include "tests/serving/push/pushed_chain.h"

namespace antiphon {
namespace {

constexpr uint64_t kChainsAShard = 1000;
constexpr uint64_t kModel = 0x5eed;

// What happens to a record on its way.
class FaultyLog {
 public:
  // `severity`: the chance of each fault.
  FaultyLog(uint64_t seed, double severity)
      : rng_(seed), severity_(severity), other_(kModel + 1, seed) {}

  void Send(const std::vector<std::string>& records) {
    for (const std::string& record : records) {
      sent_.push_back(record);
      if (rng_.Chance(severity_)) {
        under_way_.push_back(Stranger());
      }
      if (!rng_.Chance(severity_)) {
        Place(rng_.Chance(severity_) ? Damaged(record) : record);
      }
      if (rng_.Chance(severity_)) {
        Place(record);
      }
    }
  }

  // The next record that arrives; false: nothing is under way but what is held back.
  bool Receive(std::string& record) {
    if (under_way_.empty()) {
      return false;
    }
    record = under_way_.front();
    under_way_.pop_front();
    return true;
  }

 private:
  // At the end, or some places before it: then others have been held back.
  void Place(const std::string& record) {
    const uint64_t back = rng_.Chance(severity_) ? rng_.Below(under_way_.size() + 1) : 0;
    under_way_.insert(under_way_.end() - static_cast<int64_t>(back), record);
  }

  std::string Damaged(const std::string& record) {
    if (rng_.Chance(0.5)) {
      return record.substr(0, rng_.Below(record.size()));
    }
    std::string flipped = record;
    flipped[rng_.Below(record.size())] ^= static_cast<char>(1 << rng_.Below(8));
    return flipped;
  }

  // An old record, or one of another model.
  std::string Stranger() {
    if (rng_.Chance(0.5)) {
      return sent_[rng_.Below(sent_.size())];
    }
    const std::vector<std::string> records = other_.NextStep();
    return records[rng_.Below(records.size())];
  }

  Rng rng_;
  const double severity_;
  PushedChain other_;
  std::vector<std::string> sent_;
  std::deque<std::string> under_way_;
};

class PushPropertyTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  // Lets `log` deliver `most` records, and serves what comes of them.
  void Deliver(FaultyLog& log, size_t most) {
    std::string record;
    while (most-- > 0 && log.Receive(record)) {
      receiver_->Take(std::as_bytes(std::span(record)));
      Serve();
    }
  }

  void Serve() {
    while (const std::optional<ReceivedVersion> version = receiver_->Next()) {
      const Status applied = server_.Apply(*version);
      ASSERT_TRUE(applied.ok()) << applied;
      ASSERT_EQ(server_.table(), chain_->TableOf(version->signature.version()));
    }
  }

  void RunChain(uint64_t seed) {
    Rng rng(seed);
    chain_.emplace(kModel, rng.Next());
    receiver_.emplace(ReceiverOptions{.model_id = chain_->model_id()});
    server_ = SmallServer();
    FaultyLog log(rng.Next(), rng.Uniform() * 0.2);
    for (uint64_t versions = 3 + rng.Below(6); versions > 0; --versions) {
      log.Send(rng.Chance(0.15) ? chain_->NextFull() : chain_->NextStep());
      Deliver(log, rng.Below(12));
      if (receiver_->needs_full() && rng.Chance(0.5)) {
        log.Send(chain_->FullAgain());
      }
    }
    Deliver(log, SIZE_MAX);
    // The log is good again; whatever it has lost, the next version shows it.
    FaultyLog good(rng.Next(), 0);
    good.Send(chain_->NextStep());
    Deliver(good, SIZE_MAX);
    if (receiver_->needs_full()) {
      good.Send(chain_->FullAgain());
      Deliver(good, SIZE_MAX);
    }
    ASSERT_EQ(receiver_->served(), chain_->position());
    ASSERT_EQ(server_.table(), chain_->TableOf(chain_->position()->version));
    ASSERT_FALSE(receiver_->needs_full()) << receiver_->need();
    ASSERT_EQ(receiver_->waiting_bytes(), 0U);
  }

  void Count() {
    const ReceiverCounts& counts = receiver_->counts();
    total_.taken += counts.taken;
    total_.early += counts.early;
    total_.duplicate += counts.duplicate;
    total_.stale += counts.stale;
    total_.torn += counts.torn;
    total_.wrong_model += counts.wrong_model;
    total_.missing += counts.missing;
    total_.versions += counts.versions;
  }

  std::optional<PushedChain> chain_;
  std::optional<VersionReceiver> receiver_;
  SmallServer server_;
  ReceiverCounts total_;
};

TEST_P(PushPropertyTest, ServesWhatTheTrainerHad) {
  for (uint64_t i = 0; i < kChainsAShard; ++i) {
    const uint64_t seed = GetParam() * kChainsAShard + i;
    SCOPED_TRACE("seed " + std::to_string(seed));

    RunChain(seed);

    if (HasFatalFailure()) {
      return;
    }
    Count();
  }
  // Every kind of fault has been met, and told apart.
  for (const uint64_t count : {total_.early, total_.duplicate, total_.stale, total_.torn,
                               total_.wrong_model, total_.missing}) {
    EXPECT_GT(count, kChainsAShard / 10);
  }
  EXPECT_GT(total_.versions, 3 * kChainsAShard);
}

INSTANTIATE_TEST_SUITE_P(TenThousandChains, PushPropertyTest, ::testing::Range<uint64_t>(0, 10));

}  // namespace
}  // namespace antiphon
