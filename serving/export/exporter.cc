#include "serving/export/exporter.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "common/base/crc32c.h"
#include "common/base/text.h"
#include "common/data/feature_columns.h"
#include "common/data/job_defaults.h"
#include "models/model_config.h"
#include "models/task_loss.h"
#include "serving/emb_writer.h"
#include "serving/export/row_filter.h"
#include "serving/feature_description.h"
#include "serving/onnx/model_graph.h"
#include "serving/onnx/onnx_graph.h"
#include "serving/served_state.h"
#include "serving/signature.h"
#include "serving/version_directory.h"

namespace antiphon {
namespace {

// What a table of a version has, by key: places of the model's rows, and keys without one.
struct ServedRows {
  std::vector<size_t> rows;
  std::vector<ServedTombstone> tombstones;
};

class Exporter {
 public:
  Exporter(FileSystem& fs, const FrozenModel& model, const RowFilter& filter,
           const ExportOptions& options)
      : fs_(fs), model_(model), filter_(filter), options_(options), folder_(options.out + ".tmp") {}

  StatusOr<Signature> Run() {
    if (fs_.Exists(options_.out)) {
      return AlreadyExistsError(options_.out + ": there is something of this name already; a " +
                                "version is never written over");
    }
    if (fs_.Exists(folder_)) {
      AP_RETURN_IF_ERROR(RemoveFolder(fs_, folder_));
    }
    AP_RETURN_IF_ERROR(fs_.MakeDirectories(folder_ + "/" + kEmbeddingFolder));
    AP_RETURN_IF_ERROR(Describe());
    AP_RETURN_IF_ERROR(WriteGraph());
    AP_ASSIGN_OR_RETURN(const std::string state, EncodeServedState(model_));
    AP_RETURN_IF_ERROR(WriteFile(kStateFile, state));
    for (int i = 0; i < schema().tables_size(); ++i) {
      AP_RETURN_IF_ERROR(WriteTable(static_cast<TableId>(i)));
    }
    AP_ASSIGN_OR_RETURN(const std::string json, SignatureJson(signature_));
    AP_RETURN_IF_ERROR(WriteFileAtomically(fs_, folder_ + "/" + kSignatureFile, json));
    AP_RETURN_IF_ERROR(Publish());
    return std::move(signature_);
  }

 private:
  const ParameterSchema& schema() const { return model_.plan().schema(); }

  Status Describe() {
    const SnapshotManifest& manifest = model_.manifest();
    const Job& job = model_.job();
    signature_.set_format(kSignatureFormat);
    signature_.set_model_name(job.name());
    signature_.set_model_id(HexDigits(manifest.cluster_id()));
    signature_.set_version(manifest.version());
    signature_.set_created_seconds(manifest.created_seconds());
    signature_.set_snapshot_crc32c(model_.manifest_crc32c());
    if (manifest.has_cut_ms()) {
      signature_.set_cut_ms(manifest.cut_ms());
    }
    if (manifest.has_sample_ages()) {
      *signature_.mutable_sample_ages() = manifest.sample_ages();
    }
    DescribeStep();
    signature_.set_job_digest(HexDigits(JobDigest(job)));
    signature_.set_opset(kOnnxOpset);
    if (filter_.min_score() > 0) {
      signature_.set_min_score(filter_.min_score());
    }
    AP_ASSIGN_OR_RETURN(const std::vector<ServedFeature> features,
                        DescribeFeatures(job, model_.plan()));
    signature_.mutable_features()->Add(features.begin(), features.end());
    signature_.set_transform_digest(TransformDigest(features));
    if (!job.data_config().scene_field().empty()) {
      signature_.set_scene_field(job.data_config().scene_field());
      *signature_.mutable_scenes() = job.data_config().scenes();
    }
    DescribeTasks(job.model_config());
    return Status();
  }

