#include "models/model.h"

#include "models/dnn.h"
#include "models/esmm.h"
#include "models/lr.h"
#include "models/mmoe.h"
#include "models/model_config.h"
#include "models/shared_bottom.h"

namespace antiphon {

template <typename T>
std::unique_ptr<Model<T>> MakeModel(const ModelConfig& config, const InputShape& input,
                                    BlockList& blocks) {
  const std::optional<ModelClass> model_class = ParseModelClass(config.model_class());
  CHECK(model_class.has_value()) << "the job was not checked";
  switch (*model_class) {
    case ModelClass::kLr:
      return std::make_unique<LrModel<T>>(config.lr(), input, blocks);
    case ModelClass::kDnn:
      return std::make_unique<DnnTowers<T>>(config.dnn_model(), input.width, blocks);
    case ModelClass::kSharedBottom:
      return std::make_unique<SharedBottomModel<T>>(config.shared_bottom(), input.width, blocks);
    case ModelClass::kMmoe:
      return std::make_unique<MmoeModel<T>>(config.mmoe(), input.width, blocks);
    case ModelClass::kEsmm:
      return std::make_unique<EsmmModel<T>>(config.esmm(), input.width, blocks);
  }
  return nullptr;
}

template std::unique_ptr<Model<float>> MakeModel(const ModelConfig&, const InputShape&, BlockList&);
template std::unique_ptr<Model<double>> MakeModel(const ModelConfig&, const InputShape&,
                                                  BlockList&);

}  // namespace antiphon
