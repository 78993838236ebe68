#include "serving/library/serving.h"

#include <algorithm>
#include <utility>

#include "common/math/gemm.h"
#include "models/model_config.h"
#include "scoring/held_scorer.h"
#include "serving/library/tensor_assembly.h"
#include "serving/library/version_inside.h"
#include "serving/onnx/model_graph.h"
#include "serving/served_model.h"

namespace antiphon::serving {

void Put(const Status& status, std::string* error) {
  if (error != nullptr) {
    *error = status.message();
  }
}

StatusOr<ModelFace> MakeFace(const ServedModel& model) {
  const Gemm gemm = Gemm::Create(GemmBackend::kEigen);
  StatusOr<std::unique_ptr<antiphon::Scorer>> scorer = antiphon::Scorer::Create(model, gemm, 1);
  AP_RETURN_IF_ERROR(scorer.status().WithContext(model.folder()));
  ModelFace face = {.tasks = MeasureNames(model.job().model_config()), .fields = {}};
  const DataConfig& data = model.job().data_config();
  for (const uint32_t field : (*scorer)->used_fields()) {
    face.fields.push_back(data.input_fields(static_cast<int>(field)).input_name());
  }
  return face;
}

Version::Version(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
Version::~Version() = default;

std::unique_ptr<Version> Version::Open(const std::string& folder, std::string* error) {
  StatusOr<std::unique_ptr<ServedModel>> model = ServedModel::Open(folder);
  if (!model.ok()) {
    Put(model.status(), error);
    return nullptr;
  }
  StatusOr<ModelFace> face = MakeFace(**model);
  if (!face.ok()) {
    Put(face.status(), error);
    return nullptr;
  }
  auto inside = std::make_unique<Inside>();
  inside->model = *std::move(model);
  inside->face = std::make_shared<const ModelFace>(*std::move(face));
  return std::unique_ptr<Version>(new Version(std::move(inside)));
}

const std::string& Version::model_name() const {
  return inside_->model->signature().model_name();
}

uint64_t Version::number() const {
  return inside_->model->signature().version();
}

const std::vector<std::string>& Version::tasks() const {
  return inside_->face->tasks;
}

const std::vector<std::string>& Version::fields() const {
  return inside_->face->fields;
}

int Version::FindTable(std::string_view name) const {
  const auto& tables = inside_->model->plan().schema().tables();
  const auto found = std::ranges::find(tables, name, &TableSpec::name);
  return found == tables.end() ? kNoTable : static_cast<int>(found - tables.begin());
}

uint32_t Version::dim(int table) const {
  return inside_->model->table(static_cast<TableId>(table)).dim();
}

uint64_t Version::rows(int table) const {
  return inside_->model->table(static_cast<TableId>(table)).rows();
}

size_t Version::Lookup(int table, std::span<const uint64_t> keys, float* weights) const {
  return inside_->model->table(static_cast<TableId>(table)).Lookup(keys, weights);
}

struct Scorer::Inside {
  Inside(const ServedModel& model, bool has_scene)
      : gemm(Gemm::Create(GemmBackend::kAuto)),
        assembly(MakeInputLayout(model.job()), has_scene),
        values(static_cast<size_t>(model.job().data_config().input_fields_size())) {}

  antiphon::Scorer& scorer() const { return held->scorer(); }

  const Gemm gemm;
  std::unique_ptr<HeldScorer> held;
  TensorAssembly assembly;
  std::vector<std::string_view> values;  // by input field
};

Scorer::Scorer(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
Scorer::~Scorer() = default;

std::unique_ptr<Scorer> Scorer::Create(const Version& version, std::string* error) {
  const std::shared_ptr<const ServedModel>& model = version.inside_->model;
  const auto& inputs = model->signature().inputs();
  const bool has_scene = std::ranges::find(inputs, kSceneInput, &ServedInput::name) != inputs.end();
  auto inside = std::make_unique<Inside>(*model, has_scene);
  StatusOr<std::unique_ptr<HeldScorer>> held = HeldScorer::Create(model, inside->gemm);
  if (!held.ok()) {
    Put(held.status(), error);
    return nullptr;
  }
  inside->held = *std::move(held);
  return std::unique_ptr<Scorer>(new Scorer(std::move(inside)));
}

bool Scorer::Use(const Version& version, std::string* error) {
  const std::shared_ptr<const ServedModel>& model = version.inside_->model;
  if (&model->plan() == &inside_->held->model().plan()) {
    const Status used = inside_->held->Use(model);
    if (!used.ok()) {
      Put(used, error);
    }
    return used.ok();
  }
  const std::unique_ptr<Scorer> other = Create(version, error);
  if (other != nullptr) {
    inside_ = std::move(other->inside_);
  }
  return other != nullptr;
}

bool Scorer::Add(std::span<const std::string_view> texts, std::string* error) {
  const std::vector<uint32_t>& fields = inside_->scorer().used_fields();
  if (texts.size() != fields.size()) {
    Put(InvalidArgumentError("a sample of " + std::to_string(texts.size()) + " texts, expected " +
                             std::to_string(fields.size()) + ", one for each of fields()"),
        error);
    return false;
  }
  for (size_t i = 0; i < texts.size(); ++i) {
    inside_->values[fields[i]] = texts[i];
  }
  const Status added = inside_->scorer().Add(inside_->values);
  if (!added.ok()) {
    Put(added, error);
  }
  return added.ok();
}

size_t Scorer::samples() const {
  return inside_->scorer().rows();
}

const std::vector<std::vector<float>>& Scorer::Score() {
  return inside_->scorer().Run();
}

std::vector<Tensor> Scorer::Assemble() {
  std::vector<Tensor> tensors = inside_->assembly.Assemble(inside_->scorer().Gather());
  inside_->scorer().Drop();
  return tensors;
}

}  // namespace antiphon::serving