  void DescribeStep() {
    if (options_.predecessor == nullptr) {
      return;
    }
    const Signature& before = options_.predecessor->signature;
    ServedStep& step = *signature_.mutable_step();
    step.set_base(BaseOf(before));
    step.set_sequence(SequenceOf(before) + 1);
    step.set_predecessor(before.version());
    step.set_predecessor_digest(options_.predecessor->digest);
  }

  void DescribeTasks(const ModelConfig& config) {
    const std::vector<LossSpec> losses = LossSpecs(config);
    const std::vector<std::string> names = MeasureNames(config);
    for (size_t m = 0; m < names.size(); ++m) {
      ServedTask& task = *signature_.add_tasks();
      task.set_name(names[m]);
      const bool is_number = m < losses.size() && losses[m].is_regression();
      const bool is_score = m < losses.size() && losses[m].is_ranking();
      task.set_kind(is_number ? "number" : is_score ? "score" : "probability");
    }
  }

  Status WriteGraph() {
    AP_ASSIGN_OR_RETURN(onnx::ModelProto graph,
                        WriteModelGraph(model_, static_cast<int64_t>(model_.manifest().version())));
    const InputLayout layout = MakeInputLayout(model_.job());
    signature_.set_input_width(layout.shape.width);
    for (const onnx::ValueInfoProto& input : graph.graph().input()) {
      DescribeInput(input, layout);
    }
    const auto add = [&graph](const std::string& key, const std::string& value) {
      onnx::StringStringEntryProto& entry = *graph.add_metadata_props();
      entry.set_key(key);
      entry.set_value(value);
    };
    add("model_id", signature_.model_id());
    add("version", std::to_string(signature_.version()));
    add("transform_digest", signature_.transform_digest());
    return WriteFile(kGraphFile, graph.SerializeAsString());
  }

  void DescribeInput(const onnx::ValueInfoProto& info, const InputLayout& layout) {
    ServedInput& input = *signature_.add_inputs();
    input.set_name(info.name());
    const onnx::TypeProto::Tensor& tensor = info.type().tensor_type();
    input.set_type(tensor.elem_type() == onnx::TensorProto::INT64 ? "int64" : "float");
    for (const auto& dim : tensor.shape().dim()) {
      input.add_dims(dim.has_dim_param() ? dim.dim_param() : std::to_string(dim.dim_value()));
    }
    for (const InputLayout::Sequence& sequence : layout.sequences) {
      if (info.name() == ItemsInput(sequence) || info.name() == RowsInput(sequence)) {
        input.set_feature(SparseFeatureName(sequence.column));
      }
    }
  }

  // The feature of a sparse column.
  std::string SparseFeatureName(uint32_t column) const {
    const FeatureConfigs& config = model_.job().feature_config();
    const FeatureColumns columns = OrderFeatureColumns(config);
    return FeatureName(config.features(static_cast<int>(columns.sparse[column])));
  }

  StatusOr<ServedRows> ChooseRows(TableId id) const {
    ServedRows chosen;
    for (size_t i = 0; i < model_.row_count(id); ++i) {
      if (filter_.Serves(id, model_.row_history(id, i))) {
        chosen.rows.push_back(i);
      } else if (signature_.has_step()) {  // versions before may have it
        chosen.tombstones.push_back({model_.row_key(id, i), TombstoneReason::kFiltered});
      }
    }
    for (const RemovedRow& removed : model_.removed(id)) {
      if (removed.reason == 0 || removed.reason > kTombstoneReasons) {
        return DataLossError("the row of key " + std::to_string(removed.key) + " went for reason " +
                             std::to_string(removed.reason) + ", which this version does not know");
      }
      chosen.tombstones.push_back({removed.key, static_cast<TombstoneReason>(removed.reason)});
    }
    std::ranges::sort(chosen.tombstones, {}, &ServedTombstone::key);
    return chosen;
  }

