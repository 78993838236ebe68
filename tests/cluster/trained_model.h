// Trains a small job through a whole cluster in one process and reads what the servers then hold.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/base/types.h"
#include "proto/job.pb.h"
#include "proto/plan.pb.h"
#include "tools/local/local_cluster.h"

namespace antiphon {

struct TrainSetup {
  uint32_t servers = 1;
  uint32_t lanes = 1;
  uint32_t workers = 1;
  int compute_threads = 1;
  std::vector<std::string> overrides = {};  // of the small job
  std::string restore_dir = {};             // empty: from nothing
  std::string report_path = {};             // empty: no report
};

// The model's bits, by what they belong to: weights and optimizer state, without the rows' headers.
struct TrainedBits {
  TrainingPlan plan;
  std::map<std::pair<TableId, Key>, std::string> rows;
  std::map<std::pair<BlockId, uint32_t>, std::string> chunks;
};

// Of the newest snapshot in a folder of snapshots. Any error fails the test.
TrainedBits ReadTrainedBits(const std::string& snapshot_dir);

// The chunks of block `name`, one behind the other; empty when there is no such block.
std::string BlockBits(const TrainedBits& model, const std::string& name);

// Writes a job (an MMoE of two tasks on two ids and a number, 2,000 samples, 2 epochs) and its data
// into `folder`. Returns the job file's path.
std::string WriteSmallJob(const std::string& folder);

// The same data as rows of two scenes, "home" and "live", and a model on them. "home.csv" holds the
// rows of home alone. The last table of kPepNet is "domain": one row a scene.
enum class SceneModel { kUms, kStar, kPepNet };
std::string WriteSceneJob(const std::string& folder, SceneModel model = SceneModel::kUms);

// A cluster on the in-process transport that trains `job` as `setup` says. Its heartbeats are
// quick: they bring the news that a job is over, for which a test would otherwise wait half a
// second.
LocalClusterOptions ClusterFor(const Job& job, const TrainSetup& setup,
                               const std::string& snapshot_dir);

// Trains it and reads the snapshot that it leaves in `snapshot_dir`. Any error fails the test.
TrainedBits TrainSmallJob(const std::string& job_path, const std::string& snapshot_dir,
                          const TrainSetup& setup);

}  // namespace antiphon
