// What a trained model of WriteSceneJob makes of some rows of one scene, whose users and items are
// rows of tables that are the same for every model. Belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/model_runner.h"
#include "tests/cluster/trained_model.h"

namespace antiphon {

class SceneScorer {
 public:
  // The job as the model was trained with it. An error fails the test.
  SceneScorer(const TrainedBits& model, const std::string& job_path,
              const std::vector<std::string>& overrides);

  // [measure][row]
  std::vector<std::vector<float>> Score(uint32_t scene);

 private:
  std::vector<std::vector<float>> blocks_;
  std::vector<std::span<const float>> block_views_;
  std::unique_ptr<ModelRunner> runner_;
};

}  // namespace antiphon
