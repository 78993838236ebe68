// What a Version of the library has inside, for the sources of the library.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "serving/library/serving.h"
#include "serving/served_model.h"

namespace antiphon::serving {

// What scoring by a model takes and gives; the same for all models with one plan.
struct ModelFace {
  std::vector<std::string> tasks;
  std::vector<std::string> fields;
};

// Fails when a model of this kind cannot be scored with.
StatusOr<ModelFace> MakeFace(const ServedModel& model);

// Puts the message where the caller wants it, if anywhere.
void Put(const Status& status, std::string* error);

struct Version::Inside {
  std::shared_ptr<const ServedModel> model;
  std::shared_ptr<const ModelFace> face;
};

}  // namespace antiphon::serving
