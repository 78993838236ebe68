#include "common/data/job_check.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>

#include "common/base/text.h"
#include "common/data/feature_check.h"
#include "common/data/feature_columns.h"
#include "common/data/field_checks.h"
#include "common/data/label_expression.h"
#include "common/data/stream_check.h"

namespace antiphon {
namespace {

constexpr uint64_t kMaxBatchSize = 1 << 20;
constexpr uint64_t kMaxEpochs = 1'000'000;
constexpr uint64_t kMaxPartitionSize = 1 << 30;
constexpr uint64_t kMaxShuffleBuffer = 1 << 24;
constexpr uint64_t kMaxShards = 1 << 16;
constexpr uint64_t kMaxPullAhead = 64;
constexpr uint64_t kMaxPrefetch = 1024;
constexpr uint64_t kMaxStaleness = 1'000'000;
constexpr uint64_t kMaxDeltasBetweenFull = 1000;  // as many as a chain may have
constexpr uint64_t kMaxSnapshotsKept = 1'000'000;
constexpr int kMaxScenes = 4096;
constexpr int kMaxInputFields = 65536;

std::vector<std::string> Texts(const google::protobuf::RepeatedPtrField<std::string>& list) {
  return {list.begin(), list.end()};
}

std::vector<std::string> FieldNames(const DataConfig& data) {
  std::vector<std::string> names;
  for (const InputField& field : data.input_fields()) {
    names.push_back(field.input_name());
  }
  return names;
}

// The name becomes part of file names and metric names.
void CheckName(const Job& job, FieldChecks& checks) {
  const std::string& name = job.name();
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
  });
  if (name.empty() || name.size() > 128 || !plain || name[0] == '.') {
    checks.Add("name", "got \"" + name +
                           "\", expected 1 to 128 letters, digits, _, - and ., no . in front");
  }
}

void CheckConsistency(const TrainConfig& train, FieldChecks& checks) {
  const std::string ahead = "train_config.pull_ahead_steps";
  const std::string staleness = "train_config.max_staleness";
  const uint32_t steps = train.pull_ahead_steps();
  if (train.sync_replicas()) {
    if (train.has_max_staleness()) {
      checks.Add(staleness, "has no meaning with sync_replicas: true; say sync_replicas: false");
    }
    if (steps != 0) {
      checks.Add(ahead, GotExpected(std::to_string(steps),
                                    "0 with sync_replicas: true, where a step sees all before it"));
    }
    return;
  }
  checks.Range(ahead, uint64_t{steps}, 0, kMaxPullAhead);
  if (!train.has_max_staleness()) {
    return;
  }
  checks.Range(staleness, uint64_t{train.max_staleness()}, 1, kMaxStaleness);
  if (steps > train.max_staleness()) {
    checks.Add(ahead,
               GotExpected(std::to_string(steps),
                           "at most max_staleness, " + std::to_string(train.max_staleness())));
  }
}

void CheckTrainConfig(const TrainConfig& train, FieldChecks& checks) {
  const std::string list = "train_config.optimizer_config";
  const int count = train.optimizer_config_size();
  if (count < 1 || count > 2) {
    checks.Add(count == 0 ? "train_config" : ElementPath(list, 2),
               GotExpected(std::to_string(count) + " times optimizer_config",
                           "one for all, or one for the embeddings and one for the dense part"));
  }
  for (int i = 0; i < count; ++i) {
    checks.Optimizer(ElementPath(list, i), train.optimizer_config(i));
  }
  const int dense = std::min(count, 2) - 1;
  if (dense >= 0 && (train.optimizer_config(dense).has_rowwise_adagrad_optimizer() ||
                     train.optimizer_config(dense).has_group_ftrl_optimizer() ||
                     train.optimizer_config(dense).has_lazy_adam_optimizer())) {
    checks.Add(ElementPath(list, dense),
               std::string("this optimizer is for embeddings; ") +
                   (count == 1 ? "add a second optimizer_config for the dense part"
                               : "expected another one for the dense part"));
  }
  const SnapshotPolicy& snapshot = train.snapshot();
  checks.Range("train_config.snapshot.deltas_between_full",
               uint64_t{snapshot.deltas_between_full()}, 0, kMaxDeltasBetweenFull);
  checks.Range("train_config.snapshot.keep", uint64_t{snapshot.keep()}, 1, kMaxSnapshotsKept);
  checks.Range("train_config.gradient_clipping_by_norm", train.gradient_clipping_by_norm(), 0, 1e9);
  CheckConsistency(train, checks);
}

