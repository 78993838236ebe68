#include "scheduler/sample_age_log.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace antiphon {
namespace {

constexpr Duration kShortest = std::chrono::milliseconds(100);
constexpr int kShareOfAge = 16;

}  // namespace

void SampleAgeLog::Add(Time at, const AgeHistogram& ages) {
  if (ages.count() == 0) {
    return;
  }
  if (!parts_.empty() && at - parts_.back().first <= kShortest) {
    parts_.back().last = std::max(parts_.back().last, at);
    parts_.back().ages.Merge(ages);
    return;
  }
  parts_.push_back({.first = at, .last = at, .ages = ages});
  PutOldPartsTogether(at);
}

void SampleAgeLog::PutOldPartsTogether(Time now) {
  size_t kept = 0;
  for (size_t i = 1; i < parts_.size(); ++i) {
    Part& before = parts_[kept];
    Part& part = parts_[i];
    if (part.last - before.first <= std::max(kShortest, (now - part.last) / kShareOfAge)) {
      before.last = part.last;
      before.ages.Merge(part.ages);
    } else if (++kept != i) {
      parts_[kept] = part;
    }
  }
  parts_.resize(kept + 1);
}

AgeHistogram SampleAgeLog::Cut(Time at) {
  std::ranges::copy(parts_, std::back_inserter(before_cut_));
  parts_ = std::exchange(before_cut_, {});
  if (!parts_.empty()) {
    PutOldPartsTogether(at);
  }
  before_cut_ = std::exchange(parts_, {});
  AgeHistogram ages;
  for (const Part& part : before_cut_) {
    const Duration since = at - (part.first + (part.last - part.first) / 2);
    ages.MergeOlder(part.ages,
                    std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
  }
  return ages;
}

void SampleAgeLog::Clear() {
  before_cut_.clear();
  parts_.clear();
}

}  // namespace antiphon
