#include "models/loss_check.h"

#include <string>
#include <string_view>
#include <vector>

#include "models/model.h"
#include "models/model_config.h"
#include "models/task_loss.h"

namespace antiphon {
namespace {

constexpr double kSmallestWeight = 1e-6;
constexpr double kLargestWeight = 1e6;
constexpr double kLargestDelta = 1e9;
constexpr uint64_t kMaxSteps = 1'000'000'000;
constexpr size_t kMaxBalancedTasks = 1024;

std::string LossName(TaskTower::LossType type) {
  return TaskTower::LossType_Name(type);
}

class LossChecker {
 public:
  LossChecker(const Job& job, FieldChecks& checks)
      : job_(job),
        model_(job.model_config()),
        towers_(Towers(model_)),
        names_(TaskNames(model_)),
        checks_(checks) {}

  void Run() {
    for (const TowerRef& ref : towers_) {
      CheckLoss(ref);
      CheckIndicator(ref);
      CheckIsolation(ref);
      if (ref.tower->has_delayed_feedback()) {
        CheckDelayed(ref);
      }
    }
    CheckStrategy();
  }

 private:
  bool IsFunnel() const { return IsClass("ESMM") || IsClass("Funnel"); }
  bool IsClass(std::string_view name) const { return model_.model_class() == name; }

  void CheckLoss(const TowerRef& ref) {
    const TaskTower& tower = *ref.tower;
    const TaskTower::LossType type = tower.loss_type();
    checks_.Range(ref.path + ".positive_weight", double{tower.positive_weight()}, kSmallestWeight,
                  kLargestWeight);
    if (tower.positive_weight() != 1 && type != TaskTower::CLASSIFICATION) {
      checks_.Add(ref.path + ".positive_weight", "is not read by loss_type " + LossName(type));
    }
    checks_.Range(ref.path + ".huber_delta", double{tower.huber_delta()}, 1e-9, kLargestDelta);
    const bool is_ranking = type == TaskTower::PAIRWISE || type == TaskTower::LISTWISE;
    if (is_ranking && !job_.data_config().has_request_field()) {
      checks_.Add(ref.path + ".loss_type",
                  LossName(type) +
                      " compares the samples of a request, expected "
                      "data_config.request_field to say which field tells requests");
    }
    if (is_ranking && job_.data_config().shuffle()) {
      checks_.Add(ref.path + ".loss_type",
                  LossName(type) +
                      " compares the samples of a request, which data_config.shuffle (true unless "
                      "the job says otherwise) scatters over batches; set it to false, with the "
                      "rows of a request one behind the other in the file");
    }
    if (IsFunnel() && type != TaskTower::CLASSIFICATION) {
      checks_.Add(ref.path + ".loss_type", GotExpected(LossName(type),
                                                       "CLASSIFICATION: the funnel multiplies "
                                                       "probabilities"));
    }
  }

  // Its label is compared with 1.
  void CheckIndicator(const TowerRef& ref) {
    const std::string& indicator = ref.tower->task_space_indicator_label();
    for (const TowerRef& other : towers_) {
      if (ref.tower->has_task_space_indicator_label() && other.tower->label_name() == indicator &&
          other.tower->loss_type() != TaskTower::CLASSIFICATION) {
        checks_.Add(ref.path + ".task_space_indicator_label",
                    "label \"" + indicator + "\" is a number for tower \"" +
                        other.tower->tower_name() + "\", expected a label of 0 and 1");
      }
    }
  }

  void CheckIsolation(const TowerRef& ref) {
    const bool has_tower = !IsClass("LR") && !IsClass("FM") && !IsClass("DeepFM");
    const bool stops = ref.tower->isolate() == TaskTower::BACKBONE_STOP;
    if (stops && model_.has_fm() && model_.fm().mode() == Fm::LOGIT) {
      checks_.Add(ref.path + ".isolate",
                  "BACKBONE_STOP has no place beside fm { mode: LOGIT }, which every task learns");
    }
    if (stops && !has_tower) {
      checks_.Add(ref.path + ".isolate", "BACKBONE_STOP has no place in model_class \"" +
                                             model_.model_class() +
                                             "\", expected NONE, LOSS_MASK or EMBED_STOP");
    }
  }

  void CheckDelayed(const TowerRef& ref) {
    const DelayedFeedback& delayed = ref.tower->delayed_feedback();
    const std::string path = ref.path + ".delayed_feedback";
    if (!delayed.has_method()) {
      checks_.Add(path + ".method", "is missing, expected FNW, FNC or ES_DFM");
    }
    if (ref.tower->loss_type() != TaskTower::CLASSIFICATION || IsFunnel()) {
      checks_.Add(path, "is for a CLASSIFICATION task with a loss of its own");
    }
    const bool needs_towers = delayed.method() == DelayedFeedback::ES_DFM && delayed.has_method();
    CheckHelpingTower(ref, path + ".late_positive_tower", delayed.has_late_positive_tower(),
                      delayed.late_positive_tower(), needs_towers);
    CheckHelpingTower(ref, path + ".real_negative_tower", delayed.has_real_negative_tower(),
                      delayed.real_negative_tower(), needs_towers);
  }

  void CheckHelpingTower(const TowerRef& ref, const std::string& path, bool is_set,
                         const std::string& name, bool is_needed) {
    if (!is_needed) {
      if (is_set) {
        checks_.Add(path, "is read by ES_DFM only");
      }
      return;
    }
    checks_.Known(path, name, "task tower", names_);
    for (const TowerRef& other : towers_) {
      const bool is_itself = other.tower == ref.tower;
      if (other.tower->tower_name() == name &&
          (is_itself || other.tower->loss_type() != TaskTower::CLASSIFICATION ||
           other.tower->has_delayed_feedback())) {
        checks_.Add(path, "\"" + name + "\" is " +
                              (is_itself ? "this tower itself"
                                         : "no plain "
                                           "CLASSIFICATION task") +
                              ", expected a tower that learns a "
                              "probability of its own");
      }
    }
  }