void CheckEvalConfig(const Job& job, const std::vector<std::string>& fields, FieldChecks& checks) {
  const EvalConfig& eval = job.eval_config();
  for (int i = 0; i < eval.metrics_set_size(); ++i) {
    const std::string path = ElementPath("eval_config.metrics_set", i);
    const Metric& metric = eval.metrics_set(i);
    if (!metric.has_gauc()) {
      checks.Add(path, "is empty, expected gauc { uid_field: ... }");
    } else if (i > 0) {
      checks.Add(path, "a second gauc, expected one");
    } else {
      checks.Known(path + ".gauc.uid_field", metric.gauc().uid_field(), "input field", fields);
    }
  }
}

// A value that stands for an empty one has to be one that the field can hold.
void CheckDefaultValue(const std::string& path, const InputField& field, FieldChecks& checks) {
  const std::string& value = field.default_val();
  if (!field.has_default_val() || field.input_type() == InputField::STRING) {
    return;
  }
  const bool is_whole = field.input_type() == InputField::INT64;
  if (is_whole ? !ParseInt(value).has_value() : !ParseFloat(value).has_value()) {
    checks.Add(path + ".default_val",
               GotExpected("\"" + value + "\"", is_whole ? "a whole number" : "a number"));
  }
}

void CheckInputFields(const DataConfig& data, const std::vector<std::string>& names,
                      FieldChecks& checks) {
  const std::string list = "data_config.input_fields";
  if (names.empty() || data.input_fields_size() > kMaxInputFields) {
    checks.Add("data_config",
               GotExpected(std::to_string(names.size()) + " input_fields",
                           "1 to " + std::to_string(kMaxInputFields) + ", one a column"));
  }
  checks.Distinct(list, names);
  for (int i = 0; i < data.input_fields_size(); ++i) {
    CheckDefaultValue(ElementPath(list, i), data.input_fields(i), checks);
  }
}

void CheckExpression(const std::string& path, const std::string& text,
                     const std::vector<std::string>& fields, FieldChecks& checks) {
  const StatusOr<LabelExpression> parsed = LabelExpression::Parse(text, fields);
  if (!parsed.ok()) {
    checks.Add(path, parsed.status().message());
  }
}

void CheckLabels(const DataConfig& data, const std::vector<std::string>& fields,
                 FieldChecks& checks) {
  const std::vector<std::string> plain = Texts(data.label_fields());
  checks.Distinct("data_config.label_fields", plain);
  for (int i = 0; i < data.label_fields_size(); ++i) {
    checks.Known(ElementPath("data_config.label_fields", i), plain[static_cast<size_t>(i)],
                 "input field", fields);
  }
  if (plain.empty() && data.labels_size() == 0) {
    checks.Add("data_config", "no labels, expected label_fields or labels");
  }
  std::vector<std::string> names;
  for (int i = 0; i < data.labels_size(); ++i) {
    const Label& label = data.labels(i);
    const std::string path = ElementPath("data_config.labels", i);
    const std::string& name = label.label_name();
    if (name.empty()) {
      checks.Add(path, "has no label_name");
    } else if (std::count(names.begin(), names.end(), name) +
                   std::count(plain.begin(), plain.end(), name) >
               0) {
      checks.Add(path + ".label_name", "there is another label \"" + name + "\"");
    }
    names.push_back(name);
    CheckExpression(path + ".expression", label.expression(), fields, checks);
    if (label.has_known_if()) {
      CheckExpression(path + ".known_if", label.known_if(), fields, checks);
    }
  }
}

