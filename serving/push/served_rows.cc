#include "serving/push/served_rows.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/text.h"
#include "serving/emb_table.h"
#include "serving/feature_description.h"
#include "serving/push/push_record.h"
#include "serving/push/version_receiver.h"
#include "serving/served_state.h"
#include "serving/signature.h"
#include "serving/version_chain.h"

namespace antiphon {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 40;
constexpr Duration kPatience = std::chrono::seconds(10);

Status ApplyTable(const EmbTable& changes, ServedRows::Table& rows) {
  if (changes.header().kind == EmbKind::kFull) {
    rows.clear();
  }
  const uint64_t row_bytes = changes.header().row_bytes();
  for (uint32_t row = 0; row < changes.rows(); ++row) {
    rows[changes.key(row)].assign(reinterpret_cast<const char*>(changes.row_bytes(row)), row_bytes);
  }
  for (const Key key : changes.tombstones()) {
    rows.erase(key);
  }
  return Status();
}

// What differs between a snapshot and what is served of it.
class Comparison {
 public:
  Comparison(const FrozenModel& trained, const ServedRows& served)
      : trained_(trained), served_(served) {}

  Status Run() {
    CompareVersions();
    for (int i = 0; i < trained_.plan().schema().tables_size(); ++i) {
      CompareTable(static_cast<TableId>(i));
    }
    AP_ASSIGN_OR_RETURN(const std::string state, EncodeServedState(trained_));
    if (state != served_.state) {
      Differ("the dense blocks in state.bin are not the snapshot's");
    }
    return Status();
  }

  uint64_t rows() const { return rows_; }
  uint64_t left_out() const { return left_out_; }
  uint64_t differences() const { return differences_; }
  const std::string& first() const { return first_; }

 private:
  void Differ(const std::string& what) {
    if (differences_++ == 0) {
      first_ = what;
    }
  }

  void CompareVersions() {
    const SnapshotManifest& manifest = trained_.manifest();
    const Signature& signature = served_.signature;
    if (signature.model_id() != HexDigits(manifest.cluster_id()) ||
        signature.version() != manifest.version()) {
      Differ("it serves version " + std::to_string(signature.version()) + " of model " +
             signature.model_id() + ", the snapshot is version " +
             std::to_string(manifest.version()) + " of " + HexDigits(manifest.cluster_id()));
    }
  }

  void CompareTable(TableId id) {
    const TableSpec& spec = trained_.plan().schema().tables(static_cast<int>(id));
    const auto described =
        std::ranges::find(served_.signature.tables(), spec.name(), &ServedTable::name);
    const auto found = served_.tables.find(spec.name());
    if (described == served_.signature.tables().end() || found == served_.tables.end()) {
      Differ("table \"" + spec.name() + "\" is missing");
      return;
    }
    const auto precision = static_cast<RowPrecision>(described->precision());
    std::string expected(RowBytes(precision, spec.dim()), '\0');
    uint64_t seen = 0;
    for (size_t i = 0; i < trained_.row_count(id); ++i) {
      const Key key = trained_.row_key(id, i);
      const auto row = found->second.find(key);
      if (row == found->second.end()) {
        if (served_.signature.has_min_score()) {
          ++left_out_;
        } else {
          Differ(NameOf(spec, key) + " is missing");
        }
        continue;
      }
      ++seen;
      EncodeRow(precision, trained_.row_weights(id, i),
                reinterpret_cast<std::byte*>(expected.data()));
      if (row->second != expected) {
        Differ(NameOf(spec, key) + " has other weights");
      } else {
        ++rows_;
      }
    }
    if (seen != found->second.size()) {
      Differ("table \"" + spec.name() + "\" has " + std::to_string(found->second.size() - seen) +
             " rows that the snapshot has not");
    }
  }

  static std::string NameOf(const TableSpec& spec, Key key) {
    return "row " + std::to_string(key) + " of table \"" + spec.name() + "\"";
  }

