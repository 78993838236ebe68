#include "models/model.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <google/protobuf/descriptor.h>

#include "models/deepfm.h"
#include "models/dnn.h"
#include "models/extended_model.h"
#include "models/funnel.h"
#include "models/lr.h"
#include "models/mmoe.h"
#include "models/model_checks.h"
#include "models/model_config.h"
#include "models/pepnet.h"
#include "models/ple.h"
#include "models/shared_bottom.h"
#include "models/star.h"
#include "models/ums.h"

namespace antiphon {
namespace {

using google::protobuf::FieldDescriptor;

// A class template together with the name that jobs know it by.
template <template <typename> class ModelTemplate>
struct Choice {
  template <typename T>
  using Class = ModelTemplate<T>;

  const char* name;
};

// All models there are: calls visit(choice, message) for the one whose message is this field of
// ModelConfig, or returns an empty result.
template <typename Visit>
auto VisitModel(int field, const ModelConfig& config, const Visit& visit)
    -> decltype(visit(Choice<LrModel>(), config.lr())) {
  switch (field) {
    case ModelConfig::kLrFieldNumber:
      return visit(Choice<LrModel>{"LR"}, config.lr());
    case ModelConfig::kDnnModelFieldNumber:
      return visit(Choice<DnnTowers>{"DNN"}, config.dnn_model());
    case ModelConfig::kSharedBottomFieldNumber:
      return visit(Choice<SharedBottomModel>{"SharedBottom"}, config.shared_bottom());
    case ModelConfig::kMmoeFieldNumber:
      return visit(Choice<MmoeModel>{"MMoE"}, config.mmoe());
    case ModelConfig::kEsmmFieldNumber:
      return visit(Choice<FunnelModel>{"ESMM"}, config.esmm());
    case ModelConfig::kPleFieldNumber:
      return visit(Choice<PleModel>{"PLE"}, config.ple());
    case ModelConfig::kFunnelFieldNumber:
      return visit(Choice<FunnelModel>{"Funnel"}, config.funnel());
    case ModelConfig::kUmsFieldNumber:
      return visit(Choice<UmsModel>{"UMS"}, config.ums());
    case ModelConfig::kStarFieldNumber:
      return visit(Choice<StarModel>{"STAR"}, config.star());
    case ModelConfig::kPepnetFieldNumber:
      return visit(Choice<PepNetModel>{"PEPNet"}, config.pepnet());
    case ModelConfig::kFmModelFieldNumber:
      return visit(Choice<DeepFmModel>{"FM"}, config.fm_model());
    case ModelConfig::kDeepfmFieldNumber:
      return visit(Choice<DeepFmModel>{"DeepFM"}, config.deepfm());
    default:
      return {};
  }
}

std::string_view ClassName(const FieldDescriptor& field) {
  return VisitModel(field.number(), ModelConfig::default_instance(),
                    [](const auto& choice, const auto&) { return std::string_view(choice.name); });
}

}  // namespace

bool InputScene::HasTask(const std::string& tower_name) const {
  return tasks.empty() || std::find(tasks.begin(), tasks.end(), tower_name) != tasks.end();
}

std::vector<ModelField> ModelFields() {
  std::vector<ModelField> fields;
  for (int i = 0; i < ModelConfig::descriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *ModelConfig::descriptor()->field(i);
    const std::string_view name = ClassName(field);
    if (!name.empty()) {
      fields.push_back({std::string(name), &field});
    }
  }
  return fields;
}

const FieldDescriptor* FindModelField(std::string_view model_class) {
  for (const ModelField& field : ModelFields()) {
    if (field.model_class == model_class) {
      return field.field;
    }
  }
  return nullptr;
}

bool CheckModelMessage(const ModelConfig& config, const ModelChecks& checks) {
  return VisitModel(FindModelField(config.model_class())->number(), config,
                    [&checks](const auto& choice, const auto& message) {
                      std::decay_t<decltype(choice)>::template Class<float>::Check(message, checks);
                      return true;
                    });
}

RowParts RowPartsOf(const ModelConfig& config) {
  if (config.has_fm()) {
    const Fm& fm = config.fm();
    const bool summed = fm.mode() == Fm::LOGIT;
    return {.linear = summed ? static_cast<uint32_t>(Towers(config).size()) : 1,
            .summed = summed,
            .linear_optimizer =
                fm.has_linear_optimizer_config() ? &fm.linear_optimizer_config() : nullptr};
  }
  return VisitModel(FindModelField(config.model_class())->number(), config,
                    [](const auto& choice, const auto& message) {
                      return std::decay_t<decltype(choice)>::template Class<float>::Parts(message);
                    });
}

std::vector<TaskEvent> TaskEventsOf(const ModelConfig& config) {
  return VisitModel(FindModelField(config.model_class())->number(), config,
                    [](const auto& choice, const auto& message) {
                      return std::decay_t<decltype(choice)>::template Class<float>::Events(message);
                    });
}

SharedPart SharedPartOf(const ModelConfig& config) {
  return VisitModel(FindModelField(config.model_class())->number(), config,
                    [](const auto& choice, const auto& message) {
                      return std::decay_t<decltype(choice)>::template Class<float>::Shares(message);
                    });
}

template <typename T>
std::unique_ptr<Model<T>> MakeModel(const ModelConfig& config, const InputShape& input,
                                    BlockList& blocks) {
  const FieldDescriptor* field = FindModelField(config.model_class());
  CHECK(field != nullptr) << "the job was not checked";
  const auto make = [&](const InputShape& shape) {
    std::unique_ptr<Model<T>> model =
        VisitModel(field->number(), config,
                   [&](const auto& choice, const auto& message) -> std::unique_ptr<Model<T>> {
                     using Class = typename std::decay_t<decltype(choice)>::template Class<T>;
                     return std::make_unique<Class>(message, shape, blocks);
                   });
    model->set_losses(LossSpecs(config));
    return model;
  };
  if (!config.has_triplet() && !config.has_fm()) {
    return make(input);
  }
  InputShape shape = input;
  std::optional<TripletInput> triplet;
  if (config.has_triplet()) {
    triplet.emplace(config.triplet(), shape, blocks);
    shape = triplet->Inner(shape);
  }
  std::optional<FmInput> fm;
  if (config.has_fm()) {
    fm.emplace(config.fm(), shape, Towers(config).size(), blocks);
    shape = fm->Inner(shape);
  }
  return std::make_unique<ExtendedModel<T>>(std::move(triplet), std::move(fm), make(shape));
}

template std::unique_ptr<Model<float>> MakeModel(const ModelConfig&, const InputShape&, BlockList&);
template std::unique_ptr<Model<double>> MakeModel(const ModelConfig&, const InputShape&,
                                                  BlockList&);

}  // namespace antiphon
