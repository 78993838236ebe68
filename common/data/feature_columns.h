// Which features of a job are ids and which are numbers, what they are called, and in which column
// of a Batch they stand. One answer for the models, the readers and serving. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/job.pb.h"

namespace antiphon {

// Not a RawFeature, or one with boundaries: it reads rows of a table.
bool IsCategorical(const FeatureConfig& feature);

// TagFeature and SequenceFeature: several values in one field.
bool HasSeveralValues(const FeatureConfig& feature);

// Whether the job leaves something of the feature to be learnt from a pass over the data: a
// vocabulary, a range, a mean and spread.
bool NeedsFitting(const FeatureConfig& feature);

// Its own name, or that of its input.
const std::string& FeatureName(const FeatureConfig& feature);

// The table that a categorical feature reads: embedding_name, or the feature's name.
const std::string& TableName(const FeatureConfig& feature);

// Column order of a Batch. Both lists hold indexes of the job's features, ascending.
struct FeatureColumns {
  std::vector<uint32_t> sparse;        // sparse column -> feature
  std::vector<uint32_t> dense;         // numeric features, in the order of their columns
  std::vector<uint32_t> dense_offset;  // of dense[i]: its first column of Batch::dense
  uint32_t dense_width = 0;
};
FeatureColumns OrderFeatureColumns(const FeatureConfigs& config);

// The input field with this name; -1 when there is none.
int FindInputField(const DataConfig& data, const std::string& name);

}  // namespace antiphon