  void CheckStrategy() {
    const ModelConfig::LossWeightStrategy strategy = model_.loss_weight_strategy();
    const struct {
      ModelConfig::LossWeightStrategy strategy;
      const char* field;
      bool is_set;
    } messages[] = {{ModelConfig::GradNorm, "grad_norm", model_.has_grad_norm()},
                    {ModelConfig::Uncertainty, "uncertainty", model_.has_uncertainty()},
                    {ModelConfig::DWA, "dwa", model_.has_dwa()}};
    for (const auto& message : messages) {
      if (message.is_set && message.strategy != strategy) {
        checks_.Add(std::string("model_config.") + message.field,
                    "is not read by loss_weight_strategy " +
                        ModelConfig::LossWeightStrategy_Name(strategy));
      }
    }
    if (strategy == ModelConfig::Fixed) {
      return;
    }
    if (towers_.size() < 2 || towers_.size() > kMaxBalancedTasks) {
      checks_.Add("model_config.loss_weight_strategy",
                  GotExpected(std::to_string(towers_.size()) + " tasks",
                              "2 to " + std::to_string(kMaxBalancedTasks) + " to balance"));
    }
    if (strategy == ModelConfig::GradNorm) {
      CheckGradNorm();
    }
    if (strategy == ModelConfig::Uncertainty) {
      checks_.Range("model_config.uncertainty.initial_log_variance",
                    double{model_.uncertainty().initial_log_variance()}, -20, 20);
    }
    if (strategy == ModelConfig::DWA) {
      checks_.Range("model_config.dwa.temperature", double{model_.dwa().temperature()}, 1e-3, 1e6);
      checks_.Range("model_config.dwa.window_steps", uint64_t{model_.dwa().window_steps()}, 1,
                    kMaxSteps);
    }
  }

  void CheckGradNorm() {
    const GradNormConfig& config = model_.grad_norm();
    const std::string path = "model_config.grad_norm.";
    const double below_one = 1 - 1e-9;
    checks_.Range(path + "alpha", double{config.alpha()}, 0, 10);
    checks_.Range(path + "lr", double{config.lr()}, 1e-9, 1);
    checks_.Range(path + "min_weight", double{config.min_weight()}, 1e-9, 1);
    checks_.Range(path + "update_every", uint64_t{config.update_every()}, 1, kMaxSteps);
    checks_.Range(path + "warmup_steps", uint64_t{config.warmup_steps()}, 0, kMaxSteps);
    checks_.Range(path + "window_steps", uint64_t{config.window_steps()}, 1, kMaxSteps);
    checks_.Range(path + "loss_decay", double{config.loss_decay()}, 0, below_one);
    checks_.Range(path + "initial_loss_decay", double{config.initial_loss_decay()}, 0, below_one);
    CheckFrozenWeights(config);
    if (config.frozen_weights_size() == 0) {
      CheckSharedLayer();
    }
    for (const TowerRef& ref : towers_) {
      if (!(ref.tower->weight() > 0)) {
        checks_.Add(ref.path + ".weight",
                    GotExpected(NumberText(ref.tower->weight()), "more than 0 with GradNorm"));
      }
      const bool has_theory = ref.tower->loss_type() == TaskTower::CLASSIFICATION ||
                              ref.tower->loss_type() == TaskTower::PAIRWISE;
      if (!has_theory && config.initial_loss() == GradNormConfig::THEORETICAL) {
        checks_.Add(path + "initial_loss",
                    "THEORETICAL is not known for loss_type " + LossName(ref.tower->loss_type()) +
                        " of \"" + ref.tower->tower_name() + "\", expected FIXED, EMA or WINDOW");
      }
    }
  }

  void CheckFrozenWeights(const GradNormConfig& config) {
    const std::string path = "model_config.grad_norm.frozen_weights";
    const auto count = static_cast<size_t>(config.frozen_weights_size());
    if (count != 0 && count != towers_.size()) {
      checks_.Add(path,
                  GotExpected(std::to_string(count) + " weights",
                              "one for each of " + std::to_string(towers_.size()) + " towers"));
    }
    for (int i = 0; i < config.frozen_weights_size(); ++i) {
      checks_.Range(ElementPath(path, i), double{config.frozen_weights(i)}, kSmallestWeight,
                    kLargestWeight);
    }
  }

  void CheckSharedLayer() {
    const SharedPart part = SharedPartOf(model_);
    if (part == SharedPart::kOutput && model_.grad_norm().source() == GradNormConfig::WEIGHT) {
      checks_.Add("model_config.grad_norm.source",
                  GotExpected("WEIGHT", "ACTIVATION: what the tasks of model_class \"" +
                                            model_.model_class() +
                                            "\" share last has no weights of its own"));
    } else if (part == SharedPart::kNone) {
      checks_.Add("model_config.loss_weight_strategy",
                  "GradNorm measures at the last layer that all tasks share, and model_class \"" +
                      model_.model_class() + "\" has none here");
    }
  }

  const Job& job_;
  const ModelConfig& model_;
  const std::vector<TowerRef> towers_;
  const std::vector<std::string> names_;
  FieldChecks& checks_;
};

}  // namespace

void CheckLosses(const Job& job, FieldChecks& checks) {
  LossChecker(job, checks).Run();
}

}  // namespace antiphon