  Status WriteTable(TableId id) {
    const TableSpec& spec = schema().tables(static_cast<int>(id));
    StatusOr<ServedRows> chosen = ChooseRows(id);
    AP_RETURN_IF_ERROR(chosen.status().WithContext("table \"" + spec.name() + "\""));
    std::vector<Key> keys;
    for (const size_t i : chosen->rows) {
      keys.push_back(model_.row_key(id, i));
    }
    const std::string name = EmbeddingFile(spec.name());
    const EmbOptions options = {.model_id = model_.manifest().cluster_id(),
                                .version = signature_.version(),
                                .dim = spec.dim(),
                                .precision = options_.precision,
                                .kind = signature_.has_step() ? EmbKind::kStep : EmbKind::kFull};
    AP_ASSIGN_OR_RETURN(
        const std::unique_ptr<EmbWriter> writer,
        EmbWriter::Create(fs_, folder_ + "/" + name, options, keys, chosen->tombstones));
    for (const size_t i : chosen->rows) {
      AP_RETURN_IF_ERROR(
          writer->Add(model_.row_weights(id, i)).WithContext("table \"" + spec.name() + "\""));
    }
    AP_ASSIGN_OR_RETURN(ServedFile file, writer->Finish());
    file.set_name(name);
    *signature_.add_files() = std::move(file);
    ServedTable& table = *signature_.add_tables();
    table.set_name(spec.name());
    table.set_file(name);
    table.set_dim(spec.dim());
    table.set_precision(ToProto(options_.precision));
    table.set_rows(chosen->rows.size());
    if (signature_.has_step()) {
      table.set_tombstones(chosen->tombstones.size());
    }
    return Status();
  }

  Status WriteFile(const std::string& name, const std::string& contents) {
    ServedFile& file = *signature_.add_files();
    file.set_name(name);
    file.set_bytes(contents.size());
    file.set_crc32c(Crc32c(std::as_bytes(std::span(contents))));
    return WriteFileAtomically(fs_, folder_ + "/" + name, contents);
  }

  // Every file is synced; now the folders, and then the name that makes it a version.
  Status Publish() {
    AP_RETURN_IF_ERROR(fs_.SyncDirectory(folder_ + "/" + kEmbeddingFolder));
    AP_RETURN_IF_ERROR(fs_.SyncDirectory(folder_));
    AP_RETURN_IF_ERROR(fs_.Rename(folder_, options_.out));
    return fs_.SyncDirectory(FolderAbove(options_.out));
  }

  FileSystem& fs_;
  const FrozenModel& model_;
  const RowFilter& filter_;
  const ExportOptions& options_;
  const std::string folder_;
  Signature signature_;
};

}  // namespace

Status RemoveFolder(FileSystem& fs, const std::string& folder) {
  AP_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(folder));
  for (const std::string& name : names) {
    const std::string path = folder + "/" + name;
    AP_RETURN_IF_ERROR(fs.IsDirectory(path) ? RemoveFolder(fs, path) : fs.Remove(path));
  }
  // What is in a folder is gone for good before the folder goes.
  AP_RETURN_IF_ERROR(fs.SyncDirectory(folder));
  return fs.Remove(folder);
}

StatusOr<Signature> ExportModel(FileSystem& fs, const FrozenModel& model,
                                const ExportOptions& options) {
  AP_ASSIGN_OR_RETURN(const RowFilter filter,
                      RowFilter::Create(model.manifest(), options.min_score));
  return Exporter(fs, model, filter, options).Run();
}

std::string VersionSummary(const Signature& signature) {
  uint64_t bytes = 0;
  for (const ServedFile& file : signature.files()) {
    bytes += file.bytes();
  }
  uint64_t rows = 0;
  uint64_t tombstones = 0;
  for (const ServedTable& table : signature.tables()) {
    rows += table.rows();
    tombstones += table.tombstones();
  }
  std::string text = "version " + std::to_string(signature.version()) + " of " +
                     signature.model_name() + ", " + std::to_string(signature.tables_size()) +
                     " tables, " + FormatCount(static_cast<double>(rows));
  text += !signature.has_step()
              ? " rows, "
              : " rows changed and " + FormatCount(static_cast<double>(tombstones)) + " went, ";
  return text + FormatBytes(bytes);
}

}  // namespace antiphon
