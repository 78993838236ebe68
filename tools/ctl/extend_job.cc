#include "tools/ctl/extend_job.h"

#include <algorithm>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/data/job_defaults.h"
#include "models/job_extension.h"
#include "models/model_config.h"
#include "stream/header_check.h"

namespace antiphon {
namespace {

using Names = google::protobuf::RepeatedPtrField<std::string>;

std::vector<std::string> Added(const Names& before, const Names& after) {
  std::vector<std::string> added;
  for (const std::string& name : after) {
    if (std::ranges::find(before, name) == before.end()) {
      added.push_back(name);
    }
  }
  return added;
}

std::string ListText(const std::string& what, const std::vector<std::string>& names) {
  std::string text = what + ": ";
  for (size_t i = 0; i < names.size(); ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  return text + (names.empty() ? "none\n" : "\n");
}

}  // namespace

StatusOr<CtlExit> ExtendJob(CtlContext& context, FileSystem& fs, const std::string& path,
                            const JobFile& edited) {
  AP_ASSIGN_OR_RETURN(const TrainingPlan running, AskPlan(context));
  const bool is_so_already = running.job_digest() == JobDigest(edited.job);
  TrainingPlan extended = running;
  ExtendReply reply;
  if (!is_so_already) {
    AP_ASSIGN_OR_RETURN(extended, ExtendPlan(running, edited));
    AP_RETURN_IF_ERROR(CheckHeaders(edited.job, extended, ModelLabels(edited.job.model_config()),
                                    edited.folder, fs));
    const Buffer plan = Buffer::Copy(std::string_view(extended.SerializeAsString()));
    AP_ASSIGN_OR_RETURN(reply, context.client.Ask<ExtendReply>(METHOD_EXTEND, ExtendRequest(),
                                                               context.timeout, {&plan, 1}));
  }
  const std::vector<std::string> tasks = Added(running.tasks(), extended.tasks());
  const std::vector<std::string> scenes = Added(running.scenes(), extended.scenes());
  if (context.format == OutputFormat::kJson) {
    const nlohmann::ordered_json json = {
        {"schema", 1}, {"extended", !is_so_already}, {"tasks", tasks}, {"scenes", scenes}};
    context.out << json.dump(2) << "\n";
  } else if (is_so_already) {
    context.out << "job " << running.job_name() << " is as " << path << " says already\n";
  } else {
    context.out << "job " << running.job_name() << " is extended (view " << reply.view_epoch()
                << ")\n"
                << ListText("new tasks", tasks) << ListText("new scenes", scenes);
  }
  return CtlExit::kHealthy;
}

}  // namespace antiphon
