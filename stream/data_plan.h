// PlanData: what a worker learns from the data once, before anybody trains.
//
// One pass over the training files counts records, cuts them into partitions, between requests
// where the job has any, and fits what the features leave open; one over the evaluation files
// counts. Partitions of training epoch e have stage 2e, those of the evaluation after it stage 2e +
// 1; eval_config.when says which evaluations there are. Every process that plans the same data gets
// the same plan.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "proto/job.pb.h"
#include "proto/plan.pb.h"

namespace antiphon {

struct DataPlan {
  std::vector<FeatureStatistics> features;  // in the order of the job's features
  std::vector<Partition> partitions;        // all epochs, stages ascending
  uint64_t train_records = 0;               // of one epoch
  uint64_t eval_records = 0;                // of one evaluation
};

// The job has passed CheckJob; `folder` is that of the job file. Fails when a path matches no
// file, a file has no records, a header lacks a used column, or a feature cannot be fitted.
// `streams` are the open-ended partitions of a job that has any: a stage behind all epochs of its
// files, followed by an evaluation once all of them have ended.
StatusOr<DataPlan> PlanData(const Job& job, const std::string& folder, FileSystem& fs,
                            const std::vector<Partition>& streams = {});

// Adds what vocab_files hold to the statistics of their features, which are in the job's order.
// They travel with the plan: a worker or a server of models needs only that.
Status ReadVocabularyFiles(const Job& job, const std::string& folder, FileSystem& fs,
                           std::vector<FeatureStatistics>& statistics);

}  // namespace antiphon
