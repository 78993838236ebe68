// ServedModel: an exported version, opened to be scored with: its tables mapped into memory, its
// dense blocks read.
//
// Frozen: any thread may read.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "models/trained_model.h"
#include "proto/serving.pb.h"
#include "serving/emb_table.h"
#include "serving/mapped_file.h"

namespace antiphon {

class ServedModel final : public TrainedModel {
 public:
  // Reads and checks every byte of the version. kNotFound: there is none; kDataLoss: a file is
  // missing, torn, or of another version; the message names it.
  static StatusOr<std::unique_ptr<ServedModel>> Open(const std::string& folder);

  const Signature& signature() const { return signature_; }
  const Job& job() const override { return job_; }
  const TrainingPlan& plan() const override { return state_.plan(); }
  const std::string& folder() const override { return folder_; }
  bool CopyRow(TableId table, Key key, float* weights) const override;
  std::span<const float> block(BlockId id) const override;

  // By TableId, as in plan().
  const EmbTable& table(TableId id) const { return tables_[id].rows; }

 private:
  struct Table {
    std::unique_ptr<MappedFile> file;
    EmbTable rows;
  };

  explicit ServedModel(std::string folder) : folder_(std::move(folder)) {}

  // Maps a file that the signature names and compares it with what is said there.
  StatusOr<std::unique_ptr<MappedFile>> MapChecked(const std::string& name) const;
  Status ReadState();
  Status OpenTables();
  Status CheckTable(const ServedTable& described, const TableSpec& spec,
                    const EmbHeader& header) const;
  Status CheckTransforms() const;

  std::string folder_;
  Signature signature_;
  ServedState state_;
  Job job_;
  std::vector<Table> tables_;
};

}  // namespace antiphon
