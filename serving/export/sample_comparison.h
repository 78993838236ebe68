// SampleComparison: what a version says of samples beside what the trainer says of them.
//
// Reads a file of samples once and scores every row by the snapshot and by the version, both with
// the trainer's own forward pass; outside scorers have scored the same rows before. Owned by one
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/math/ranking_metrics.h"
#include "scoring/named_rows.h"
#include "scoring/scorer.h"

namespace antiphon {

// One measure, as one scorer has it.
struct Comparison {
  uint64_t samples = 0;
  double largest = 0;  // difference; NaN and infinity where a prediction is none
  RankingMetrics trained;
  RankingMetrics served;

  void Add(float by_trainer, float by_version);
  // Of a probability whose label is known.
  void AddLabel(float by_trainer, float by_version, bool positive);
};

// What an outside scorer printed: [measure][sample].
struct OutsideScores {
  std::string name;
  std::vector<std::vector<float>> scores;
};

class SampleComparison {
 public:
  // `trained` and `served` outlive this and have the same measures.
  SampleComparison(Scorer& trained, Scorer& served, const std::vector<OutsideScores>& outside)
      : trained_(trained), served_(served), outside_(outside) {}

  // [scorer][measure]: first the version's own, then the outside ones. kFailedPrecondition: one of
  // these has more or fewer scores than there are samples.
  StatusOr<std::vector<std::vector<Comparison>>> Run(NamedRows rows);

 private:
  void Compare();
  void CompareWith(const std::vector<std::vector<float>>& scores, size_t first,
                   std::vector<Comparison>& comparisons);
  Status CheckOutside() const;

  Scorer& trained_;
  Scorer& served_;
  const std::vector<OutsideScores>& outside_;
  const std::vector<std::vector<float>>* by_trainer_ = nullptr;  // of the rows that are compared
  uint32_t rows_ = 0;                                            // that are compared
  uint64_t samples_ = 0;                                         // before them
  std::vector<std::vector<Comparison>> comparisons_;
};

// Sets the values of the fields that `scorer` needs to those of the row; the others stay.
Status FillValues(const NamedRows& rows, const Scorer& scorer,
                  std::vector<std::string_view>& values);

// Writes the samples for outside scorers: CSV with commas and a header of the fields that `scorer`
// needs.
Status WritePlainSamples(FileSystem& fs, NamedRows rows, const Scorer& scorer,
                         const std::string& path);

}  // namespace antiphon
