// ModelChecks: what a model's own check has at hand: the job, where the model's message stands in
// it, and the comparisons that several models make.
//
// Lives for one CheckModelConfig call.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "common/data/field_checks.h"
#include "proto/job.pb.h"

namespace antiphon {

class ModelChecks {
 public:
  ModelChecks(const Job& job, std::string path, FieldChecks& fields)
      : job_(job), path_(std::move(path)), fields_(fields) {}

  const Job& job() const { return job_; }
  FieldChecks& fields() const { return fields_; }
  // "model_config.mmoe." and the field of the model's message.
  std::string Path(const std::string& field) const { return path_ + "." + field; }

  // A network with at least one layer.
  void NeedsLayers(const std::string& field, const DNN& dnn) const;
  // 1 to 1024 experts.
  void Experts(const std::string& field, uint32_t count) const;
  // 1 to 4096.
  void EmbeddingDim(const std::string& field, uint32_t dim) const;
  // The job says which scene a row is of.
  void NeedsScenes() const;

 private:
  const Job& job_;
  std::string path_;
  FieldChecks& fields_;
};

// `path` is that of the DNN message.
enum class Layers { kOptional, kNeeded };
void CheckLayers(const std::string& path, const DNN& dnn, Layers need, FieldChecks& fields);

}  // namespace antiphon
