#include "stream/header_check.h"

#include <memory>
#include <set>
#include <vector>

#include "common/data/job_file.h"
#include "stream/record_decoder.h"
#include "stream/record_reader.h"

namespace antiphon {

Status CheckHeaders(const Job& job, const TrainingPlan& plan, const LabelColumns& labels,
                    const std::string& folder, FileSystem& fs) {
  const DataConfig& data = job.data_config();
  const std::vector<FeatureStatistics> statistics(plan.features().begin(), plan.features().end());
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<BatchBuilder> builder,
                      BatchBuilder::Create(job, statistics, labels));
  if (!data.with_header()) {
    return Status();
  }
  std::set<std::string> paths;
  for (const Partition& partition : plan.partitions()) {
    if (!partition.open_ended()) {
      paths.insert(ResolvePath(folder, partition.path()));
    }
  }
  for (const std::string& path : paths) {
    if (!fs.Exists(path)) {
      continue;
    }
    AP_ASSIGN_OR_RETURN(const std::unique_ptr<RecordReader> reader,
                        RecordReader::Open(fs, path, RecordFormatOf(data)));
    AP_RETURN_IF_ERROR(
        MakeRecordDecoder(data, builder->field_uses(), path, reader->header()).status());
  }
  return Status();
}

}  // namespace antiphon
