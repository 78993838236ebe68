// ExportModel: a snapshot becomes a version for serving, a folder of files that docs/formats.md
// describes: one with all rows, or a step with those that changed. Owned by one thread.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "proto/serving.pb.h"
#include "scoring/frozen_model.h"
#include "serving/row_codec.h"
#include "serving/version_chain.h"

namespace antiphon {

struct ExportOptions {
  std::string out;  // the folder to make; it is not there yet
  RowPrecision precision = RowPrecision::kFp32;
  double min_score = 0;  // rows of a lower score are left out (serving/export/row_filter.h)
  // The version that the step to make grows from, made of the snapshot that `model` is a delta of
  // (FrozenModel::LoadDelta). Null: the model is whole, and so is the version.
  const VersionLink* predecessor = nullptr;
};

// A folder with all that lies in it.
Status RemoveFolder(FileSystem& fs, const std::string& folder);

// Writes everything under the name `out`.tmp, syncs it and renames it: `out` is whole or not there.
// What an attempt that died left under that name is replaced. Returns what the version says of
// itself. kAlreadyExists: there is an `out`.
StatusOr<Signature> ExportModel(FileSystem& fs, const FrozenModel& model,
                                const ExportOptions& options);

// "version 3 of live, 13 tables, 4.1 k rows, 1.1 MiB": for people.
std::string VersionSummary(const Signature& signature);

}  // namespace antiphon