  const FrozenModel& trained_;
  const ServedRows& served_;
  uint64_t rows_ = 0;
  uint64_t left_out_ = 0;
  uint64_t differences_ = 0;
  std::string first_;
};

}  // namespace

Status ServedRows::Apply(
    const Signature& next,
    const std::function<StatusOr<std::string>(const std::string& name)>& contents) {
  for (const ServedTable& table : next.tables()) {
    AP_ASSIGN_OR_RETURN(const std::string file, contents(table.file()));
    const StatusOr<EmbTable> rows = EmbTable::Open(std::as_bytes(std::span(file)));
    AP_RETURN_IF_ERROR(rows.status().WithContext(table.file()));
    AP_RETURN_IF_ERROR(ApplyTable(*rows, tables[table.name()]));
  }
  AP_ASSIGN_OR_RETURN(state, contents(kStateFile));
  signature = next;
  return Status();
}

StatusOr<ServedRows> ReadFolderRows(FileSystem& fs, const std::string& folder) {
  VersionChain chain;
  if (fs.Exists(folder + "/" + kSignatureFile)) {
    AP_ASSIGN_OR_RETURN(chain, ReadVersionChain(fs, folder));
  } else {
    AP_ASSIGN_OR_RETURN(chain, ReadCurrentChain(fs, folder));
  }
  ServedRows rows;
  rows.where = folder;
  for (const VersionLink& link : chain) {
    AP_RETURN_IF_ERROR(rows.Apply(link.signature,
                                  [&](const std::string& name) {
                                    return ReadWholeFile(fs, link.folder + "/" + name,
                                                         kMaxFileBytes);
                                  })
                           .WithContext(link.folder));
  }
  return rows;
}

StatusOr<ServedRows> ReadKafkaRows(const KafkaStream& config, const std::string& model_id) {
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<KafkaLog> log, KafkaLog::Create(config));
  AP_RETURN_IF_ERROR(log->CheckTopic());
  AP_ASSIGN_OR_RETURN(const KafkaRange range, log->AskRange());
  AP_RETURN_IF_ERROR(log->ReadFrom(range.begin));
  ServedRows rows;
  rows.where = log->name();
  VersionReceiver receiver({.model_id = model_id});
  std::span<const std::byte> record;
  for (int64_t offset = range.begin - 1; offset + 1 < range.end;) {
    AP_ASSIGN_OR_RETURN(const KafkaLog::Read read, log->Next(kPatience, record, offset));
    if (read == KafkaLog::Read::kEnd) {
      break;
    }
    if (read != KafkaLog::Read::kRecord) {
      return UnavailableError(log->name() + " does not give its records");
    }
    receiver.Take(record);
    while (const std::optional<ReceivedVersion> version = receiver.Next()) {
      AP_RETURN_IF_ERROR(
          rows.Apply(version->signature, [&](const std::string& name) -> StatusOr<std::string> {
            return version->files.at(name);
          }));
    }
  }
  if (!receiver.served().has_value()) {
    return NotFoundError(log->name() + " has no whole version" +
                         (receiver.needs_full() ? ": " + receiver.need() : ""));
  }
  return rows;
}

Status CompareRows(const FrozenModel& trained, const ServedRows& served, std::ostream& out) {
  Comparison comparison(trained, served);
  AP_RETURN_IF_ERROR(comparison.Run());
  out << served.where << ": version " << served.signature.version() << ", " << served.tables.size()
      << " tables, " << comparison.rows() << " rows equal";
  if (comparison.left_out() > 0) {
    out << ", " << comparison.left_out() << " left out for their score";
  }
  if (comparison.differences() == 0) {
    out << "\n";
    return Status();
  }
  out << ", " << comparison.differences() << " differences: " << comparison.first() << "\n";
  return FailedPreconditionError(served.where +
                                 " does not serve what was trained: " + comparison.first());
}

}  // namespace antiphon
