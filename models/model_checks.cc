#include "models/model_checks.h"

#include "models/model_config.h"

namespace antiphon {
namespace {

constexpr uint64_t kMaxUnits = 65536;
constexpr uint64_t kMaxExperts = 1024;
constexpr uint64_t kMaxEmbeddingDim = 4096;
constexpr int kMaxLayers = 64;

}  // namespace

void ModelChecks::NeedsLayers(const std::string& field, const DNN& dnn) const {
  CheckLayers(Path(field), dnn, Layers::kNeeded, fields_);
}

void ModelChecks::Experts(const std::string& field, uint32_t count) const {
  fields_.Range(Path(field), uint64_t{count}, 1, kMaxExperts);
}

void ModelChecks::EmbeddingDim(const std::string& field, uint32_t dim) const {
  fields_.Range(Path(field), uint64_t{dim}, 1, kMaxEmbeddingDim);
}

void ModelChecks::NeedsScenes() const {
  if (!job_.data_config().has_scene_field()) {
    fields_.Add("model_config.model_class", "\"" + job_.model_config().model_class() +
                                                "\" has parts of single scenes, expected a "
                                                "data_config.scene_field with its scenes");
  }
}

void CheckLayers(const std::string& path, const DNN& dnn, Layers need, FieldChecks& fields) {
  const int layers = dnn.hidden_units_size();
  if (layers > kMaxLayers || (layers == 0 && need == Layers::kNeeded)) {
    fields.Add(path + ".hidden_units", GotExpected(std::to_string(layers) + " layers",
                                                   "1 to " + std::to_string(kMaxLayers)));
  }
  for (int i = 0; i < layers; ++i) {
    fields.Range(ElementPath(path + ".hidden_units", i), uint64_t{dnn.hidden_units(i)}, 1,
                 kMaxUnits);
  }
  const int ratios = dnn.dropout_ratio_size();
  if (ratios > 1 && ratios != layers) {
    fields.Add(path + ".dropout_ratio",
               GotExpected(std::to_string(ratios) + " ratios",
                           "none, one, or one for each of " + std::to_string(layers) + " layers"));
  }
  for (int i = 0; i < ratios; ++i) {
    const float ratio = dnn.dropout_ratio(i);
    if (!(ratio >= 0 && ratio < 1)) {
      fields.Add(ElementPath(path + ".dropout_ratio", i),
                 GotExpected(NumberText(ratio), "at least 0 and below 1"));
    }
  }
  if (!ParseActivation(dnn.activation()).has_value()) {
    fields.Known(path + ".activation", dnn.activation(), "activation",
                 {"linear", "relu", "sigmoid", "tanh", "prelu"});
  }
}

}  // namespace antiphon
