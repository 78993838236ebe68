// ServedModel: an exported version, opened to be scored with: its tables mapped into memory, its
// dense blocks read.
//
// A version that has only what changed is opened with all that it grows from, or made from the
// model before it; tables are then a mapped file with changes over it (serving/layered_table.h),
// which models of one chain share. A file is unmapped when the last model that reads it goes.
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
#include "serving/layered_table.h"
#include "serving/version_chain.h"

namespace antiphon {

class ServedModel final : public TrainedModel {
 public:
  // `folder` is a version, or a directory of versions, of which the current one is taken. Reads and
  // checks every byte that counts. kNotFound: there is none; kDataLoss: a file is missing, torn, or
  // of another version; the message names it.
  static StatusOr<std::unique_ptr<ServedModel>> Open(const std::string& folder);
  // The same for the last version of a chain.
  static StatusOr<std::unique_ptr<ServedModel>> OpenChain(std::span<const VersionLink> chain);

  // The model that steps make of this one, which stays as it is. Costs what they changed. The codes
  // of CheckFollows for a step that is not the next one; kDataLoss as in Open;
  // kFailedPrecondition: the tables are others, which only a version with all rows may bring.
  StatusOr<std::unique_ptr<ServedModel>> Advance(std::span<const VersionLink> steps) const;

  const Signature& signature() const { return link_.signature; }
  const VersionLink& link() const { return link_; }
  const Job& job() const override { return trained_->job; }
  const TrainingPlan& plan() const override { return trained_->plan; }
  const std::string& folder() const override { return link_.folder; }
  bool CopyRow(TableId table, Key key, float* weights) const override {
    return tables_[table].CopyRow(key, weights);
  }
  std::span<const float> block(BlockId id) const override;

  // By TableId, as in plan().
  const LayeredTable& table(TableId id) const { return tables_[id]; }
  // Of all tables.
  uint64_t rows() const;

 private:
  // What usually stays the same along a chain, and is then shared.
  struct Trained {
    Job job;
    TrainingPlan plan;  // without partitions
  };

  explicit ServedModel(const VersionLink& link) : link_(link) {}

  // All but the tables, of the version of `link`. `before` is what may be shared, or null.
  static StatusOr<std::unique_ptr<ServedModel>> OpenDense(const VersionLink& link,
                                                          const ServedModel* before);
  Status ReadState(const ServedModel* before);
  Status CheckTransforms() const;
  Status OpenTables(const VersionLink& base);
  Status ApplyStep(const VersionLink& step);

  VersionLink link_;
  std::shared_ptr<const Trained> trained_;
  ServedState state_;  // of which the blocks count
  std::vector<LayeredTable> tables_;
};

}  // namespace antiphon