void CheckScenes(const DataConfig& data, const std::vector<std::string>& fields,
                 FieldChecks& checks) {
  if (!data.has_scene_field()) {
    if (data.scenes_size() > 0) {
      checks.Add("data_config.scenes[0]", "there are scenes but no scene_field");
    }
    if (data.unknown_scene() != DataConfig::BAD_ROW) {
      checks.Add("data_config.unknown_scene", "has no effect without a scene_field");
    }
    return;
  }
  checks.Known("data_config.scene_field", data.scene_field(), "input field", fields);
  checks.Distinct("data_config.scenes", Texts(data.scenes()));
  if (data.scenes_size() < 1 || data.scenes_size() > kMaxScenes) {
    checks.Add("data_config.scene_field",
               GotExpected(std::to_string(data.scenes_size()) + " scenes",
                           "1 to " + std::to_string(kMaxScenes) + ", the values of this field"));
  }
}

void CheckSizes(const DataConfig& data, FieldChecks& checks) {
  const auto range = [&](const char* field, uint64_t value, uint64_t highest) {
    checks.Range(std::string("data_config.") + field, value, 1, highest);
  };
  range("batch_size", data.batch_size(), kMaxBatchSize);
  range("num_epochs", data.num_epochs(), kMaxEpochs);
  range("shuffle_buffer_size", data.shuffle_buffer_size(), kMaxShuffleBuffer);
  range("partition_size", data.partition_size(), kMaxPartitionSize);
  range("prefetch_size", data.prefetch_size(), kMaxPrefetch);
  checks.Range("data_config.max_bad_ratio", data.max_bad_ratio(), 0, 1);
}

void CheckDataConfig(const DataConfig& data, const std::vector<std::string>& fields,
                     FieldChecks& checks) {
  CheckSizes(data, checks);
  CheckInputFields(data, fields, checks);
  if (data.separator().empty() || data.separator().find_first_of("\"\n\r") != std::string::npos) {
    checks.Add("data_config.separator",
               "expected at least one character, no quote and no end of line");
  }
  if (data.with_header() && data.input_type() != DataConfig::CSVInput) {
    checks.Add("data_config.with_header", "got true, expected false: only CSVInput has a header");
  }
  CheckLabels(data, fields, checks);
  if (data.has_sample_weight()) {
    checks.Known("data_config.sample_weight", data.sample_weight(), "input field", fields);
  }
  if (data.has_time_field()) {
    checks.Known("data_config.time_field", data.time_field(), "input field", fields);
  }
  if (data.has_request_field()) {
    checks.Known("data_config.request_field", data.request_field(), "input field", fields);
  }
  CheckScenes(data, fields, checks);
}

void CheckPaths(const Job& job, FieldChecks& checks) {
  if (job.train_input_path_size() == 0 && !job.data_config().has_stream()) {
    checks.Add("",
               "no train_input_path, expected at least one file or pattern, or data_config.stream");
  }
  checks.Distinct("train_input_path", Texts(job.train_input_path()));
  checks.Distinct("eval_input_path", Texts(job.eval_input_path()));
}

}  // namespace

std::vector<FieldError> CheckJob(const Job& job) {
  FieldChecks checks;
  const std::vector<std::string> fields = FieldNames(job.data_config());
  CheckName(job, checks);
  CheckPaths(job, checks);
  CheckTrainConfig(job.train_config(), checks);
  CheckEvalConfig(job, fields, checks);
  CheckDataConfig(job.data_config(), fields, checks);
  CheckFeatures(job, fields, checks);
  CheckStream(job, checks);
  checks.Range("sharding.num_shards", uint64_t{job.sharding().num_shards()}, 1, kMaxShards);
  return checks.Take();
}

}  // namespace antiphon
